/** How often it looks: an end that waits for others is held up by no more than that. */
const lookAgainMs = 5;

/** Resolves when something is so, or when so many milliseconds have passed. Looks at once, and so
 * does not keep waiting who has nothing to wait for. */
export function waitUntil(
  clock: { monotonic(): number; after(ms: number, call: () => void): unknown },
  isSo: () => boolean,
  msMax: number,
): Promise<void> {
  const giveUpAt = clock.monotonic() + msMax;
  return new Promise((resolve) => {
    const look = () => {
      if (isSo() || clock.monotonic() >= giveUpAt) resolve();
      else clock.after(lookAgainMs, look);
    };
    look();
  });
}
