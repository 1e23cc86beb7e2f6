import { unreachable } from "../../base/assert.ts";
import { addressKey } from "./addresses.ts";
import { storableText } from "./store_batch.ts";
import type { BanChange, BanSnapshot } from "./users_operations.ts";

/** Temporary bans of addresses kept at once; the oldest goes when there are more. */
const TEMPORARY_BANS_MAX = 100_000;

export interface Mute {
  readonly type: number;
  /** Epoch seconds. */
  readonly expireAt: number;
}

/**
 * What the serving thread must know at once: banned addresses and devices, mutes and the whitelist,
 * written through from the store's answers; and the temporary bans of addresses, which are in
 * memory alone.
 */
export class BanView {
  readonly #ips = new Set<string>();
  readonly #uuids = new Set<string>();
  readonly #whitelist = new Set<string>();
  readonly #mutes = new Map<number, Mute>();
  readonly #accounts = new Map<number, { readonly expireAt?: number }>();
  /** Until when, in epoch milliseconds. */
  readonly #temporaryIps = new Map<string, number>();

  constructor(snapshot: BanSnapshot) {
    this.apply(snapshot);
  }

  /** Takes over what an operation of the store changed. */
  apply(changes: readonly BanChange[]): void {
    for (const change of changes) this.#apply(change);
  }

  isIpBanned(ip: string): boolean {
    return this.#ips.size > 0 && this.#ips.has(addressKey(ip));
  }

  /** Of an account that was banned since the start; `expireAt` in epoch seconds, absent for ever. A
   * login that was under way has read the account before. */
  accountBan(uid: number): { readonly expireAt?: number } | undefined {
    return this.#accounts.get(uid);
  }

  isDeviceBanned(uuid: string): boolean {
    return this.#uuids.has(storableText(uuid));
  }

  isWhitelisted(name: string): boolean {
    return this.#whitelist.has(storableText(name));
  }

  /** undefined when the player may speak. `now` in epoch seconds. */
  muteOf(uid: number, now: number): Mute | undefined {
    const mute = this.#mutes.get(uid);
    if (mute === undefined || mute.expireAt > now) return mute;
    this.#mutes.delete(uid);
    return undefined;
  }

  /** Keeps an address out until `until` (epoch ms): what running away from a game costs. */
  banIpTemporarily(ip: string, until: number): void {
    const key = addressKey(ip);
    this.#temporaryIps.delete(key);
    this.#temporaryIps.set(key, until);
    if (this.#temporaryIps.size <= TEMPORARY_BANS_MAX) return;
    for (const oldest of this.#temporaryIps.keys()) {
      this.#temporaryIps.delete(oldest);
      return;
    }
  }

  /** `now` in epoch milliseconds. */
  isIpTemporarilyBanned(ip: string, now: number): boolean {
    if (this.#temporaryIps.size === 0) return false;
    const key = addressKey(ip);
    const until = this.#temporaryIps.get(key);
    if (until === undefined) return false;
    if (until > now) return true;
    this.#temporaryIps.delete(key);
    return false;
  }

  /** Why an address is kept out at present, if it is. `now` in epoch milliseconds. */
  addressBan(ip: string, now: number): "ip_banned" | "ip_temporarily_banned" | undefined {
    if (this.isIpBanned(ip)) return "ip_banned";
    return this.isIpTemporarilyBanned(ip, now) ? "ip_temporarily_banned" : undefined;
  }

  #apply(change: BanChange): void {
    switch (change.kind) {
      case "ip_banned":
        this.#ips.add(addressKey(change.ip));
        return;
      case "ip_unbanned":
        this.#ips.delete(addressKey(change.ip));
        return;
      case "temporary_ip_ban_lifted":
        this.#temporaryIps.delete(addressKey(change.ip));
        return;
      case "uuid_banned":
        this.#uuids.add(change.uuid);
        return;
      case "uuid_unbanned":
        this.#uuids.delete(change.uuid);
        return;
      case "account_banned":
        this.#accounts.set(
          change.uid,
          change.expireAt === undefined ? {} : { expireAt: change.expireAt },
        );
        return;
      case "account_unbanned":
        this.#accounts.delete(change.uid);
        return;
      case "whitelisted":
        this.#whitelist.add(change.name);
        return;
      case "unwhitelisted":
        this.#whitelist.delete(change.name);
        return;
      case "muted":
        this.#mutes.set(change.uid, { type: change.type, expireAt: change.expireAt });
        return;
      case "unmuted":
        this.#mutes.delete(change.uid);
        return;
      default:
        unreachable(change);
    }
  }
}
