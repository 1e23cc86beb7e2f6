import { createHash } from "node:crypto";
import { createServer, type Server, type Socket } from "node:net";
import type { Message, Script } from "../case_types.ts";
import type { Subject } from "../play_case.ts";
import { WirePeer } from "../wire_peer.ts";
import { ChildProgram, runtimeCommand, type RuntimeName } from "./child_program.ts";
import { readHead, readHeaders } from "./client_handshake.ts";

/** The gateway's upstream link as a client; the runner is the server that it dials. */
export async function withLinkSubject(
  runtime: RuntimeName,
  use: (subject: Subject) => Promise<void>,
): Promise<void> {
  const name = `${runtime} link`;
  const program = new ChildProgram(name, runtimeCommand(runtime, "./link_main.ts"));
  const subject = new LinkSubject(name, program);
  try {
    await program.line("ready");
    await subject.listen();
    await use(subject);
  } finally {
    subject.close();
    await program.stop();
  }
}

const binaryMark = "binary:";

class LinkSubject implements Subject {
  readonly name: string;
  readonly side = "server";
  readonly lacksCompression = undefined;
  readonly #program: ChildProgram;
  readonly #server: Server;
  readonly #expected = new Map<string, (peer: WirePeer) => void>();
  #port = 0;
  #dials = 0;
  #syncs = 0;

  constructor(name: string, program: ChildProgram) {
    this.name = name;
    this.#program = program;
    this.#server = createServer((socket) => {
      // Of a link that gave up: its case sees that nothing came.
      this.#accept(socket).catch(() => socket.destroy());
    });
  }

  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(0, "127.0.0.1", () => {
        this.#port = (this.#server.address() as { port: number }).port;
        resolve();
      });
    });
  }

  close(): void {
    this.#server.close();
  }

  open(): Promise<WirePeer> {
    const target = `/${++this.#dials}`;
    return new Promise((resolve) => {
      this.#expected.set(target, resolve);
      this.#program.order(`dial ws://127.0.0.1:${this.#port}${target}`);
    });
  }

  /** Two round trips, between which it has read what was there before. */
  async settle(): Promise<void> {
    for (let count = 0; count < 2; count++) {
      const word = String(++this.#syncs);
      this.#program.order(`sync ${word}`);
      await this.#program.line(`synced ${word}`);
    }
  }

  adapt(script: Script): Script {
    return script;
  }

  /** The link sends nothing but texts. */
  read({ kind, payload }: Message): Message {
    const start = new TextDecoder().decode(payload.subarray(0, binaryMark.length));
    if (start !== binaryMark) return { kind, payload };
    const base64 = new TextDecoder().decode(payload.subarray(binaryMark.length));
    return { kind: "binary", payload: new Uint8Array(Buffer.from(base64, "base64")) };
  }

  async #accept(socket: Socket): Promise<void> {
    socket.setNoDelay(true);
    const { head, rest } = await readHead(socket);
    const target = head.split(" ")[1] ?? "";
    const found = this.#expected.get(target);
    // It may dial again before it hears that it should not.
    if (found === undefined) return void socket.destroy();
    this.#expected.delete(target);
    const accept = createHash("sha1")
      .update(`${readHeaders(head).get("sec-websocket-key")}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest("base64");
    const lines = ["Upgrade: websocket", "Connection: Upgrade", `Sec-WebSocket-Accept: ${accept}`];
    socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join("\r\n")}\r\n\r\n`);
    found(new WirePeer(socket, { side: "server", first: rest, agreed: undefined }));
  }
}
