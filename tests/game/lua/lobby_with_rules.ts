import type { LobbyEvent } from "../../../src/game/lobby_events.ts";
import type { LuaAnswers } from "../../../src/game/lua/lua_host.ts";
import type { RulesLoss, RulesQueue, RulesTurn } from "../../../src/game/lua/rules_queue.ts";
import type { Effect } from "../../../src/game/outbox.ts";
import { encodeCbor } from "../../../src/wire/cbor_encode.ts";
import { LobbyStage } from "../lobby_stage.ts";

/** The two that a rules host is made with, and where it reads. */
export interface RulesEnds {
  readonly host: LuaAnswers;
  turnDone(turn: RulesTurn): void;
  stateLost(loss: RulesLoss): void;
}

/** The settings that a client of freekill-core sends for the role mode. */
export const roleModeSettings = {
  gameMode: "aaa_role_mode",
  roomName: "room",
  password: "",
  _game: {
    generalNum: 3,
    generalTimeout: 15,
    luckTime: 0,
    enableFreeAssign: false,
    enableDeputy: false,
  },
  _mode: {},
  disabledPack: [],
  disabledGenerals: [],
};

/**
 * A lobby with real rules behind it. Its clock is advanced to the next thing that waits whenever the
 * rules have nothing to do, so that a game takes no longer than its turns.
 */
export class LobbyWithRules {
  readonly stage = new LobbyStage();
  readonly losses: RulesLoss[] = [];
  /** What the rules wrote: `level text`. */
  readonly log: string[] = [];
  readonly noticeCounts = new Map<string, number>();
  turns = 0;
  readonly rules: RulesQueue;
  #wakes: number[] = [];
  #events: LobbyEvent[] = [];
  #isPerforming = false;

  constructor(open: (ends: RulesEnds) => RulesQueue) {
    this.rules = open({
      host: this.stage.lobby.reads,
      turnDone: (turn) => this.#turnDone(turn),
      stateLost: ({ reason, roomIds, taskIds }) => {
        this.losses.push({ reason, roomIds, taskIds });
        this.give({ kind: "lua_lost", roomIds, taskIds });
      },
    });
    this.rules.start();
  }

  give(event: LobbyEvent): void {
    this.#events.push(event);
    this.#settle();
  }

  /** What a method of the stage has brought about. */
  perform(effects: readonly Effect[]): void {
    this.#perform(effects);
    this.#settle();
  }

  /** Players 1 to `humans` and robots in a new room of `capacity`, its game on. */
  startGame(owner: number, { capacity, humans = 1 }: { capacity: number; humans?: number }): void {
    const ids = Array.from({ length: humans }, (_, at) => owner + at);
    for (const id of ids) this.perform(this.stage.login(id));
    const settings = {
      bytes: encodeCbor(roleModeSettings),
      gameMode: roleModeSettings.gameMode,
      password: "",
    };
    this.perform(
      this.stage.say(owner, {
        command: "CreateRoom",
        name: "room",
        capacity,
        timeoutSeconds: 15,
        settings,
      }),
    );
    const room = [...this.stage.lobby.rooms.all()].at(-1);
    for (const id of ids.slice(1)) {
      this.perform(this.stage.enter(id, room?.id ?? 0));
      this.perform(this.stage.say(id, { command: "Ready" }));
    }
    for (let at = humans; at < capacity; at++) {
      this.perform(this.stage.say(owner, { command: "AddRobot" }));
    }
    this.perform(this.stage.say(owner, { command: "StartGame" }));
  }

  /** Lets the rules work and time pass until `isOver`, or nothing waits any more. */
  async run(isOver: () => boolean): Promise<boolean> {
    for (;;) {
      if (!await this.rules.ping()) return false;
      if (isOver()) return true;
      if (this.rules.waitingCalls > 0) continue;
      const next = Math.min(...this.#wakes);
      if (next === Infinity) return false;
      this.#wakes = this.#wakes.filter((at) => at > next);
      this.stage.now = Math.max(this.stage.now, next);
      this.give({ kind: "wake" });
    }
  }

  #turnDone({ notices }: RulesTurn): void {
    this.turns++;
    for (const notice of notices) {
      const name = notice.kind === "do_notify" ? notice.command : notice.kind;
      this.noticeCounts.set(name, (this.noticeCounts.get(name) ?? 0) + 1);
      if (notice.kind === "log") this.log.push(`${notice.level} ${notice.text}`);
      else this.#events.push({ kind: "lua", request: notice });
    }
    this.#settle();
  }

  #settle(): void {
    if (this.#isPerforming) return;
    this.#isPerforming = true;
    for (let event = this.#events.shift(); event !== undefined; event = this.#events.shift()) {
      this.#perform(this.stage.give(event));
    }
    this.#isPerforming = false;
  }

  #perform(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.kind === "wake") this.#wakes.push(effect.at);
      else if (effect.kind === "lua") this.rules.call(effect.call);
      else if (effect.kind === "store") this.#store(effect.operation);
      else if (effect.kind === "send" && effect.message.command === "Heartbeat") {
        // Everybody is well.
        for (const connection of effect.to) {
          this.#events.push({ kind: "command", connection, command: { command: "Heartbeat" } });
        }
      }
    }
  }

  #store(operation: Extract<Effect, { kind: "store" }>["operation"]): void {
    switch (operation.kind) {
      case "end_of_game":
        this.#events.push({ ...operation, kind: "stored" });
        return;
      case "save_state":
      case "save_global_state":
        this.#events.push({ kind: "query_done", roomId: operation.roomId });
        return;
      case "get_state":
      case "get_global_state":
        this.#events.push({ kind: "query_done", roomId: operation.roomId, text: "{}" });
    }
  }
}
