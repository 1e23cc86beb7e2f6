import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { showFault } from "../../src/config/faults.ts";
import { loadSettings } from "../../src/config/load_settings.ts";
import { TlsFiles, tlsMarks } from "../../src/app/tls_files.ts";
import type { TlsKeyPair } from "../../src/ports/http.ts";
import { TlsKeyError } from "../../src/ports/tls_key_error.ts";
import { fakeClock } from "../fakes/clock.ts";
import { fakeFiles } from "../fakes/files.ts";
import { fakeLog } from "../fakes/log.ts";

const settings = { tls_cert: "cert.pem", tls_key: "key.pem" };

describe("TlsFiles", () => {
  it("gives the server a pair once for each change, and none without one", async () => {
    await withFiles(async ({ write, clock, taken }) => {
      await clock.advanceAsync(60_000);
      assert.deepEqual(taken, []);
      await write("cert.pem", "cert 2");
      await write("key.pem", "key 2");
      await clock.advanceAsync(30_000);
      assert.deepEqual(taken, [{ certificate: "cert 2", key: "key 2" }]);
    });
  });

  it("looks again at the next change when a pair is no use, and says so once", async () => {
    await withFiles(async ({ write, clock, taken, lines, refuse }) => {
      refuse("cert half");
      await write("cert.pem", "cert half");
      await clock.advanceAsync(30_000);
      assert.deepEqual(taken, []);
      const errors = lines().filter((line) => line.level === "error");
      assert.equal(errors.length, 1);
      assert.match(JSON.stringify(errors), /Cannot use tls_cert .*cert\.pem.*: it is half/);
      await write("cert.pem", "cert whole");
      await clock.advanceAsync(10_000);
      assert.deepEqual(taken, [{ certificate: "cert whole", key: "key" }]);
    });
  });

  it("survives files that are away for a while", async () => {
    await withFiles(async ({ write, files, clock, taken }) => {
      await files.remove("key.pem");
      await clock.advanceAsync(10_000);
      assert.deepEqual(taken, []);
      await write("key.pem", "key 2");
      await clock.advanceAsync(10_000);
      assert.deepEqual(taken, [{ certificate: "cert", key: "key 2" }]);
    });
  });

  it("reload() takes the files over at once, and says when there is nothing new or no use", async () => {
    await withFiles(async ({ write, clock, taken, lines, refuse, tlsFiles }) => {
      assert.deepEqual(await tlsFiles.reload(), { kind: "unchanged" });
      await write("cert.pem", "cert 2");
      await write("key.pem", "key 2");
      assert.deepEqual(await tlsFiles.reload(), { kind: "taken_over" });
      assert.deepEqual(taken, [{ certificate: "cert 2", key: "key 2" }]);
      assert.deepEqual(await tlsFiles.reload(), { kind: "unchanged" });
      await clock.advanceAsync(30_000);
      assert.deepEqual([taken.length, lines().length], [1, 0], "the next look finds nothing new");
      refuse("cert half");
      await write("cert.pem", "cert half");
      assert.deepEqual(await tlsFiles.reload(), {
        kind: "refused",
        reason: 'Cannot use tls_cert "cert.pem": it is half',
      });
      assert.equal(taken.length, 1);
    });
  });

  it("has the newest pair in the end, whoever reads first", async () => {
    await withFiles(async ({ write, taken, tlsFiles }) => {
      await write("cert.pem", "cert 2");
      const first = tlsFiles.reload();
      await write("cert.pem", "cert 3");
      const kinds = await Promise.all([first, tlsFiles.reload(), tlsFiles.reload()]);
      assert.equal(taken.at(-1)?.certificate, "cert 3");
      assert.equal(kinds.at(-1)?.kind, "unchanged");
    });
  });

  it("looks no more once it is stopped", async () => {
    await withFiles(async ({ write, clock, taken, tlsFiles }) => {
      tlsFiles.stop();
      await write("cert.pem", "cert 2");
      await clock.advanceAsync(60_000);
      assert.deepEqual([taken, clock.waiting], [[], 0]);
    });
  });
});

describe("tls_cert and tls_key", () => {
  it("are given together or not at all", async () => {
    const faultsOf = async (flags: Record<string, string>) => {
      const result = await loadSettings({ files: fakeFiles(), env: {}, flags });
      return result.ok ? [] : result.faults.map(showFault);
    };
    assert.deepEqual(await faultsOf({ tls_cert: "a", tls_key: "b" }), []);
    assert.match((await faultsOf({ tls_cert: "a" }))[0] ?? "", /tls_key must be a path where/);
    assert.match((await faultsOf({ tls_key: "a" }))[0] ?? "", /tls_cert must be a path where/);
  });
});

interface Scene {
  readonly files: ReturnType<typeof fakeFiles>;
  readonly clock: ReturnType<typeof fakeClock>;
  readonly taken: TlsKeyPair[];
  readonly tlsFiles: TlsFiles;
  lines(): readonly { level: string }[];
  write(path: string, text: string): Promise<void>;
  /** The server takes no such certificate. */
  refuse(certificate: string): void;
}

async function withFiles(use: (scene: Scene) => Promise<void>): Promise<void> {
  const clock = fakeClock();
  let writes = 0;
  const files = fakeFiles({ now: () => ++writes });
  const { logger, lines } = fakeLog();
  const taken: TlsKeyPair[] = [];
  let refused: string | undefined;
  const write = (path: string, text: string) => files.replace(path, new TextEncoder().encode(text));
  await write("cert.pem", "cert");
  await write("key.pem", "key");
  const server = {
    replaceTls(pair: TlsKeyPair) {
      if (pair.certificate === refused) throw new TlsKeyError("certificate", "it is half");
      taken.push(pair);
    },
  };
  const inUse = { certificate: "cert", key: "key" };
  const tlsFiles = new TlsFiles({ files, clock, logger, settings, server, inUse });
  tlsFiles.start(await tlsMarks(files, settings));
  await use({
    files,
    clock,
    taken,
    tlsFiles,
    lines: () => lines,
    write,
    refuse: (certificate) => void (refused = certificate),
  });
  tlsFiles.stop();
}
