import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { afterEach, describe, it } from "node:test";
import { EmbeddedRules } from "../../../src/game/lua/embedded_rules.ts";
import { readPackageTree } from "../../../src/game/lua/package_tree.ts";
import { RulesChild } from "../../../src/game/lua/rpc_child.ts";
import type { RulesQueue } from "../../../src/game/lua/rules_queue.ts";
import type { Runtime } from "../../../src/ports/runtime.ts";
import { decodeCbor } from "../../../src/wire/cbor.ts";
import { encodeUtf8 } from "../../../src/wire/utf8.ts";
import { fakeLog } from "../../fakes/log.ts";
import { runtimeUnderTest } from "../../tested_runtime.ts";
import { LobbyWithRules, type RulesEnds } from "./lobby_with_rules.ts";
import { scriptedCore } from "./scripted_core.ts";

const { dataDirectory, directory } = scriptedCore;
const nativeLua = "lua5.4";
const noLua = spawnSync(nativeLua, ["-v"]).status === 0
  ? false
  : `there is no ${nativeLua} on this machine`;
const common = { turnMs: 30_000, memoryMb: 64, disabledPacks: [], log: fakeLog().logger };

const hosts = {
  embedded: ({ workers, clock, files }: Runtime, ends: RulesEnds): RulesQueue =>
    new EmbeddedRules({ workers, clock }, {
      ...common,
      ...ends,
      tree: () => readPackageTree(files, dataDirectory),
      directory,
      recycleMb: 256,
    }),
  native: ({ process, clock }: Runtime, ends: RulesEnds): RulesQueue =>
    new RulesChild({ process, clock }, {
      ...common,
      ...ends,
      command: nativeLua,
      directory: `${dataDirectory}/${directory}`,
    }),
};

for (const kind of ["embedded", "native"] as const) {
  describe(`Lobby with scripted rules in the ${kind} Lua`, {
    skip: kind === "native" ? noLua : false,
  }, () => {
    const opened: LobbyWithRules[] = [];
    afterEach(async () => {
      for (const one of opened.splice(0)) await one.rules.close();
    });

    async function open(): Promise<LobbyWithRules> {
      const runtime = await runtimeUnderTest();
      const one = new LobbyWithRules((ends) => hosts[kind](runtime, ends));
      opened.push(one);
      return one;
    }

    async function playing(): Promise<LobbyWithRules> {
      const one = await open();
      one.startGame(1, { capacity: 2, humans: 2 });
      await one.rules.ping();
      return one;
    }

    /** What player 1 orders, and what the rules then tell him, as "Command data". */
    async function ordered(one: LobbyWithRules, text: string): Promise<string[]> {
      const before = one.stage.effects.length;
      one.perform(one.stage.say(1, { command: "PushRequest", request: encodeUtf8(text) }));
      // The second ping is behind what the first turn's effects have brought about.
      for (let pings = 0; pings < 3; pings++) await one.rules.ping();
      return one.stage.effects.slice(before).flatMap((effect) => {
        if (effect.kind !== "send" || effect.message.command !== "raw") return [];
        if (!effect.to.includes(one.stage.connection(1))) return [];
        const data = decodeCbor(effect.message.data);
        return [`${effect.message.name} ${data.ok ? JSON.stringify(data.value) : "?"}`];
      });
    }

    it("a task tells its player and ends", async () => {
      const one = await open();
      one.perform(one.stage.login(1));
      const data = Uint8Array.of(0x18, 0x64);
      one.perform(one.stage.say(1, { command: "LobbyTask", taskType: "echo", data }));
      assert.equal(await one.run(() => one.stage.lobby.tasks.size === 0), true);
      const told = one.stage.told(1).filter((text) => text.startsWith("raw "));
      assert.deepEqual(told, ["raw TaskStarted", "raw TaskDone"]);
      assert.equal(one.rules.load, 0);
    });

    it("a task whose player leaves the lobby is ended by the rules, which hold it no more", async () => {
      const one = await open();
      one.perform(one.stage.login(1));
      const data = Uint8Array.of(0x1a, 0x7f, 0xff, 0xff, 0xff);
      one.perform(one.stage.say(1, { command: "LobbyTask", taskType: "long", data }));
      await one.rules.ping();
      assert.equal(one.rules.load, 1);
      one.perform(one.stage.create(1));
      await one.rules.ping();
      assert.equal(one.rules.load, 0);
    });

    it("saves are stored and found, a resume of none too", async () => {
      const one = await playing();
      assert.deepEqual(await ordered(one, 'save,{"a":1}'), ['Saved "query_done"']);
      assert.deepEqual(await ordered(one, "load"), ['Loaded "{}"']);
      assert.deepEqual(await ordered(one, "load_global,key"), ['Loaded "{}"']);
      assert.deepEqual(await ordered(one, 'save_room,key,{"a":1}'), ['Saved "query_done"']);
      assert.deepEqual(await ordered(one, "load_room,key"), ['Loaded "{}"']);
    });

    it("session data stays for the next game in the room", async () => {
      const one = await playing();
      assert.deepEqual(await ordered(one, 'set_session,{"n":2}'), ['Session [1,"{\\"n\\":2}"]']);
      await ordered(one, "end,win,lose");
      one.perform(one.stage.say(2, { command: "Ready" }));
      one.perform(one.stage.say(1, { command: "StartGame" }));
      await one.rules.ping();
      assert.deepEqual(await ordered(one, "session"), ['Session [2,"{\\"n\\":2}"]']);
    });

    it("robots of the rules' own come and go, as many as they like", async () => {
      const one = await playing();
      const ids = new Set<string>();
      for (let added = 0; added < 12; added++) {
        const [told = ""] = await ordered(one, "add_npc");
        assert.match(told, /^NpcAdded -\d+$/);
        ids.add(told);
      }
      assert.equal(ids.size, 12);
      assert.equal(one.stage.lobby.reads.npcPlaces(1), 52);
      // A question to one of them is over at once.
      const id = [...ids].at(-1)?.split(" ")[1];
      assert.deepEqual(await ordered(one, `ask,${id},5,Ask`), [
        `Answered [${id},${JSON.stringify(encodeUtf8("__cancel"))}]`,
      ]);
      await ordered(one, "remove_npc");
      assert.equal(one.stage.lobby.reads.npcPlaces(1), 53);
      await ordered(one, "end,win,lose");
      assert.equal(one.rules.load, 0);
    });
  });
}
