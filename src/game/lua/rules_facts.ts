import type { LuaPlayer, LuaReads, LuaRoom, LuaTask } from "./lua_host.ts";
import type { LuaCall } from "./lua_host.ts";
import type { RulesHost, RulesNotice } from "./rpc_rules.ts";

/** Robots that a worker has in store. A game that adds more within one turn gets no more in it. */
export const npcStock = 8;

interface PlayerFacts {
  readonly connId: number;
  readonly reply: Uint8Array;
  readonly thinking: boolean;
}

/** All that a turn may read, sent along with its call, since a worker waits for nobody. */
export interface TurnFacts {
  /** Absent where the rules hardly read it: what was sent with an earlier call counts then. */
  readonly room?: LuaRoom;
  readonly session?: { readonly id: number; readonly data: string };
  readonly task?: LuaTask;
  /** Everybody in the room but robots of the rules' own; or the task's player. */
  readonly players: readonly PlayerFacts[];
  /** How many more robots of their own the rules may add. */
  readonly npcPlaces: number;
  /** Robots for the store, with ids that nobody else has. */
  readonly newNpcs: readonly LuaPlayer[];
}

/** A robot that a turn has added; to be seated before its notices are carried out. */
export interface AddedNpc {
  readonly roomId: number;
  readonly npc: LuaPlayer;
}

/** What the serving side answers for workers. */
export interface FactsHost extends LuaReads {
  npcPlaces(roomId: number): number;
  newNpc(): LuaPlayer;
  seatNpc(roomId: number, npc: LuaPlayer): void;
}

/** What a turn may read, as it is now; `npcsUsed` of the worker's store are to be replaced. */
export function turnFacts(host: FactsHost, call: LuaCall, npcsUsed: number): TurnFacts {
  const newNpcs = Array.from({ length: npcsUsed }, () => host.newNpc());
  const id = "taskId" in call ? call.taskId : call.roomId;
  if (id < 0) {
    const task = host.task(id);
    const players = playerFacts(host, task === undefined ? [] : [task.player]);
    return { ...defined("task", task), players, npcPlaces: 0, newNpcs };
  }
  const room = host.room(id);
  return {
    ...(call.kind === "resume" ? {} : defined("room", room)),
    ...defined("session", host.session(id)),
    players: playerFacts(host, room === undefined ? [] : [...room.players, ...room.observers]),
    npcPlaces: host.npcPlaces(id),
    newNpcs,
  };
}

function playerFacts(host: FactsHost, players: readonly LuaPlayer[]): PlayerFacts[] {
  return players.flatMap(({ connId }) => {
    const reply = host.reply(connId);
    const thinking = host.thinking(connId);
    return reply === undefined || thinking === undefined ? [] : [{ connId, reply, thinking }];
  });
}

function defined<Name extends string, Value>(
  name: Name,
  value: Value | undefined,
): { [key in Name]?: Value } {
  return value === undefined ? {} : { [name]: value } as { [key in Name]: Value };
}

// A robot is played by the machine: it is never asked, and never thinks.
const robotReply: Uint8Array = new TextEncoder().encode("__cancel");

/** The worker's end: answers what one turn reads from the facts that came with it. */
export class WorkerFacts implements RulesHost {
  readonly #rooms = new Map<number, LuaRoom>();
  /** Robots of the rules' own by their rooms. */
  readonly #npcs = new Map<number, Set<number>>();
  readonly #stock: LuaPlayer[] = [];
  readonly #players = new Map<number, PlayerFacts>();
  #id = 0;
  #facts: TurnFacts = { players: [], npcPlaces: 0, newNpcs: [] };
  #added: AddedNpc[] = [];

  /** Begins the turn of a room or task. */
  begin(id: number, facts: TurnFacts): void {
    this.#id = id;
    this.#facts = facts;
    this.#added = [];
    this.#stock.push(...facts.newNpcs);
    if (facts.room !== undefined) this.#rooms.set(id, facts.room);
    this.#players.clear();
    for (const one of facts.players) this.#players.set(one.connId, one);
    for (const connId of this.#npcs.get(id) ?? []) this.#addRobot(connId);
  }

  /** Ends it: which robots it added. What it wants done may end the room, or robots in it. */
  end(notices: readonly RulesNotice[]): readonly AddedNpc[] {
    for (const notice of notices) {
      if (notice.kind === "decrease_ref_count") this.forget(notice.roomId);
      else if (notice.kind === "remove_npc") this.#npcs.get(notice.roomId)?.delete(notice.connId);
    }
    return this.#added;
  }

  /** A room has ended without the rules. */
  forget(roomId: number): void {
    this.#rooms.delete(roomId);
    this.#npcs.delete(roomId);
  }

  room(roomId: number): LuaRoom | undefined {
    return roomId === this.#id ? this.#rooms.get(roomId) : undefined;
  }

  session(roomId: number): { readonly id: number; readonly data: string } | undefined {
    return roomId === this.#id ? this.#facts.session : undefined;
  }

  task(taskId: number): LuaTask | undefined {
    return taskId === this.#id ? this.#facts.task : undefined;
  }

  reply(connId: number): Uint8Array | undefined {
    return this.#players.get(connId)?.reply;
  }

  thinking(connId: number): boolean | undefined {
    return this.#players.get(connId)?.thinking;
  }

  addNpc(roomId: number): LuaPlayer | undefined {
    const mayAdd = roomId === this.#id && this.#added.length < this.#facts.npcPlaces;
    const npc = mayAdd ? this.#stock.shift() : undefined;
    if (npc === undefined) return undefined;
    this.#added.push({ roomId, npc });
    const robots = this.#npcs.get(roomId) ?? new Set();
    this.#npcs.set(roomId, robots.add(npc.connId));
    this.#addRobot(npc.connId);
    return npc;
  }

  #addRobot(connId: number): void {
    this.#players.set(connId, { connId, reply: robotReply, thinking: false });
  }
}
