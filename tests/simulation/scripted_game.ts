import type { LuaCall } from "../../src/game/lua/lua_host.ts";
import type { RulesHost, RulesNotice } from "../../src/game/lua/rpc_rules.ts";
import { encodeCbor } from "../../src/wire/cbor_encode.ts";
import type { Dice } from "./dice.ts";

/** Rooms that were told to give up and did not: nobody can make them. */
export interface Stubborn {
  count: number;
}

const decoder = new TextDecoder();

type Waiting =
  | { readonly kind: "answers"; readonly asked: ReadonlySet<number> }
  | { readonly kind: "delay" | "query" | "release" | "nothing" };

/**
 * A game without rules in one room: for some rounds it asks, waits, saves, tells, lets players die and
 * adds robots, as chance has it; then it ends. What waits for an answer goes on when time is up.
 */
export class ScriptedGame {
  readonly roomId: number;
  readonly #host: RulesHost;
  readonly #dice: Dice;
  readonly #stubborn: Stubborn;
  readonly #connIds = new Map<number, number>();
  readonly #humans = new Set<number>();
  readonly #observers = new Map<number, number>();
  readonly #missed = new Map<number, number>();
  readonly #npcs: number[] = [];
  #rounds: number;
  #waiting: Waiting = { kind: "nothing" };
  #notices: RulesNotice[] = [];

  constructor(parts: { roomId: number; host: RulesHost; dice: Dice; stubborn: Stubborn }) {
    this.roomId = parts.roomId;
    this.#host = parts.host;
    this.#dice = parts.dice;
    this.#stubborn = parts.stubborn;
    this.#rounds = parts.dice.between(1, 10);
  }

  /** One turn: what the rules want done. */
  turn(call: LuaCall): RulesNotice[] {
    this.#notices = [];
    switch (call.kind) {
      case "new_room":
        this.#begin();
        break;
      case "resume":
        this.#resume(call.reason);
        break;
      case "request":
        this.#request(call.playerId, call.command);
        break;
      case "push_request":
        this.#tellAll("Pushed");
        break;
      case "add_observer":
        this.#observers.set(call.player.id, call.player.connId);
        break;
      case "remove_observer":
        this.#observers.delete(call.playerId);
        break;
    }
    return this.#notices;
  }

  #begin(): void {
    for (const { id, connId } of this.#host.room(this.roomId)?.players ?? []) {
      this.#connIds.set(id, connId);
      if (id > 0) this.#humans.add(id);
    }
    this.#tellAll("StartGame");
    this.#goOn();
  }

  #request(playerId: number, command: string): void {
    const room = this.#host.room(this.roomId);
    if (room === undefined) return;
    if (command === "observe") this.#tell(this.#observers.get(playerId), "Observe");
    if (command !== "reconnect") return;
    const players = room.players.map(({ id, state }) => [id, state]);
    const data = encodeCbor({ players, owner: room.ownerId });
    this.#tell(this.#connIds.get(playerId), "Reconnect", data);
  }

  #resume(reason: string): void {
    const { kind } = this.#waiting;
    if (reason === "abandon") {
      if (kind === "release" || !this.#dice.chance(0.15)) return this.#end("at_once");
      this.#stubborn.count++;
      this.#waiting = { kind: "nothing" };
    } else if (kind === "answers") {
      this.#collect(reason === "request_timer");
    } else if (kind === "delay" && reason === "delay_done") {
      this.#goOn();
    } else if (kind === "query" && (reason === "query_done" || /^[{[]/.test(reason))) {
      this.#goOn();
    } else if (kind === "release") {
      this.#letGo();
    }
  }

  #collect(isTimeUp: boolean): void {
    if (this.#waiting.kind !== "answers") return;
    const { asked } = this.#waiting;
    const late = [...asked].filter((connId) => this.#replyOf(connId) === "__notready");
    if (late.length > 0 && !isTimeUp) return;
    const { roomId } = this;
    this.#notices.push({ kind: "destroy_request_timer", roomId });
    for (const connId of asked) {
      this.#notices.push({ kind: "set_thinking", connId, thinking: false });
      const missed = late.includes(connId) ? (this.#missed.get(connId) ?? 0) + 1 : 0;
      this.#missed.set(connId, missed);
      if (missed === 3) this.#notices.push({ kind: "emit_kick", connId });
    }
    this.#goOn();
  }

  #replyOf(connId: number): string | undefined {
    const reply = this.#host.reply(connId);
    return reply && decoder.decode(reply);
  }

  #goOn(): void {
    if (this.#rounds-- <= 0) return this.#end(this.#dice.chance(0.8) ? "at_once" : "later");
    const { roomId } = this;
    const connId = this.#dice.one([...this.#connIds.values()]) ?? 0;
    const weights = { ask: 60, delay: 15, query: 12, die: 4, npc: 6, session: 4, stick: 1 };
    switch (this.#dice.weighted(weights)) {
      case "ask":
        return this.#ask();
      case "delay":
        break;
      case "query":
        return this.#query(connId);
      case "die":
        this.#notices.push({ kind: "set_died", connId, died: true });
        break;
      case "npc": {
        const last = this.#dice.chance(0.5) ? this.#npcs.pop() : undefined;
        if (last !== undefined) this.#notices.push({ kind: "remove_npc", roomId, connId: last });
        const npc = this.#host.addNpc(roomId);
        if (npc !== undefined) this.#npcs.push(npc.connId);
        break;
      }
      case "session":
        this.#notices.push({ kind: "set_session_data", roomId, json: '{"a":1}' });
        break;
      case "stick":
        this.#waiting = { kind: "nothing" };
        return;
    }
    this.#waiting = { kind: "delay" };
    this.#notices.push({ kind: "delay", roomId, ms: this.#dice.between(-5, 4_000) });
  }

  #ask(): void {
    const { roomId } = this;
    const all = [...this.#connIds].filter(([id]) => this.#humans.has(id)).map(([, conn]) => conn);
    const asked = this.#dice.chance(0.5) ? all : all.slice(0, 1);
    const timeout = this.#host.room(roomId)?.timeout ?? 5;
    this.#notices.push({ kind: "set_request_timer", roomId, ms: timeout * 1_000 + 500 });
    for (const connId of asked) {
      const data = encodeCbor(["skill", timeout]);
      const question = { command: "AskForUseActiveSkill", data, timeout, timestamp: 1 };
      this.#notices.push({ kind: "do_request", connId, ...question });
      this.#notices.push({ kind: "set_thinking", connId, thinking: true });
    }
    this.#waiting = { kind: "answers", asked: new Set(asked) };
  }

  #query(connId: number): void {
    const { roomId } = this;
    const json = '{"b":2}';
    const key = "k";
    this.#notices.push(
      this.#dice.one<RulesNotice>([
        { kind: "save_state", connId, json },
        { kind: "get_save_state", connId },
        { kind: "save_global_state", connId, key, json },
        { kind: "get_global_save_state", connId, key },
        { kind: "save_room_state", roomId, key, json },
        { kind: "get_room_state", roomId, key },
      ])!,
    );
    this.#waiting = { kind: "query" };
  }

  #end(when: "at_once" | "later"): void {
    const { roomId } = this;
    this.#tellAll("GameOver");
    for (const playerId of this.#humans) {
      const result = this.#dice.one([1, 2, 3] as const)!;
      const fields = { mode: "m", role: "lord", result };
      this.#notices.push({ kind: "player_result", roomId, playerId, ...fields });
      this.#notices.push({ kind: "general_result", roomId, general: "liubei", ...fields });
    }
    this.#notices.push({ kind: "game_over", roomId });
    if (when === "at_once") return this.#letGo();
    this.#waiting = { kind: "release" };
    this.#notices.push({ kind: "delay", roomId, ms: this.#dice.between(1, 3_000) });
  }

  #letGo(): void {
    this.#notices.push({ kind: "decrease_ref_count", roomId: this.roomId });
  }

  #tellAll(command: string): void {
    for (const connId of this.#connIds.values()) this.#tell(connId, command);
    for (const connId of this.#observers.values()) this.#tell(connId, command);
  }

  #tell(connId: number | undefined, command: string, data = encodeCbor(null)): void {
    if (connId !== undefined) this.#notices.push({ kind: "do_notify", connId, command, data });
  }
}
