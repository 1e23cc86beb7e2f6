import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
import type { DeflatedStep } from "./case_types.ts";
import { joinBytes } from "./wire_frames.ts";

/** What a flushed block ends with, which does not travel (RFC 7692 §7.2.1). */
const tail = Uint8Array.of(0x00, 0x00, 0xff, 0xff);

/** How one side of a connection compresses. */
export interface DeflateTerms {
  readonly windowBits: number;
  readonly keepsContext: boolean;
}

/** What an answer's `Sec-WebSocket-Extensions` says; undefined when it has no permessage-deflate. */
export interface AgreedDeflate {
  readonly client: DeflateTerms;
  readonly server: DeflateTerms;
  readonly parameters: ReadonlyMap<string, string>;
}

export function readAgreement(header: string | null): AgreedDeflate | undefined {
  const [name, ...rest] = (header ?? "").split(";").map((part) => part.trim());
  if (name !== "permessage-deflate") return undefined;
  const parameters = new Map(rest.map((parameter) => {
    const [key = "", value = ""] = parameter.split("=");
    return [key, value.replaceAll('"', "")] as const;
  }));
  const terms = (side: "client" | "server"): DeflateTerms => ({
    windowBits: Number(parameters.get(`${side}_max_window_bits`) ?? 15),
    keepsContext: !parameters.has(`${side}_no_context_takeover`),
  });
  return { client: terms("client"), server: terms("server"), parameters };
}

/** One direction of a connection: the window is the end of all that went before. */
export class DeflateContext {
  readonly #terms: DeflateTerms;
  #window: Uint8Array = new Uint8Array(0);

  constructor(terms: DeflateTerms) {
    this.#terms = terms;
  }

  compress({ payload, blocks, times = 1 }: Omit<DeflatedStep, "step" | "kind">): Uint8Array {
    // zlib makes no windows of 256 bytes.
    const windowBits = Math.max(9, this.#terms.windowBits);
    const options = {
      windowBits,
      level: blocks === "stored" ? 0 : 6,
      finishFlush: blocks === "final" ? constants.Z_FINISH : constants.Z_SYNC_FLUSH,
      ...this.#dictionary(),
    };
    const out = new Uint8Array(deflateRawSync(payload, options));
    this.#remember(payload);
    if (times > 1) return joinBytes(Array.from({ length: times }, () => out));
    if (blocks === "final") return joinBytes([out, Uint8Array.of(0)]);
    const whole = out.subarray(0, out.length - tail.length);
    // An empty stored block in front changes nothing.
    if (blocks === "flushed") return joinBytes([Uint8Array.of(0), tail, whole]);
    return whole.length === 0 ? Uint8Array.of(0) : whole;
  }

  /** Throws what zlib throws for data that is none. */
  decompress(payload: Uint8Array, bytesMax: number): Uint8Array {
    const out = new Uint8Array(inflateRawSync(joinBytes([payload, tail]), {
      finishFlush: constants.Z_SYNC_FLUSH,
      maxOutputLength: bytesMax,
      ...this.#dictionary(),
    }));
    this.#remember(out);
    return out;
  }

  #dictionary(): { dictionary?: Uint8Array } {
    return this.#window.length === 0 ? {} : { dictionary: this.#window };
  }

  #remember(bytes: Uint8Array): void {
    if (!this.#terms.keepsContext) return;
    const size = 1 << this.#terms.windowBits;
    this.#window = joinBytes([this.#window, bytes.subarray(-size)]).slice(-size);
  }
}
