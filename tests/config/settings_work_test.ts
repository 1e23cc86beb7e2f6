import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { loadSettings } from "../../src/config/load_settings.ts";
import {
  loadSettingsByThread,
  runSettingsWorker,
  type SettingsReply,
  type SettingsRequest,
} from "../../src/config/settings_work.ts";
import { fakeFiles } from "../fakes/files.ts";

/** `loadSettingsByThread` with the worker's side in this thread. */
async function loadByThread(document: unknown) {
  const files = fakeFiles();
  await files.replace("freekill-gw.json", new TextEncoder().encode(JSON.stringify(document)));
  const input = { files, env: {}, flags: {} };
  let reply = Promise.withResolvers<SettingsReply>();
  let receive: (request: SettingsRequest) => void = () => {};
  const seen: string[] = [];
  runSettingsWorker({
    post: (message) => {
      // As between threads.
      reply.resolve(structuredClone(message));
      seen.push(message.kind);
    },
    onMessage: (handler) => void (receive = handler),
  }, files);
  const loaded = await loadSettingsByThread({
    post: (request) => {
      reply = Promise.withResolvers();
      receive(structuredClone(request));
    },
    reply: () => reply.promise,
    pause: async () => {
      await new Promise((resolve) => setTimeout(resolve, 0));
      seen.push("pause");
    },
  }, input);
  return { loaded, expected: await loadSettings(input), seen };
}

const one = "ws://127.0.0.1:1/";
const two = "ws://127.0.0.1:2/";
const upstreamsOf = [
  { upstream: one },
  { upstream: one },
  { upstreams: [one, two] },
  { upstreams: [one, two], strategy: "round-robin" },
  { upstreams: [two, one] },
  { upstream: two },
  { upstreams: [one, two] },
];

describe("loadSettingsByThread()", () => {
  it("gives what loadSettings() gives, with any number of rules in their order", async () => {
    for (const count of [0, 1, 7, 999, 1_000, 1_001, 2_500]) {
      const routes = Array.from({ length: count }, (_, number) => ({
        clientIdPrefix: `c${number}-`,
        ...upstreamsOf[number % upstreamsOf.length],
      }));
      const { loaded, expected } = await loadByThread({ routes, tcp_port: 9_000 });
      assert.ok(loaded.ok, "it was refused");
      assert.deepEqual(loaded, expected);
    }
  });

  it("rules that lead to the same upstreams share one list", async () => {
    const routes = Array.from({ length: 2_100 }, (_, number) => ({
      clientIdPrefix: `c${number}-`,
      ...upstreamsOf[number % upstreamsOf.length],
    }));
    const { loaded } = await loadByThread({ routes });
    assert.ok(loaded.ok);
    const lists = new Set(loaded.settings.gateway.routes.map(({ upstreams }) => upstreams));
    assert.equal(lists.size, 4);
  });

  it("lets others have their turn after each 1,000 rules, before it asks for more", async () => {
    const routes = Array.from({ length: 2_001 }, (_, number) => ({
      clientIdPrefix: `c${number}-`,
      upstream: one,
    }));
    const { seen } = await loadByThread({ routes });
    const piece = ["rules", "pause"];
    assert.deepEqual(seen, ["loaded", ...piece, ...piece, ...piece, "rules"]);
  });

  it("gives the faults of a file that is wrong", async () => {
    const { loaded, expected } = await loadByThread({ routes: [{ clientIdPrefix: 1 }] });
    assert.equal(loaded.ok, false);
    assert.deepEqual(loaded, expected);
  });
});
