import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { GatewayProgram } from "../gateway_tools/gateway_program.ts";
import { freePort } from "../program_environment.ts";
import { UpstreamServer } from "../gateway_tools/upstream_server.ts";
import { programCommand } from "../client/game_program.ts";
import { message, takeAway, withGateway } from "./gateway_stage.ts";
import { runProgram } from "./run_program.ts";

/** Whether a small file system of our own can be had. */
const cannotMount = mountFault();

/** What is left free when the disk is full but for a little. */
const littleBytes = 300_000;

describe("gateway: a full disk", () => {
  it(
    "nothing is acknowledged falsely, /health/ready tells why, and it recovers by itself",
    { skip: cannotMount, timeout: 120_000 },
    () =>
      withSmallDisk(async ({ gateway, upstream, disk }) => {
        await takeAway({ gateway, upstream });
        const client = await gateway.client("a", "ack=1");
        const acked: number[] = [];
        let number = 0;
        const send = async () => {
          client.sendJson(message(`${++number}`, "x".repeat(2_000)));
          const answer = await client.nextJson();
          if (answer.action === "ack") acked.push(Number(answer.messageId));
          return answer.action === "ack" ? "ack" : answer.code;
        };
        for (let i = 0; i < 10; i++) assert.equal(await send(), "ack");
        assert.equal((await gateway.get("/health/ready")).status, 200);
        fill(disk);
        let answer: unknown = "ack";
        for (let i = 0; i < 1_000 && answer === "ack"; i++) answer = await send();
        assert.equal(answer, "store_unavailable");
        const ready = await gateway.get("/health/ready");
        assert.equal(ready.status, 503);
        assert.notEqual(String((await ready.json()).reason ?? ""), "");
        assert.equal((await gateway.get("/health/live")).status, 200);
        rmSync(join(disk, "filler"));
        await becomesReady(gateway);
        client.sendJson(message("after", "y"));
        // What could not be stored before may be acknowledged now.
        for (let got = await client.nextJson();; got = await client.nextJson()) {
          assert.equal(got.action, "ack", JSON.stringify(got));
          if (got.messageId === "after") break;
          acked.push(Number(got.messageId));
        }
        await gateway.kill();
        await gateway.start();
        await upstream.comeBack();
        await upstream.until("what is acknowledged, behind a kill", () => {
          const came = new Set(upstream.arrivals.map(({ messageId }) => messageId));
          return came.has("after") && acked.every((id) => came.has(`${id}`));
        });
      }),
  );

  it(
    "what was acknowledged before survives a kill while the disk is full",
    { skip: cannotMount, timeout: 120_000 },
    () =>
      withSmallDisk(async ({ gateway, upstream, disk }) => {
        await takeAway({ gateway, upstream });
        const client = await gateway.client("a", "ack=1");
        fill(disk);
        const acked: string[] = [];
        for (let number = 1; number < 1_000; number++) {
          client.sendJson(message(`${number}`, "x".repeat(2_000)));
          const answer = await client.nextJson();
          if (answer.action !== "ack") break;
          acked.push(String(answer.messageId));
        }
        assert.ok(acked.length > 0);
        await gateway.kill();
        rmSync(join(disk, "filler"));
        await gateway.start();
        await upstream.comeBack();
        await upstream.until("all of them", () => upstream.arrivals.length >= acked.length);
        const came = upstream.arrivals.map(({ messageId }) => messageId);
        assert.deepEqual(came.slice(0, acked.length), acked);
      }),
  );
});

describe("gateway: what it finds in its directory", () => {
  /** Stores messages 0 … 99, each acknowledged before the next, kills, and starts again. */
  const damaged = (damage: (path: string) => void, check: (came: string[]) => void) =>
    withGateway({ upstream: { answer: "ack" } }, async ({ gateway, upstream }) => {
      await takeAway({ gateway, upstream });
      const client = await gateway.client("a", "ack=1");
      for (let i = 0; i < 100; i++) {
        client.sendJson(message(`${i}`, "x".repeat(200)));
        await client.next();
      }
      await gateway.kill();
      damage(join(gateway.directory, "data/buffer.log.000001"));
      await gateway.start();
      await upstream.comeBack();
      const again = await gateway.client("a", "ack=1");
      again.sendJson(message("end"));
      await again.next();
      await upstream.until(
        "the last one",
        () => upstream.arrivals.some(({ messageId }) => messageId === "end"),
      );
      check(upstream.arrivals.map(({ messageId }) => messageId));
    });
  const all = Array.from({ length: 100 }, (_, i) => `${i}`);

  it("a torn last record is cut off, and the others are kept", () =>
    damaged(
      (path) => writeFileSync(path, whole(path).subarray(0, whole(path).length - 3)),
      (came) => assert.deepEqual(came, [...all.slice(0, -1), "end"]),
    ));

  it("garbage behind the last record is cut off, and all are kept", () =>
    damaged(
      (path) => writeFileSync(path, Buffer.concat([whole(path), Buffer.alloc(5_000, 0xa5)])),
      (came) => assert.deepEqual(came, [...all, "end"]),
    ));

  it("a record with a flipped byte is skipped, and the others are kept", () =>
    damaged(
      (path) => {
        const bytes = whole(path);
        const at = Math.floor(bytes.length / 2);
        bytes[at] = (bytes[at] ?? 0) ^ 0x10;
        writeFileSync(path, bytes);
      },
      (came) => {
        assert.ok(came.length >= 100, `${101 - came.length} are missing`);
        assert.ok(came.length <= 101, "none came twice");
        assert.deepEqual(came, [...all, "end"].filter((id) => came.includes(id)));
      },
    ));

  it("a file of the old format is put aside", () =>
    withGateway({}, async ({ gateway }) => {
      await gateway.stop();
      const path = join(gateway.directory, "data/buffer.log");
      writeFileSync(path, `{"messages":[{"id":"1"}]}`);
      await gateway.start();
      assert.equal(existsSync(path), false);
      assert.equal(readFileSync(`${path}.old`, "utf8"), `{"messages":[{"id":"1"}]}`);
      assert.match(gateway.log, /buffer\.log/);
    }));

  it("a second gateway on the same directory is refused and harms nothing", () =>
    withGateway({ upstream: { answer: "ack" } }, async ({ gateway, upstream }) => {
      const client = await gateway.client("a", "ack=1");
      const second = await runProgram(
        [
          ...programCommand("binary"),
          "serve",
          "--tcp-port",
          "0",
          "--http-port",
          `${await freePort()}`,
        ],
        { cwd: gateway.directory },
      );
      assert.equal(second.exitCode, 3, second.stderr);
      client.sendJson(message("m"));
      assert.equal((await client.nextJson()).action, "ack");
      assert.equal((await upstream.arrival(0)).messageId, "m");
    }));
});

interface SmallDisk {
  readonly gateway: GatewayProgram;
  readonly upstream: UpstreamServer;
  readonly disk: string;
}

/** A gateway whose log, and nothing else, lies on a file system of 200 MiB. */
async function withSmallDisk(use: (stage: SmallDisk) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "freekill-gw-disk-"));
  const disk = join(directory, "disk");
  mkdirSync(disk);
  const upstream = await UpstreamServer.listen({ answer: "ack" });
  mount(disk);
  try {
    const config = {
      gateway: {},
      routes: [{ clientIdPrefix: "", upstream: upstream.url }],
      buffer: { persistFile: "disk/buffer.log" },
    };
    await GatewayProgram.with({ config, directory }, (gateway) => use({ gateway, upstream, disk }));
  } finally {
    spawnSync("umount", ["--lazy", disk]);
    rmSync(directory, { recursive: true, force: true });
    await upstream.goAway();
  }
}

/** Leaves a little room, less than what is going to be sent. */
function fill(disk: string): void {
  const { bavail, bsize } = statfsSync(disk);
  writeFileSync(join(disk, "filler"), Buffer.alloc(Math.max(0, bavail * bsize - littleBytes)));
}

async function becomesReady(gateway: GatewayProgram): Promise<void> {
  const giveUpAt = performance.now() + 30_000;
  while ((await gateway.get("/health/ready")).status !== 200) {
    assert.ok(performance.now() < giveUpAt, "it does not become ready again");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function mount(path: string): void {
  const { status, stderr } = spawnSync("mount", ["-t", "tmpfs", "-o", "size=200m", "none", path]);
  if (status !== 0) throw new Error(`cannot mount: ${stderr}`);
}

function mountFault(): string | false {
  const path = mkdtempSync(join(tmpdir(), "freekill-gw-mount-"));
  try {
    mount(path);
    spawnSync("umount", [path]);
    return false;
  } catch {
    return "no small file system can be mounted here; it takes root";
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
}

function whole(path: string): Buffer {
  return readFileSync(path);
}
