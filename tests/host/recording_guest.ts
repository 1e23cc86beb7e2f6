import type { GiveBack, Guest, Opening, OtherProtocol } from "../../src/host/other_protocol.ts";
import type { TcpConnection } from "../../src/ports/tcp.ts";

/** A connection that the other protocol was given, and what it was told of it, in order. */
export interface Adopted {
  readonly connection: TcpConnection<unknown>;
  readonly giveBack: GiveBack | undefined;
  readonly events: string[];
}

/** What a test's protocol does when it is told of something. */
export interface Reactions {
  adopt?(adopted: Adopted): "refuse" | void;
  data?(adopted: Adopted, bytes: Uint8Array): void;
  end?(adopted: Adopted): void;
  closed?(adopted: Adopted): void;
}

/** Another protocol that notes what it is told, and then does what `react` says. */
export class RecordingProtocol implements OtherProtocol {
  readonly adopted: Adopted[] = [];
  readonly #react: Reactions;

  constructor(react: Reactions = {}) {
    this.#react = react;
  }

  /** The one connection that was handed over so far. */
  get only(): Adopted {
    const [first, ...more] = this.adopted;
    if (first === undefined || more.length > 0) {
      throw new Error(`${this.adopted.length} connections were handed over, not one`);
    }
    return first;
  }

  adopt(connection: TcpConnection<unknown>, opening: Opening): Guest | undefined {
    const events = [opening.bytes === undefined ? "adopt" : `adopt ${show(opening.bytes)}`];
    const adopted: Adopted = { connection, giveBack: opening.giveBack, events };
    this.adopted.push(adopted);
    if (this.#react.adopt?.(adopted) === "refuse") return undefined;
    return {
      data: (bytes) => {
        events.push(`data ${show(bytes)}`);
        this.#react.data?.(adopted, bytes);
      },
      end: () => {
        events.push("end");
        this.#react.end?.(adopted);
      },
      drain: () => void events.push("drain"),
      closed: (reason) => {
        events.push(`closed ${reason}`);
        this.#react.closed?.(adopted);
      },
    };
  }
}

function show(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
