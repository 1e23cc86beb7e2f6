import assert from "node:assert/strict";
import { it } from "node:test";
import { runLuaWorker } from "../../../src/game/lua/lua_worker.ts";
import type { RulesWorkerOut } from "../../../src/game/lua/rules_worker.ts";
import type { ScriptWorkerIn, ScriptWorkerOut } from "../../../src/game/lua/script_worker.ts";
import { bytesOf, readGlue } from "./lua_program.ts";

it("runLuaWorker() says when it holds no usable state any more, and answers nothing after", async () => {
  const posted: (ScriptWorkerOut | RulesWorkerOut)[] = [];
  let send = (_message: ScriptWorkerIn) => {};
  const last = new Promise<void>((resolve) =>
    runLuaWorker({
      post(message) {
        posted.push(message);
        if (message.kind === "answer" && !message.usable) resolve();
      },
      onMessage: (receive) => void (send = receive),
    }, { luaWasm: readGlue })
  );
  const load = (id: number, text: string) =>
    send({
      kind: "load",
      id,
      script: { source: bytesOf(text), name: "hello.lua" },
      turnMs: 60_000,
      memoryBytesMax: 16 * 1_048_576,
      stop: new SharedArrayBuffer(4),
    });
  const answers = () =>
    posted.flatMap((one) =>
      one.kind === "answer" ? [[one.id, one.answer.outcome, one.usable]] : []
    );
  load(1, "function runtime_hello() return 'v1' end");
  send({ kind: "hello", id: 2 });
  load(3, "wrong");
  load(
    4,
    "function runtime_hello() local t = {} while true do t[#t + 1] = ('x'):rep(9999) .. #t end end",
  );
  send({ kind: "hello", id: 5 });
  send({ kind: "hello", id: 6 });
  await last;
  send({ kind: "hello", id: 7 });
  assert.deepEqual(posted[0], { kind: "ready" });
  assert.deepEqual(answers(), [
    [1, "ok", true],
    [2, "ok", true],
    [3, "failed", true],
    [4, "ok", true],
    [5, "failed", false],
  ]);
});
