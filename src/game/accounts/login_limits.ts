import { parseAddress } from "../../base/address.ts";

/** Generous for a family behind one address, useless for guessing. */
export const loginsPerMinutePerIp = 20;
export const failuresPerMinutePerName = 10;

const WINDOW_MS = 60_000;

/** Entries a table keeps; the one that was used longest ago goes first. An attacker needs 500
 * addresses to push a name's failures out of it within their minute. */
const ENTRIES_MAX = 10_000;

/**
 * Slows down guessing: logins per address and failed ones per name, each in any 60 seconds. `now`
 * in milliseconds of a clock that does not go back. What is refused does not count again.
 */
export class LoginLimits {
  readonly #byIp: RecentTimes;
  readonly #byName: RecentTimes;
  /** Logins of a name whose outcome is not known yet: each may be a failure. */
  readonly #underWay = new Map<string, number>();
  readonly #failuresMax: number;

  constructor(
    limits: { loginsPerMinutePerIp: number; failuresPerMinutePerName: number } = {
      loginsPerMinutePerIp,
      failuresPerMinutePerName,
    },
  ) {
    this.#byIp = new RecentTimes(limits.loginsPerMinutePerIp);
    this.#byName = new RecentTimes(limits.failuresPerMinutePerName);
    this.#failuresMax = limits.failuresPerMinutePerName;
  }

  /** Whether a login may be tried now; counts it for the address if so. `settled` must follow. */
  admit(login: { ip: string; name: string; now: number }): boolean {
    const ip = addressGroup(login.ip);
    const name = nameKey(login.name);
    const underWay = this.#underWay.get(name) ?? 0;
    if (this.#byName.count(name, login.now) + underWay >= this.#failuresMax) return false;
    if (this.#byIp.isFull(ip, login.now)) return false;
    this.#byIp.add(ip, login.now);
    this.#underWay.set(name, underWay + 1);
    return true;
  }

  /** The outcome of an admitted login is known; a wrong password is told by `failed` before. */
  settled(login: { name: string }): void {
    const name = nameKey(login.name);
    const left = (this.#underWay.get(name) ?? 1) - 1;
    if (left === 0) this.#underWay.delete(name);
    else this.#underWay.set(name, left);
  }

  /** A login with a wrong password. */
  failed(login: { name: string; now: number }): void {
    this.#byName.add(nameKey(login.name), login.now);
  }

  /** Keys held, for the metrics. */
  get size(): number {
    return this.#byIp.size + this.#byName.size + this.#underWay.size;
  }
}

/** What counts as one peer: an IPv4 address, or the /64 that one IPv6 customer has. */
export function addressGroup(ip: string): string {
  const bytes = parseAddress(ip);
  if (bytes === undefined || bytes.length === 4) return bytes?.join(".") ?? ip;
  return bytes.subarray(0, 8).join(".");
}

/** The last times of each key, as many as the limit. */
class RecentTimes {
  readonly #limit: number;
  /** In the order of last use. */
  readonly #times = new Map<string, number[]>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#times.size;
  }

  isFull(key: string, now: number): boolean {
    const times = this.#times.get(key);
    if (times === undefined || times.length < this.#limit) return this.#limit <= 0;
    return now - times[0]! < WINDOW_MS;
  }

  /** How many there were within the window; at most the limit. */
  count(key: string, now: number): number {
    return this.#times.get(key)?.filter((at) => now - at < WINDOW_MS).length ?? 0;
  }

  add(key: string, now: number): void {
    const times = this.#times.get(key) ?? [];
    this.#times.delete(key);
    times.push(now);
    if (times.length > this.#limit) times.shift();
    this.#times.set(key, times);
    if (this.#times.size > ENTRIES_MAX) {
      for (const oldest of this.#times.keys()) {
        this.#times.delete(oldest);
        break;
      }
    }
  }
}

/** Names come from strangers and may be long; no account has a name beyond this. */
function nameKey(name: string): string {
  return name.slice(0, 256);
}
