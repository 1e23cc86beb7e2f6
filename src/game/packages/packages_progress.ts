/** How far a change of packages is. */
export interface PackagesProgress {
  /** Name of the package. */
  readonly name: string;
  readonly phase: PackagesPhase;
  /** Bytes in `receive` and `copy`, objects in `index`, files in `write`. */
  readonly loaded: number;
  /** 0 where nobody knows. */
  readonly total: number;
}

export type PackagesPhase =
  /** Asks for what there is. */
  | "connect"
  | "receive"
  | "copy"
  | "index"
  | "write"
  /** The old one out, the new one in. */
  | "swap";

/** Reports of bytes come at these steps, of objects and files at each hundredth: who watches needs
 * no more, and each is a message between threads. */
const STEP_BYTES = 262_144;

/** Lets through what is worth telling. */
export class ProgressSteps {
  readonly #name: string;
  readonly #tell: (progress: PackagesProgress) => void;
  #phase: PackagesPhase | undefined;
  #step = -1;

  constructor(name: string, tell: (progress: PackagesProgress) => void) {
    this.#name = name;
    this.#tell = tell;
  }

  at(phase: PackagesPhase, loaded = 0, total = 0): void {
    const isBytes = phase === "receive" || phase === "copy";
    const unit = isBytes ? STEP_BYTES : Math.max(1, Math.ceil(total / 100));
    const step = loaded === total ? Infinity : Math.floor(loaded / unit);
    // Each question is told of: who waits for one answer after the other sees that it goes on.
    if (phase === this.#phase && step === this.#step && phase !== "connect") return;
    this.#phase = phase;
    this.#step = step;
    this.#tell({ name: this.#name, phase, loaded, total });
  }
}
