import { unreachable } from "../base/assert.ts";
import type { Clock } from "../ports/clock.ts";
import type { CryptoClient } from "./accounts/crypto_client.ts";
import type { GameSaveOperation } from "./accounts/game_store.ts";
import type { UsersOperation } from "./accounts/users_operations.ts";
import type { GameStoreClient } from "./game_store_client.ts";
import type { LobbyEvent } from "./lobby_events.ts";
import type { StoreOperation } from "./outbox.ts";
import type { PlayerId } from "./player.ts";
import { foundState } from "./room_queries.ts";

/** How long a room waits for the disk. What was accepted is written later all the same, and loads
 * find it meanwhile, so that a locked file does not hold up a game. */
const roomPatienceMs = 2_000;
/** Changes of his password that a player may have under way: each costs the time of two logins. */
const changesPerPlayerMax = 4;
/** The upgrade that follows a login may store the same password anew meanwhile: once, so a second
 * attempt finds it done. */
const attemptsMax = 2;
/** A client's cipher has 256 bytes: 11 are padding, 32 a prefix. */
const passwordBytesMax = 213;

/** The answers that lobby and rooms get. */
export type StoreEvent = LobbyEvent & {
  readonly kind: "stored" | "query_done" | "global_save" | "password_changed";
};

/** Does what lobby and rooms want of the databases, and tells them what came of it. */
export class LobbyStore {
  readonly #store: Pick<GameStoreClient, "users" | "saves">;
  readonly #crypto: Pick<CryptoClient, "run">;
  readonly #clock: Clock;
  readonly #keepLegacyHash: () => boolean;
  readonly #event: (event: StoreEvent) => void;
  readonly #changes = new Map<PlayerId, { count: number; last: Promise<void> }>();
  #written: Promise<unknown> = Promise.resolve();

  /** `event` is never called within `perform`. */
  constructor(
    parts: {
      store: Pick<GameStoreClient, "users" | "saves">;
      crypto: Pick<CryptoClient, "run">;
      clock: Clock;
      keepLegacyHash: () => boolean;
      event: (event: StoreEvent) => void;
    },
  ) {
    this.#store = parts.store;
    this.#crypto = parts.crypto;
    this.#clock = parts.clock;
    this.#keepLegacyHash = parts.keepLegacyHash;
    this.#event = parts.event;
  }

  perform(operation: StoreOperation): void {
    switch (operation.kind) {
      case "set_avatar": {
        const { playerId: uid, avatar } = operation;
        return this.#write({ kind: "set_avatar", uid, avatar });
      }
      case "change_password":
        return this.#changePassword(operation);
      case "read_global_save": {
        const { playerId: uid, key, connection } = operation;
        void this.#load({ kind: "load_global", uid, key })
          .then((json) => this.#event({ kind: "global_save", connection, json }));
        return;
      }
      case "player_result": {
        const { playerId: uid, mode, role, result } = operation;
        return this.#write({ kind: "record_result", uid, mode, role, result });
      }
      case "general_result": {
        const { general, mode, role, result } = operation;
        return this.#write({ kind: "record_general_result", general, mode, role, result });
      }
      case "add_run":
        return this.#write({ kind: "record_run", uid: operation.playerId, mode: operation.mode });
      case "add_game_time": {
        const { playerId: uid, seconds } = operation;
        return this.#write({ kind: "add_game_time", uid, seconds });
      }
      case "end_of_game": {
        const { roomId, session } = operation;
        return this.#soon(this.#written, { kind: "stored", roomId, session });
      }
      case "save_state": {
        const { playerId: uid, mode, roomId } = operation;
        return this.#save(roomId, { kind: "save_state", uid, mode, data: bytesOf(operation) });
      }
      case "get_state": {
        const { playerId: uid, mode, roomId } = operation;
        return this.#query(roomId, { kind: "load_state", uid, mode });
      }
      case "save_global_state": {
        const { playerId: uid, key, roomId } = operation;
        return this.#save(roomId, { kind: "save_global", uid, key, data: bytesOf(operation) });
      }
      case "get_global_state": {
        const { playerId: uid, key, roomId } = operation;
        return this.#query(roomId, { kind: "load_global", uid, key });
      }
      default:
        return unreachable(operation);
    }
  }

  /** Nobody waits for it, but the end of a game for all before it. Robots have no account. */
  #write(operation: UsersOperation): void {
    if ("uid" in operation && operation.uid <= 0) return;
    this.#written = Promise.all([this.#written, this.#store.users(operation)]);
  }

  #save(roomId: number, operation: GameSaveOperation): void {
    this.#soon(this.#store.saves(operation), { kind: "query_done", roomId });
  }

  #query(roomId: number, operation: GameSaveOperation): void {
    void this.#load(operation).then((text) => this.#event({ kind: "query_done", roomId, text }));
  }

  /** JSON of an object or array; the empty object for what is not there or cannot be read. */
  async #load(operation: GameSaveOperation): Promise<string> {
    const found = await this.#store.saves(operation);
    if (!found.ok || found.value === null) return foundState("");
    return foundState(new TextDecoder().decode(found.value));
  }

  /** Once, when it is done or has taken too long. */
  #soon(done: Promise<unknown>, event: StoreEvent): void {
    let isTold = false;
    const tell = () => {
      if (isTold) return;
      isTold = true;
      cancel();
      this.#event(event);
    };
    const cancel = this.#clock.after(roomPatienceMs, tell);
    void done.then(tell);
  }

  /** One after the other for each player: each is checked against what the last one left. */
  #changePassword(order: StoreOperation & { readonly kind: "change_password" }): void {
    const { playerId, connection } = order;
    const before = this.#changes.get(playerId) ?? { count: 0, last: Promise.resolve() };
    const tell = (changed: boolean) =>
      this.#event({ kind: "password_changed", connection, changed });
    if (before.count >= changesPerPlayerMax) {
      void Promise.resolve().then(() => tell(false));
      return;
    }
    const last = before.last.then(() => this.#changed(order)).then((changed) => {
      if (--changes.count === 0) this.#changes.delete(playerId);
      tell(changed);
    });
    const changes = before;
    changes.count++;
    changes.last = last;
    this.#changes.set(playerId, changes);
  }

  async #changed(
    order: StoreOperation & { readonly kind: "change_password" },
  ): Promise<boolean> {
    const encoder = new TextEncoder();
    const wanted = encoder.encode(order.new);
    if (!isUsable(wanted)) return false;
    const given = encoder.encode(order.old);
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const outcome = await this.#tryChange(order.playerId, { given, wanted });
      if (outcome !== "stored_anew") return outcome;
    }
    return false;
  }

  async #tryChange(
    uid: PlayerId,
    passwords: { readonly given: Uint8Array; readonly wanted: Uint8Array },
  ): Promise<boolean | "stored_anew"> {
    const found = await this.#store.users({ kind: "look_up_password", uid });
    if (!found.ok) return false;
    const stored = found.value;
    const made = await this.#crypto.run({ kind: "change", ...passwords, stored });
    if (!made.ok || made.value === null) return false;
    const set = await this.#store.users({
      kind: "set_password",
      uid,
      password: made.value,
      keepLegacyHash: this.#keepLegacyHash(),
      ifStored: stored,
    });
    if (!set.ok) return false;
    return set.value || "stored_anew";
  }
}

/** Whether a login can bring it: not empty, not cut at a NUL, not longer than its cipher holds. */
function isUsable(password: Uint8Array): boolean {
  return password.length > 0 && password.length <= passwordBytesMax && !password.includes(0);
}

function bytesOf({ json }: { readonly json: string }): Uint8Array {
  return new TextEncoder().encode(json);
}
