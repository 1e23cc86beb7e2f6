import type { Clock } from "../ports/clock.ts";

/**
 * A server did not do what it should: said in one line that stands alone. Whoever runs a probe
 * catches it and reports it; any other error is a fault of the check itself.
 */
export class ProbeFailure extends Error {
  override readonly name = "ProbeFailure";
}

/** Throws ProbeFailure unless `condition` holds. */
export function expect(condition: unknown, message: string): asserts condition {
  if (!condition) throw new ProbeFailure(message);
}

/** Throws ProbeFailure that shows both values unless they are the same. */
export function expectSame<T>(found: T, wanted: T, what: string): void {
  if (!Object.is(found, wanted)) {
    throw new ProbeFailure(`${what}: expected ${show(wanted)}, got ${show(found)}`);
  }
}

/** A value as it is put in a message: quoted, on one line, at most 160 characters. */
export function show(value: unknown): string {
  const text = value instanceof Uint8Array
    ? `bytes ${value.subarray(0, 64).toHex()}${value.length > 64 ? `… (${value.length})` : ""}`
    : JSON.stringify(value) ?? String(value);
  return text.length <= 160 ? text : `${text.slice(0, 150)}… (${text.length})`;
}

/** The message of whatever was thrown, on one line. */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replaceAll(/\s*\n\s*/g, " ").trim();
}

/** The outcome of `promise`, or ProbeFailure `<what>: nothing within <ms> ms`. The promise itself is
 * not stopped. */
export function within<T>(
  clock: Clock,
  promise: Promise<T>,
  limit: { ms: number; what: string },
): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(
      limit.ms,
      () => reject(new ProbeFailure(`${limit.what}: nothing within ${limit.ms} ms`)),
    );
    promise.then(resolve, reject).finally(cancel);
  });
}

/**
 * Asks `attempt` again and again until it gives a value, for at most `ms`; then fails with the last
 * reason it gave. For facts that no event announces, such as the figures of another process.
 */
export async function eventually<T>(
  clock: Clock,
  limit: { ms: number; what: string; everyMs?: number },
  attempt: () => Promise<T | undefined>,
): Promise<T> {
  const end = clock.monotonic() + limit.ms;
  let reason = "";
  while (true) {
    try {
      const value = await attempt();
      if (value !== undefined) return value;
    } catch (error) {
      if (!(error instanceof ProbeFailure)) throw error;
      reason = `; last: ${error.message}`;
    }
    if (clock.monotonic() >= end) {
      throw new ProbeFailure(`${limit.what}: not within ${limit.ms} ms${reason}`);
    }
    await pause(clock, limit.everyMs ?? 50);
  }
}

/** Resolves after at least `ms`. */
export function pause(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => clock.after(ms, resolve));
}
