import { connect, createServer, type Server, type Socket } from "node:net";

/** A TCP forwarder that can be pulled out: then bytes of both sides go nowhere, and neither side is
 * told. */
export class NetworkCable {
  readonly #target: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isOut = false;
  /** Connections that came through, ever. */
  connections = 0;

  private constructor(target: number) {
    this.#target = target;
    this.#server = createServer((near) => this.#join(near));
  }

  static async to(port: number): Promise<NetworkCable> {
    const cable = new NetworkCable(port);
    await new Promise<void>((resolve) => cable.#server.listen(0, "127.0.0.1", resolve));
    return cable;
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  pullOut(): void {
    this.#isOut = true;
  }

  /** New connections come through again; the old ones stay as dead as they were. */
  plugIn(): void {
    this.#isOut = false;
  }

  async remove(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(near: Socket): void {
    if (this.#isOut) {
      this.#keep(near);
      return;
    }
    this.connections++;
    const far = connect(this.#target, "127.0.0.1");
    let isDead = false;
    for (const [from, to] of [[near, far], [far, near]] as const) {
      this.#keep(from);
      from.on("data", (bytes: Uint8Array) => {
        isDead ||= this.#isOut;
        if (!isDead) to.write(bytes);
      });
      from.on("close", () => {
        isDead ||= this.#isOut;
        if (!isDead) to.destroy();
      });
    }
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    // What an error is comes out by the close that follows.
    socket.on("error", () => {});
    socket.on("close", () => this.#sockets.delete(socket));
  }
}
