import { type UpgradeDecision, upgradesPendingMax } from "../ports/http.ts";

/** Counts the upgrades of one server whose owner has yet to decide. */
export class PendingUpgrades {
  #count = 0;

  get size(): number {
    return this.#count;
  }

  /** Undefined for one more than may wait. For an owner that is about to be asked. */
  get refusal(): Response | undefined {
    if (this.#count < upgradesPendingMax) return undefined;
    return new Response("too many connects at once\n", {
      status: 503,
      headers: { "Retry-After": "1" },
    });
  }

  /** Waits for an owner's decision. */
  async settle<T>(decision: Promise<UpgradeDecision<T>>): Promise<UpgradeDecision<T>> {
    this.#count++;
    try {
      return await decision;
    } finally {
      this.#count--;
    }
  }
}
