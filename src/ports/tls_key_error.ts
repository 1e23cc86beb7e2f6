/** A certificate or key that cannot be served with. The message holds nothing of the key. */
export class TlsKeyError extends Error {
  override readonly name = "TlsKeyError";
  /** Which of the two is at fault; `key` too for one that belongs to another certificate. */
  readonly part: "certificate" | "key";

  constructor(part: "certificate" | "key", problem: string, cause?: unknown) {
    super(problem, { cause });
    this.part = part;
  }
}
