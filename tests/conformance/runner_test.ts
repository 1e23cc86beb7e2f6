/** That the runner can tell right from wrong. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { allCases } from "./all_cases.ts";
import type { ConformanceCase } from "./case_types.ts";
import { runSubject } from "./conformance_run.ts";
import { judgeCase, type Seen } from "./judge_case.ts";
import { LaxServer } from "./lax_server.ts";
import type { Subject } from "./play_case.ts";
import { answered, closesWith, fails, message } from "./steps.ts";
import { openWebSocket, settleServer } from "./subjects/client_handshake.ts";
import { readAgreement } from "./wire_deflate.ts";

/** Such a server answers at once or never. */
const shortMs = 50;

const seen: Seen = {
  messages: [],
  pongs: [],
  closed: { code: 1000, reason: "" },
  hasEnded: true,
  closedByUs: true,
  isLate: false,
  fault: undefined,
};

test("runSubject() passes what a lax server does right, and fails all that it lets pass", async () => {
  const light = allCases.filter(({ isHeavy, compression }) =>
    !isHeavy && compression === undefined
  );
  const isFault = (one: ConformanceCase) => one.make().expect.ending.by === "peer";
  const right = light.filter((one) => !isFault(one));
  const wrong = light.filter(isFault);
  assert.ok(right.length > 150 && wrong.length > 300, `${right.length} and ${wrong.length} cases`);

  const rightResults = await againstLaxServer(right, undefined);
  const notOk = [...rightResults].filter(([, { verdict }]) => verdict !== "ok");
  assert.deepEqual(notOk.filter(([id]) => !id.startsWith("close.beyond")), []);

  const wrongResults = await againstLaxServer(wrong, shortMs);
  const passed = [...wrongResults].filter(([, { verdict }]) => verdict !== "failed");
  // These may be taken, and were.
  assert.deepEqual(passed.filter(([id]) => !id.startsWith("framing.long-form")), []);
});

test("judgeCase() wants every message, in order, and nothing else", () => {
  const [one, two] = [message("text", "one"), message("text", "two")];
  const verdictOf = (messages: Seen["messages"]) =>
    judgeCase(answered([one, two]), { ...seen, messages }).verdict;
  assert.equal(verdictOf([one, two]), "ok");
  assert.equal(verdictOf([two, one]), "failed");
  assert.equal(verdictOf([one]), "failed");
  assert.equal(verdictOf([one, two, two]), "failed");
  assert.equal(verdictOf([one, message("binary", "two")]), "failed");
});

test("judgeCase() wants the code, and lets a peer break off that must fail the connection", () => {
  const byPeer = { ...seen, closedByUs: false };
  const closed = (code: number) => ({ closed: { code, reason: "" } });
  assert.equal(judgeCase(fails(1007), { ...byPeer, ...closed(1007) }).verdict, "ok");
  assert.equal(judgeCase(fails(1007), { ...byPeer, ...closed(1002) }).verdict, "failed");
  assert.equal(judgeCase(fails(1007), { ...byPeer, closed: undefined }).verdict, "non_strict");
  const late = { ...byPeer, ...closed(1007), isLate: true };
  assert.equal(judgeCase(fails(1007), late).verdict, "non_strict");
  assert.equal(judgeCase(closesWith(3000), { ...seen, ...closed(3000) }).verdict, "ok");
  assert.equal(judgeCase(closesWith(3000), { ...seen, closed: undefined }).verdict, "failed");
});

test("judgeCase() fails a peer that stays, or breaks the protocol itself", () => {
  assert.equal(judgeCase(answered([]), seen).verdict, "ok");
  assert.equal(judgeCase(answered([]), { ...seen, hasEnded: false }).verdict, "failed");
  assert.equal(judgeCase(answered([]), { ...seen, fault: "masked a frame" }).verdict, "failed");
});

test("judgeCase() takes the last of several pongs for all where only that is owed", () => {
  const pongs = ["1", "2", "3"].map((text) => new TextEncoder().encode(text));
  const [first, , last] = pongs as [Uint8Array, Uint8Array, Uint8Array];
  const expect = answered([], pongs, { lastPongOnly: true });
  const verdictOf = (found: Uint8Array[]) => judgeCase(expect, { ...seen, pongs: found }).verdict;
  assert.equal(verdictOf(pongs), "ok");
  assert.equal(verdictOf([first, last]), "non_strict");
  assert.equal(verdictOf([first]), "failed");
  assert.equal(verdictOf([last, first]), "failed");
});

test("readAgreement() reads the terms of each side", () => {
  const header = 'permessage-deflate; server_no_context_takeover; client_max_window_bits="10"';
  const agreed = readAgreement(header);
  assert.deepEqual(agreed?.server, { windowBits: 15, keepsContext: false });
  assert.deepEqual(agreed?.client, { windowBits: 10, keepsContext: true });
  assert.equal(readAgreement(null), undefined);
});

async function againstLaxServer(
  cases: readonly ConformanceCase[],
  patienceMs: number | undefined,
) {
  const lax = await LaxServer.listen();
  const path = "/";
  const subject: Subject = {
    name: "a lax server",
    side: "client",
    lacksCompression: "it has none",
    open: () => openWebSocket(lax.port, { path, ...(patienceMs && { patienceMs }) }),
    settle: () => settleServer(lax.port, path),
    adapt: (script) => script,
    read: (one) => one,
  };
  try {
    const { results } = await runSubject(
      { name: subject.name, with: (use) => use(subject) },
      cases,
    );
    return results;
  } finally {
    lax.close();
  }
}
