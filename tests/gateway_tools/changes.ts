/** Far above what anything here takes: only what never comes is later. */
export const withinMs = 20_000;

/** Where waiting tests are told that something may be different now. */
export class Changes {
  readonly #looks = new Set<() => void>();

  /** Everybody who waits looks again. */
  happened(): void {
    for (const look of [...this.#looks]) look();
  }

  /** Resolves with what `find` finds as soon as it is not undefined; rejects with what it throws, or
   * after `limitMs`. */
  until<T>(what: string, find: () => T | undefined, limitMs = withinMs): Promise<T> {
    return new Promise((resolve, reject) => {
      const end = () => {
        clearTimeout(timer);
        this.#looks.delete(look);
      };
      const look = () => {
        try {
          const found = find();
          if (found === undefined) return;
          end();
          resolve(found);
        } catch (error) {
          end();
          reject(error);
        }
      };
      const timer = setTimeout(() => {
        end();
        reject(new Error(`waited ${limitMs} ms for ${what} in vain`));
      }, limitMs);
      this.#looks.add(look);
      look();
    });
  }
}

/** Asks again and again until the answer is true; throws when it never is. */
export async function eventually(
  what: string,
  isSo: () => boolean | Promise<boolean>,
  limitMs = withinMs,
): Promise<void> {
  const giveUpAt = performance.now() + limitMs;
  while (!await isSo()) {
    if (performance.now() > giveUpAt) throw new Error(`waited ${limitMs} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
