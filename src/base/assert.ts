/** Fails loudly when something that this code relies on is not so: a fault of ours, not of a peer. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`Broken invariant: ${message}`);
}

/** Ends a `switch` over a union: the compiler refuses the call when a case is missing. */
export function unreachable(value: never): never {
  throw new Error(`Broken invariant: unexpected ${JSON.stringify(value)}`);
}
