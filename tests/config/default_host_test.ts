import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ownDatabaseId, usersDatabasePath } from "../../src/config/default_host.ts";
import { loadSettings } from "../../src/config/load_settings.ts";
import type { Settings } from "../../src/config/settings.ts";
import { UsersStore } from "../../src/game/accounts/users_store.ts";
import { type FakeFiles, fakeFiles } from "../fakes/files.ts";
import { originalUsersSql } from "../game/accounts/original_database.ts";
import { inDirectory } from "../game/accounts/temporary_directory.ts";
import { runtimeUnderTest } from "../tested_runtime.ts";

const loopback = `${"0".repeat(31)}1 01 80 10 80       lo\n`;

describe("loadSettings() where nothing names host", () => {
  it("listens on this machine alone, as long as there are no accounts", async () => {
    const { settings, notices } = await load(fakeFiles());
    assert.equal(settings.host, "127.0.0.1");
    assert.deepEqual(notices, []);
  });

  it("listens on all addresses in a data directory of the original, and says so", async () => {
    const files = await withAccounts({ id: 0 });
    const { settings, notices } = await load(files);
    assert.equal(settings.host, "0.0.0.0");
    assert.equal(settings.watchdog.health_host, "127.0.0.1");
    assert.equal(notices.length, 1);
    assert.match(notices[0]!, /server\/users\.db is the original server's.*\(0\.0\.0\.0\)/);
  });

  it("takes :: where the machine has IPv6", async () => {
    const files = await withAccounts({ id: 0, ipv6: loopback });
    const { settings } = await load(files);
    assert.deepEqual([settings.host, settings.watchdog.health_host], ["::", "::1"]);
    const other = `fe800000000000000000000000000001 02 40 20 80     eth0\n`;
    const noLoopback = await withAccounts({ id: 0, ipv6: other });
    assert.equal((await load(noLoopback)).settings.host, "0.0.0.0");
  });

  it("opens HTTP to nobody else, unless http_host or host is named", async () => {
    const files = await withAccounts({ id: 0 });
    assert.equal((await load(files)).settings.http_host, "127.0.0.1");
    const named = await load(files, { flags: { http_host: "0.0.0.0" } });
    assert.equal(named.settings.http_host, "0.0.0.0");
  });

  it("stays on this machine for accounts that this server has made", async () => {
    const { settings, notices } = await load(await withAccounts({ id: ownDatabaseId }));
    assert.equal(settings.host, "127.0.0.1");
    assert.deepEqual(notices, []);
  });

  it("leaves the host that a flag, the environment or the file names", async () => {
    const files = await withAccounts({ id: 0 });
    await files.replace("gw.json", new TextEncoder().encode(`{"host": "10.0.0.1"}`));
    const byFlag = await load(files, { flags: { host: "127.0.0.1" } });
    const byEnvironment = await load(files, { env: { FREEKILL_GW_HOST: "127.0.0.2" } });
    const byFile = await load(files, { configPath: "gw.json" });
    assert.deepEqual(
      [byFlag, byEnvironment, byFile].map(({ settings }) => settings.host),
      ["127.0.0.1", "127.0.0.2", "10.0.0.1"],
    );
    assert.equal(byFile.settings.http_host, "10.0.0.1");
    assert.deepEqual([...byFlag.notices, ...byEnvironment.notices, ...byFile.notices], []);
    const unset = await load(files, { env: { FREEKILL_GW_HOST: "" } });
    assert.equal(unset.settings.host, "0.0.0.0");
  });

  it("stays on this machine when the accounts cannot be looked at, and says why", async () => {
    const files = await withAccounts({ id: 0 });
    const denied = Object.assign(new Error("no"), { code: "EACCES" });
    const { settings, notices } = await load({
      ...files,
      read: () => Promise.reject(denied),
    });
    assert.equal(settings.host, "127.0.0.1");
    assert.deepEqual(notices, [
      "server/users.db cannot be read (EACCES), so host is 127.0.0.1.",
    ]);
  });
});

describe("UsersStore", () => {
  it("marks a database that it makes, in the file itself while the log is not yet in it", async () => {
    assert.equal(await hostBesideStore(undefined), "127.0.0.1");
  });

  it("leaves a database of the original unmarked", async () => {
    assert.equal(await hostBesideStore(originalUsersSql), "0.0.0.0");
  });
});

/** The default host of a directory while a store is open in it, on a file made before by `sql`. */
async function hostBesideStore(sql: string | undefined): Promise<string> {
  const { sqlite, files } = await runtimeUnderTest();
  let host = "";
  await inDirectory(async (directory) => {
    const path = `${directory}/${usersDatabasePath}`;
    await files.makeDirectory(`${directory}/server`);
    if (sql !== undefined) {
      const before = sqlite.open({ path, busyTimeoutMs: 0 });
      before.exec(sql);
      before.close();
    }
    const store = new UsersStore(sqlite.open({ path, busyTimeoutMs: 0 }), path);
    try {
      const { settings } = await load({
        info: (name) => files.info(`${directory}/${name}`),
        read: (name, options) => files.read(`${directory}/${name}`, options),
      });
      host = settings.host;
    } finally {
      store.close();
    }
  });
  return host;
}

type Given = Partial<Omit<Parameters<typeof loadSettings>[0], "files">>;

async function load(
  files: Parameters<typeof loadSettings>[0]["files"],
  given: Given = {},
): Promise<{ settings: Settings; notices: readonly string[] }> {
  const result = await loadSettings({ files, env: {}, flags: {}, ...given });
  assert.ok(result.ok);
  return result;
}

/** A directory with the header of an accounts database, and what the system says of its IPv6. */
async function withAccounts({ id, ipv6 }: { id: number; ipv6?: string }): Promise<FakeFiles> {
  const files = fakeFiles();
  await files.makeDirectory("server");
  const header = new Uint8Array(4_096);
  new DataView(header.buffer).setUint32(68, id);
  await files.replace(usersDatabasePath, header);
  if (ipv6 !== undefined) {
    await files.makeDirectory("/proc/net");
    await files.replace("/proc/net/if_inet6", new TextEncoder().encode(ipv6));
  }
  return files;
}
