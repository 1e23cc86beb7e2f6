import { connect, type Socket } from "node:net";

/** Far above what any reply takes: only a hang comes near. */
const waitMs = 20_000;

/** A TCP connection to a server under test. */
export class HostClient {
  readonly #socket: Socket;
  #received = Buffer.alloc(0);
  #isClosed = false;
  #wake = () => {};

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (bytes) => {
      this.#received = Buffer.concat([this.#received, Buffer.from(bytes)]);
      this.#wake();
    });
    socket.on("close", () => {
      this.#isClosed = true;
      this.#wake();
    });
    // A reset is a close that the tests look at through `closed`.
    socket.on("error", () => {});
  }

  static open(port: number, host = "127.0.0.1"): Promise<HostClient> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host, allowHalfOpen: true });
      const client = new HostClient(socket);
      socket.once("connect", () => resolve(client));
      socket.once("error", reject);
    });
  }

  send(data: string | Uint8Array): this {
    this.#socket.write(data);
    return this;
  }

  /** Sends our FIN; replies can still come. */
  end(): this {
    this.#socket.end();
    return this;
  }

  close(): void {
    this.#socket.destroy();
  }

  /** The next line, without its end. */
  async line(): Promise<string> {
    const end = await this.#until(() => {
      const at = this.#received.indexOf(0x0a);
      return at < 0 ? undefined : at;
    }, "a line");
    const line = this.#received.subarray(0, end).toString();
    this.#received = this.#received.subarray(end + 1);
    return line;
  }

  /** The next so many bytes. */
  async bytes(count: number): Promise<Uint8Array> {
    const isThere = () => this.#received.length >= count ? true : undefined;
    await this.#until(isThere, `${count} bytes`);
    const taken = this.#received.subarray(0, count);
    this.#received = this.#received.subarray(count);
    return taken;
  }

  async lines(count: number): Promise<string[]> {
    const lines: string[] = [];
    while (lines.length < count) lines.push(await this.line());
    return lines;
  }

  /** Sends a line and gives the next one back. */
  ask(line: string): Promise<string> {
    return this.send(`${line}\n`).line();
  }

  /** Waits for the server to close; all bytes that came and were not read yet. */
  async closed(): Promise<Buffer> {
    this.#socket.on("end", () => this.#socket.end());
    if (this.#socket.readableEnded) this.#socket.end();
    await this.#until(() => this.#isClosed ? true : undefined, "the close");
    return this.#received;
  }

  #until<T>(look: () => T | undefined, what: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () =>
          reject(new Error(`no ${what} within ${waitMs} ms; got ${this.#received.length} bytes`)),
        waitMs,
      );
      this.#wake = () => {
        const found = look();
        if (found !== undefined) {
          clearTimeout(timer);
          resolve(found);
        } else if (this.#isClosed) {
          clearTimeout(timer);
          reject(new Error(`the server closed; wanted ${what}`));
        }
      };
      this.#wake();
    });
  }
}

/** Asks one line on a connection of its own. */
export async function askOnce(port: number, line: string): Promise<string> {
  const client = await HostClient.open(port);
  try {
    return await client.ask(line);
  } finally {
    client.close();
  }
}
