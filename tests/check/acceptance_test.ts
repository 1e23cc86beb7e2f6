import assert from "node:assert/strict";
import { describe, it, test } from "node:test";
import { crc32 } from "../../src/base/crc32.ts";
import { acceptanceGroups, runAcceptance, showAcceptance } from "../../src/check/acceptance.ts";
import type { AcceptanceCase, CaseGroup } from "../../src/check/acceptance_case.ts";
import { crcOfKeys } from "../../src/check/cases/command_cases.ts";
import { expect, ProbeFailure } from "../../src/check/probe_failure.ts";
import { pingBytes, pongBytes } from "../../src/check/protobuf_vectors.ts";
import { Interrupted, withWorkspace } from "../../src/check/workspace.ts";
import { encodePing, encodePong } from "../../src/wire/host_protobuf.ts";
import { realRuntime } from "./real_runtime.ts";

const runtime = await realRuntime();

function run(groups: readonly CaseGroup[], told: string[] = []) {
  return withWorkspace(runtime, (workspace) =>
    runAcceptance(workspace, {
      baseSettings: {},
      groups,
      progress: (result) => void told.push(result.name),
    }));
}

const passing: AcceptanceCase = { name: "passes", run: () => Promise.resolve() };

describe("runAcceptance()", () => {
  it("reports every case with its outcome, in the order of the groups", async () => {
    const told: string[] = [];
    const report = await run([
      {
        topic: "first",
        cases: [passing, { name: "promise", run: async () => expect(false, "it is broken") }],
      },
      {
        topic: "second",
        cases: [{ name: "fault", run: () => Promise.reject(new TypeError("no such thing")) }],
      },
    ], told);
    assert.deepEqual(
      report.cases.map(({ topic, name, ok, detail }) => [topic, name, ok, detail]),
      [
        ["first", "passes", true, ""],
        ["first", "promise", false, "it is broken"],
        ["second", "fault", false, "the check itself failed: no such thing"],
      ],
    );
    assert.deepEqual([report.ok, report.passed, report.failed], [false, 1, 2]);
    assert.deepEqual(told.toSorted(), ["fault", "passes", "promise"]);
    assert.match(showAcceptance(report), /failed {2}first: promise\n {8}it is broken\n/);
    assert.match(showAcceptance(report), /ACCEPTANCE_OK=False\n$/);
  });

  it("is ok only when no case failed", async () => {
    const report = await run([{ topic: "only", cases: [passing] }]);
    assert.equal(report.ok, true);
    assert.match(showAcceptance(report), /1 cases passed, 0 failed .*\nACCEPTANCE_OK=True\n$/);
  });

  it("fails each case of a group whose server does not start", async () => {
    const server = { settings: { thread_count: 0 } };
    const report = await run([{ topic: "no server", server, cases: [passing, passing] }]);
    assert.deepEqual(report.cases.map((result) => result.ok), [false, false]);
    assert.match(report.cases[0]!.detail, /did not become ready.*exit code 2/);
    assert.match(report.cases[0]!.detail, /thread_count/);
  });
});

describe("withWorkspace()", () => {
  it("kills what was started and removes its directory, however the work ends", async () => {
    let pid = 0;
    let directory = "";
    const work = withWorkspace(runtime, async (workspace) => {
      directory = await workspace.makeDirectory();
      const program = await workspace.start(
        ["serve", "--tcp-port", "0", "--http-port", "0"],
        { cwd: directory },
      );
      pid = program.pid;
      await program.waitForOutput(/runtime_host_server_ready/, 30_000);
      throw new ProbeFailure("on purpose");
    });
    await assert.rejects(work, /on purpose/);
    assert.equal(runtime.process.kill(pid, 0), false, "the program still runs");
    assert.equal(await runtime.files.info(directory), undefined);
  });

  it("stops the work when a signal comes", async () => {
    const heard = new Map<string, () => void>();
    let removed = 0;
    const onSignal = (signal: string, receive: () => void) => {
      heard.set(signal, receive);
      return () => void removed++;
    };
    const process = new Proxy(runtime.process, {
      get: (target, key) => key === "onSignal" ? onSignal : Reflect.get(target, key),
    });
    const listening = new Proxy(runtime, {
      get: (target, key) => key === "process" ? process : Reflect.get(target, key),
    });
    let directory = "";
    const work = withWorkspace(listening, async (workspace) => {
      directory = workspace.directory;
      heard.get("SIGINT")?.();
      await new Promise(() => {});
    });
    await assert.rejects(work, Interrupted);
    assert.equal(await runtime.files.info(directory), undefined);
    assert.equal(removed, 2);
  });
});

test("the acceptance's case names are unique, so that a report can be compared with another", () => {
  const names = acceptanceGroups.flatMap(({ cases }) => cases.map(({ name }) => name));
  assert.equal(new Set(names).size, names.length);
  assert.ok(names.length >= 90, `only ${names.length} cases`);
});

test("the acceptance's own CRC-32 values and Protobuf bytes are those of the codecs", () => {
  for (const [key, crc] of crcOfKeys) assert.equal(crc32(new TextEncoder().encode(key)), crc, key);
  for (const seq of [1, 127, 128, 300, 4_294_967_295]) {
    const payload = "p".repeat(seq % 200 + 1);
    assert.deepEqual(
      pingBytes({ payload, seq, keep: true }).toHex(),
      encodePing({ payload, seq, keep: true }).toHex(),
    );
    assert.deepEqual(pongBytes({ payload, seq }).toHex(), encodePong({ payload, seq }).toHex());
  }
});
