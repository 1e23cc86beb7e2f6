import type { Socket } from "node:net";
import { type Message, type MessageKind, opcode } from "./case_types.ts";
import { type AgreedDeflate, DeflateContext } from "./wire_deflate.ts";
import { joinBytes, type ReadFrame, type Side, StrictFrameReader } from "./wire_frames.ts";

/** Far above what anything here takes: only who hangs comes near. */
const patienceMsDefault = 15_000;

/** Of one message that comes; the largest that is sent, and some more. */
const messageBytesMax = 32 << 20;

const strictUtf8 = new TextDecoder("utf-8", { fatal: true });

/** The runner's end of an open WebSocket: notes what comes, sends bytes, and waits. */
export class WirePeer {
  readonly side: Side;
  /** What the handshake agreed on; undefined: no compression. */
  readonly agreed: AgreedDeflate | undefined;
  /** Of what is sent. */
  readonly deflate: DeflateContext | undefined;
  readonly messages: Message[] = [];
  readonly pongs: Uint8Array[] = [];
  /** The peer's close frame; 1005 stands for one without a code. */
  closed: { readonly code: number; readonly reason: string } | undefined;
  /** How the peer broke the protocol first. */
  fault: string | undefined;
  /** Its side of the stream has ended. */
  hasEnded = false;
  readonly #patienceMs: number;
  readonly #socket: Socket;
  readonly #reader: StrictFrameReader;
  readonly #inflate: DeflateContext | undefined;
  #pieces: Uint8Array[] = [];
  #kind: MessageKind | undefined;
  #isDeflated = false;
  readonly #waiting = new Set<() => void>();

  constructor(
    socket: Socket,
    options: {
      side: Side;
      first: Uint8Array;
      agreed: AgreedDeflate | undefined;
      /** How long a wait may take, in milliseconds. */
      patienceMs?: number | undefined;
    },
  ) {
    const { side, first, agreed, patienceMs = patienceMsDefault } = options;
    this.#patienceMs = patienceMs;
    this.side = side;
    this.agreed = agreed;
    this.deflate = agreed && new DeflateContext(agreed[side]);
    this.#inflate = agreed && new DeflateContext(agreed[side === "client" ? "server" : "client"]);
    this.#reader = new StrictFrameReader(side);
    this.#socket = socket;
    const end = () => {
      this.hasEnded = true;
      this.#wake();
    };
    socket.on("data", (bytes: Uint8Array) => this.#read(bytes));
    socket.on("end", end);
    socket.on("error", end);
    socket.on("close", end);
    if (first.length > 0) this.#read(first);
  }

  /** It takes no more: it closed or broke off. */
  get isOver(): boolean {
    return this.closed !== undefined || this.hasEnded;
  }

  /** Resolves when more may be sent. */
  async write(bytes: Uint8Array): Promise<void> {
    if (this.hasEnded || this.#socket.write(bytes)) return;
    await this.#until((done) => this.#socket.once("drain", done));
  }

  /** Resolves when the bytes are with the kernel, so that the next ones go by themselves. */
  async writeApart(bytes: Uint8Array): Promise<void> {
    if (!this.hasEnded) await this.#until((done) => this.#socket.write(bytes, () => done()));
  }

  /** Waits until something is so, or the peer's stream has ended, or far too long. */
  async until(isSo: () => boolean): Promise<boolean> {
    const giveUpAt = performance.now() + this.#patienceMs;
    while (!isSo()) {
      const left = giveUpAt - performance.now();
      if (this.hasEnded || left <= 0) return false;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(wake, left);
        const waiting = this.#waiting;
        waiting.add(wake);
        function wake() {
          clearTimeout(timer);
          waiting.delete(wake);
          resolve();
        }
      });
    }
    return true;
  }

  /** Sends a FIN. */
  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  async #until(begin: (done: () => void) => void): Promise<void> {
    let isDone = false;
    begin(() => {
      isDone = true;
      this.#wake();
    });
    await this.until(() => isDone);
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  #read(bytes: Uint8Array): void {
    this.#reader.push(bytes);
    while (this.fault === undefined) {
      const frame = this.#reader.next();
      if (frame === undefined) break;
      this.fault = "fault" in frame ? frame.fault : this.#take(frame);
    }
    this.#wake();
  }

  /** Notes a frame; answers what is wrong with it. */
  #take({ opcode: kind, fin, reserved, payload }: ReadFrame): string | undefined {
    if (this.closed !== undefined) return "sent a frame after its close frame";
    const mayBeDeflated = this.#inflate !== undefined &&
      (kind === opcode.text || kind === opcode.binary);
    if (reserved !== 0 && !(reserved === 4 && mayBeDeflated)) {
      return `set the reserved bits to ${reserved}`;
    }
    switch (kind) {
      case opcode.text:
      case opcode.binary:
        if (this.#kind !== undefined) return "began a message within another one";
        this.#kind = kind === opcode.text ? "text" : "binary";
        this.#isDeflated = reserved === 4;
        return this.#addPiece(payload, fin);
      case opcode.continuation:
        if (this.#kind === undefined) return "continued no message";
        return this.#addPiece(payload, fin);
      case opcode.close:
        return this.#takeClose(payload);
      case opcode.pong:
        this.pongs.push(payload);
        return undefined;
      case opcode.ping:
        // Of its own accord; nothing here lasts long enough to owe it an answer.
        return undefined;
      default:
        return `sent the opcode ${kind}`;
    }
  }

  #addPiece(payload: Uint8Array, fin: boolean): string | undefined {
    this.#pieces.push(payload);
    if (!fin) return undefined;
    let whole = joinBytes(this.#pieces);
    const kind = this.#kind ?? "binary";
    this.#pieces = [];
    this.#kind = undefined;
    if (this.#isDeflated && this.#inflate !== undefined) {
      try {
        whole = this.#inflate.decompress(whole, messageBytesMax);
      } catch (error) {
        return `sent a message that does not inflate: ${error}`;
      }
    }
    if (kind === "text" && !isUtf8(whole)) return "sent a text that is not UTF-8";
    this.messages.push({ kind, payload: whole });
    return undefined;
  }

  #takeClose(payload: Uint8Array): string | undefined {
    const reason = payload.subarray(2);
    const code = payload.length < 2 ? 1005 : payload[0]! * 256 + payload[1]!;
    this.closed = { code, reason: new TextDecoder().decode(reason) };
    if (payload.length === 1) return "sent half a close code";
    return isUtf8(reason) ? undefined : "sent a close reason that is not UTF-8";
  }
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    strictUtf8.decode(bytes);
    return true;
  } catch {
    // The decoder has no other way to say so.
    return false;
  }
}
