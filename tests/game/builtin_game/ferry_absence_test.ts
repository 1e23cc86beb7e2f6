import assert from "node:assert/strict";
import { it } from "node:test";
import { encodeUtf8 } from "../../../src/wire/utf8.ts";
import { encode } from "../../client/cbor.ts";
import { describeFerry } from "./ferry_hosts.ts";
import {
  type FerryView,
  type LoadQuestion,
  type Shipped,
  silent,
  trusting,
} from "./ferry_players.ts";
import { checkGame } from "./ferry_rules.ts";
import type { FerryStage } from "./ferry_stage.ts";

const load = "FerryLoad";
const open = "FerryOpen";
const timeoutMs = 15_500;
/** Of a state with one room some times over, and less than what a hostile answer could take. */
const memoryBytesMax = 16 * 1_024 * 1_024;

function shipped(stage: FerryStage, id: number): readonly Shipped[] {
  return stage.values<Shipped>(id, "FerryShipped");
}

describeFerry("Night Ferry, when somebody is not there", (start, memoryBytes) => {
  it("plays on for whoever lets the time pass, and has him closed at the third time in a row", async () => {
    const stage = start();
    stage.answers.set(1, trusting);
    stage.answers.set(2, silent);
    stage.open([1, 2], { pace: 0 });
    await stage.question(2, load);
    const asked = stage.now;
    await stage.until("his turn to pass", () => shipped(stage, 1).length === 1);
    assert.ok(stage.now - asked >= timeoutMs, `${stage.now - asked} ms`);
    await stage.until("his connection to close", () => stage.closed.has(2));
    const questions = stage.heard(2).filter(({ question }) => question !== undefined);
    assert.equal(questions.length, 3);
    const before = stage.heard(2).length;
    await stage.toTheEnd();
    assert.equal(stage.heard(2).length, before, "nothing more is sent to him");
    checkGame(stage.heard(1), 2);
    assert.deepEqual(stage.losses, []);
  });

  it("forgives two misses after an answer", async () => {
    const stage = start();
    let asked = 0;
    stage.answers.set(1, trusting);
    stage.answers.set(2, (told) => ++asked % 3 === 0 ? trusting(told) : undefined);
    stage.open([1, 2], { pace: 0 });
    await stage.toTheEnd();
    assert.ok(asked > 6, `${asked} questions`);
    assert.equal(stage.closed.has(2), false);
  });

  it("plays for whoever cancels, or answers what cannot be, and counts no miss", async () => {
    const stage = start();
    const wrong = [
      encode("__cancel"),
      new Uint8Array(0),
      Uint8Array.of(0xf6),
      encode(["gold", "tea"]),
      encode(["straw", "straw"]),
      encode([[], {}]),
      encode({ "1": "straw" }),
      encode([1, 2]),
      encode(7),
      // Half an array, a length beyond all bytes, an integer beyond 63 bits, a map that ends in its
      // key, an indefinite array, a tag, and arrays in arrays to no end.
      Uint8Array.of(0x82, 0x61),
      Uint8Array.of(0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
      Uint8Array.of(0x9b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
      Uint8Array.of(0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
      // A string of −9 bytes, which would be read again and again.
      Uint8Array.of(0x9b, 0x7f, ...new Uint8Array(7), 0x5b, ...new Uint8Array(7).fill(0xff), 0xf7),
      Uint8Array.of(0xa1, 0x41),
      Uint8Array.of(0xa1, 0xf6, 0x01),
      Uint8Array.of(0xa1, 0xfb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0, 0x01),
      Uint8Array.of(0x9f, 0xff),
      Uint8Array.of(0xc1, 0x00),
      new Uint8Array(1_000_000).fill(0x81),
      encode(Array.from({ length: 1_000_000 }, () => [])),
      encodeUtf8("__notready"),
    ];
    stage.answers.set(2, trusting);
    let games = 0;
    for (const data of wrong) {
      if (games++ === 0) stage.open([1, 2], { pace: 0, goal: 1 });
      else stage.again([1, 2]);
      stage.told.clear();
      const began = stage.now;
      while (stage.isPlaying) {
        const seen = stage.heard(1).length;
        await stage.until(
          "a question, or the end",
          () => !stage.isPlaying || stage.heard(1).slice(seen).some(({ question }) => question),
        );
        const asked = stage.heard(1).slice(seen).findLast(({ question }) => question);
        if (asked?.question !== undefined && stage.isPlaying) stage.reply(1, asked.question, data);
      }
      checkGame(stage.heard(1), 2);
      if (data.length !== 10) assert.ok(stage.now - began < timeoutMs, "nobody waited for it");
    }
    assert.equal(stage.closed.size, 0);
    assert.deepEqual([stage.losses, stage.log], [[], []]);
    assert.ok(!(memoryBytes() > memoryBytesMax), `${memoryBytes()} bytes`);
  });

  it("plays at once for a player who trusts it, and asks him again when he does no more", async () => {
    const stage = start();
    stage.answers.set(2, trusting);
    stage.open([1, 2], { robots: 1, goal: 60, pace: 0 });
    const { question } = await stage.question(1, load);
    const asked = stage.now;
    stage.say(1, { command: "Trust" });
    await stage.until(
      "his turn to be over",
      () => shipped(stage, 1).some((one) => one.skipper === 1),
    );
    assert.ok(stage.now - asked < timeoutMs, `${stage.now - asked} ms`);
    const before = stage.heard(1).filter((told) => told.question !== undefined).length;
    await stage.until(
      "his next turn",
      () => shipped(stage, 1).filter((one) => one.skipper === 1).length === 2,
    );
    assert.equal(stage.heard(1).filter((told) => told.question !== undefined).length, before);
    stage.say(1, { command: "Trust" });
    // An answer to what was asked long ago.
    stage.reply(1, question, encode(["straw", "tea"]));
    stage.answers.set(1, trusting);
    await stage.until(
      "a question",
      () => stage.heard(1).filter((told) => told.question !== undefined).length > before,
    );
    await stage.toTheEnd();
    checkGame(stage.heard(2), 3);
  });

  it("shows all again to one who comes back, and asks him from then on", async () => {
    const stage = start();
    stage.answers.set(1, trusting);
    stage.open([1, 2], { robots: 2, pace: 0, goal: 60 });
    await stage.question(2, load);
    const asked = stage.now;
    stage.drop(2);
    await stage.until("a round", () => shipped(stage, 1).length === 5);
    assert.ok(stage.now - asked < timeoutMs, "nobody waited for him");
    stage.answers.set(2, trusting);
    stage.told.delete(2);
    stage.login(2);
    await stage.until("his view", () => stage.values(2, "Reconnect").length === 1);
    const [view] = stage.values<FerryView>(2, "Reconnect");
    const last = shipped(stage, 1).at(-1);
    assert.ok(view !== undefined);
    assert.equal(view.game, "night_ferry");
    assert.equal(view.seats[(view.you ?? 0) - 1]?.id, 2);
    assert.equal(view.hand?.length, 3);
    assert.deepEqual(view.seats.map(({ coins }) => coins), last?.coins);
    assert.deepEqual(view.seats.map(({ id }) => id > 0), [true, true, false, false]);
    assert.equal(view.crates, last?.crates);
    await stage.question(2, load);
    const hand = [...view.hand ?? []].sort();
    const [question] = stage.values<LoadQuestion>(2, load);
    assert.deepEqual([...question?.hand ?? []].sort(), hand);
    await stage.toTheEnd();
  });

  it("asks again who comes back by another connection while he is waited for", async () => {
    const stage = start();
    stage.answers.set(1, trusting);
    stage.open([1, 2], { pace: 0 });
    const first = await stage.question(2, load);
    stage.login(2);
    await stage.until("his view", () => stage.values(2, "Reconnect").length === 1);
    const second = await stage.question(2, load);
    assert.notEqual(second.question.id, first.question.id);
    assert.deepEqual(second.value, first.value);
    assert.ok(second.question.timeout >= 1 && second.question.timeout <= 15);
    const { hand } = second.value as unknown as LoadQuestion;
    stage.reply(2, second.question, encode([hand[0] ?? "", "jade"]));
    await stage.until("his crate", () => stage.values(1, "FerryLoaded").length === 1);
    assert.deepEqual(stage.values(1, "FerryLoaded"), [{ skipper: 2, said: "jade" }]);
  });

  it("does not wait for one who went while his question was on its way", async () => {
    const stage = start();
    stage.answers.set(1, trusting);
    stage.open([1, 2], { pace: 0 });
    await stage.question(2, load);
    const asked = stage.now;
    // As if it had not come through yet that he thinks: then nothing wakes the room for him.
    const connId = stage.lobby.luaId(2);
    stage.give({ kind: "lua", request: { kind: "set_thinking", connId, thinking: false } });
    stage.drop(2);
    await stage.until("his turn to be over", () => shipped(stage, 1).length === 1);
    assert.ok(stage.now - asked < timeoutMs, `${stage.now - asked} ms`);
  });

  it("does not take a late wake for the next question", async () => {
    const stage = start();
    const wake = (...reasons: string[]) => {
      for (const reason of reasons) {
        stage.rules.call({ kind: "resume", roomId: stage.roomId, reason });
      }
    };
    stage.answers.set(2, (told) => {
      // Right behind his answer, before the rules have had their turn with it.
      queueMicrotask(() => wake("request_timer", "query_done", "{}", "reply", "player_trust"));
      return trusting(told);
    });
    stage.open([1, 2], { pace: 0 });
    await stage.question(1, open);
    const asked = stage.now;
    wake("query_done", "{}", "reply", "delay_done", "player_disconnect", "");
    assert.ok(await stage.rules.ping());
    assert.equal(shipped(stage, 1).length, 0, "he is still asked");
    await stage.until("the end of his time", () => shipped(stage, 1).length === 1);
    assert.ok(stage.now - asked >= timeoutMs, `${stage.now - asked} ms`);
  });

  it("plays on for one who runs away, and he has lost", async () => {
    const stage = start();
    stage.answers.set(
      1,
      ({ command, value }) =>
        command === open ? false : [(value as unknown as LoadQuestion).hand[0] ?? "", "tea"],
    );
    stage.open([1, 2], { pace: 0, goal: 60 });
    await stage.question(2, load);
    const asked = stage.now;
    stage.say(2, { command: "QuitRoom" });
    await stage.until("his turn to be over", () => shipped(stage, 1).length === 1);
    assert.ok(stage.now - asked < timeoutMs);
    const before = stage.heard(2).length;
    await stage.toTheEnd();
    assert.equal(stage.heard(2).length, before, "nothing more is sent to him");
    checkGame(stage.heard(1), 2);
    const result = stage.results.find(({ playerId }) => playerId === 2);
    assert.equal(result?.result, 2);
    assert.match(stage.saves.get(2) ?? "", /"played":1,"won":0,"streak":0/);
  });

  it("ends without results when nobody is left", async () => {
    const stage = start();
    stage.open([1, 2], { robots: 1 });
    await stage.question(2, load);
    stage.drop(1);
    stage.drop(2);
    await stage.toTheEnd();
    assert.deepEqual(stage.endings, ["told", "told", "game_over", "decrease_ref_count"]);
    assert.deepEqual([stage.results, stage.losses, stage.log], [[], [], []]);
  });
});

describeFerry("Night Ferry, to those who look on", (start) => {
  it("shows the public side, and tells them what all are told until they leave", async () => {
    const stage = start();
    stage.answers.set(1, trusting);
    stage.answers.set(2, trusting);
    stage.open([1, 2], { pace: 0, goal: 60 });
    await stage.until("two crates", () => shipped(stage, 1).length === 2);
    stage.observe(3);
    await stage.until("their view", () => stage.values(3, "Observe").length === 1);
    const [view] = stage.values<FerryView>(3, "Observe");
    assert.equal(view?.hand, undefined);
    assert.equal(view?.you, undefined);
    assert.deepEqual(view?.seats.map(({ crates }) => crates), [3, 3]);
    await stage.until("more crates", () => shipped(stage, 3).length === 2);
    stage.say(3, { command: "QuitRoom" });
    const before = stage.heard(3).length;
    await stage.toTheEnd();
    assert.equal(stage.heard(3).length, before);
    const commands = new Set(stage.heard(3).map(({ command }) => command));
    for (const command of ["FerryHand", load, open]) assert.equal(commands.has(command), false);
    assert.deepEqual(stage.log, [], "nothing was sent to nobody");
  });

  it("shows the next game of the room from its beginning", async () => {
    const stage = start();
    stage.answers.set(1, trusting);
    stage.answers.set(2, trusting);
    stage.open([1, 2], { pace: 0, goal: 1 });
    await stage.question(2, load);
    stage.observe(3);
    await stage.toTheEnd();
    assert.equal(stage.values(3, "FerryBegin").length, 0);
    stage.again([1, 2]);
    await stage.toTheEnd();
    assert.deepEqual(stage.values<FerryView>(3, "FerryBegin").map((view) => view.hand), [
      undefined,
    ]);
    assert.equal(stage.values(3, "GameOver").length, 2);
  });

  it("tells everybody again who pushes view, and nobody else; other orders do nothing", async () => {
    const stage = start();
    stage.answers.set(1, trusting);
    stage.open([1, 2], { pace: 0 });
    await stage.question(2, load);
    stage.observe(3);
    const push = (id: number, text: string) =>
      stage.say(id, { command: "PushRequest", request: encodeUtf8(text) });
    for (const id of [1, 3]) push(id, "view");
    for (const text of ["", "view_all", "reconnect", "newroom", "newtask", "leave,1", "\n"]) {
      push(1, text);
    }
    await stage.until("views", () => stage.values(3, "FerryView").length === 1);
    const [mine] = stage.values<FerryView>(1, "FerryView");
    const [theirs] = stage.values<FerryView>(3, "FerryView");
    assert.deepEqual([mine?.you, mine?.hand?.length], [1, 3]);
    assert.deepEqual([theirs?.you, theirs?.hand], [undefined, undefined]);
    assert.equal(stage.values(2, "FerryView").length, 0);
    stage.answers.set(2, trusting);
    await stage.toTheEnd();
    assert.deepEqual(stage.values(1, "StartGame"), [null]);
    checkGame(stage.heard(1), 2);
    assert.deepEqual([stage.losses, stage.log], [[], []]);
  });
});
