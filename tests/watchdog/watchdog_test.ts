import assert from "node:assert/strict";
import { mkdir, readdir, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { killProcess, withWatchdog } from "./watchdog_harness.ts";

/** Names of events without the repetitions that depend on time. */
function names(events: Record<string, unknown>[]): unknown[] {
  return events.map(({ event }) => event).filter((event) => event !== "health_check_failed");
}

describe("runWatchdog()", () => {
  it("starts the child, stops it by an authenticated __STOP__ on a signal, and gives 0", async () => {
    await withWatchdog(async (watchdog) => {
      const code = watchdog.run();
      const pid = await watchdog.healthyChild();
      const { updated_at, ...status } = await watchdog.status();
      assert.match(String(updated_at), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
      assert.deepEqual(status, {
        restart_count: 0,
        health_failure_streak: 0,
        last_health_ok: true,
        last_health_reason: "ok",
        child_pid: pid,
        child_running: true,
        health_host: "127.0.0.1",
        health_tcp_port: watchdog.port,
        health_udp_port: watchdog.port + 1,
        config_json: join(watchdog.directory, "life.json"),
      });
      watchdog.raise("SIGTERM");
      assert.equal(await code, 0);
      assert.deepEqual(names(await watchdog.events()), [
        "watchdog_started",
        "child_started",
        "signal_received",
        "watchdog_stopping",
        "child_stopped",
      ]);
      assert.equal((await watchdog.status())["child_running"], false);
      assert.equal(await watchdog.text("journal"), "env |\nAUTH right\n__STOP__\n");
    });
  });

  it("starts the child again as soon as it was killed, each time", async () => {
    await withWatchdog(async (watchdog) => {
      const code = watchdog.run();
      let pid = await watchdog.healthyChild();
      for (let time = 1; time <= 5; time++) {
        killProcess(pid);
        pid = await watchdog.healthyChild(pid);
        assert.equal((await watchdog.status())["restart_count"], time);
      }
      watchdog.raise("SIGINT");
      assert.equal(await code, 0);
      const exits = (await watchdog.events()).filter(({ event }) => event === "child_exited");
      assert.equal(exits.length, 5);
      for (const exit of exits) assert.equal(exit["signal"], "SIGKILL");
    });
  });

  it("restarts a child that stops answering, and at last gives 2 for the restart limit", async () => {
    await withWatchdog(async (watchdog) => {
      await watchdog.live({ does: "closes" });
      const code = await watchdog.run({ "watchdog.start_grace_s": 0, "watchdog.max_restarts": 1 });
      assert.equal(code, 2);
      const events = await watchdog.events();
      assert.deepEqual(names(events), [
        "watchdog_started",
        "child_started",
        "child_stopped",
        "restart_scheduled",
        "child_started",
        "child_stopped",
        "restart_limit_reached",
        "watchdog_stopping",
      ]);
      const streaks = events.flatMap((event) => event["health_failure_streak"] ?? []);
      assert.deepEqual(streaks, [1, 2, 3, 1, 2, 3]);
    });
  });

  it("gives 2 when the child refuses its configuration, whose words are shown", async () => {
    await withWatchdog(async (watchdog) => {
      await watchdog.live({ does: "ends", code: 2 });
      assert.equal(await watchdog.run(), 2);
      assert.equal(watchdog.shownStderr, "tcp_port must be 0–65535, got 99999\n");
      assert.equal(await watchdog.text("stderr.log"), watchdog.shownStderr);
      const exit = (await watchdog.events()).find(({ event }) => event === "child_exited");
      assert.equal(exit?.["last_line"], "tcp_port must be 0–65535, got 99999");
    });
  });

  it("waits longer than restart_delay_s after a start that failed", async () => {
    await withWatchdog(async (watchdog) => {
      await watchdog.live({ does: "ends", code: 3 });
      assert.equal(await watchdog.run({ "watchdog.max_restarts": 1 }), 2);
      const [delay] = (await watchdog.events()).flatMap(({ delay_ms }) => delay_ms ?? []);
      assert.ok(Number(delay) >= 500 && Number(delay) <= 1_000, `${delay} ms`);
    });
  });

  it("gives 3 when the child cannot be started", async () => {
    await withWatchdog(async (watchdog) => {
      watchdog.failNextStart('Cannot start "freekill-gw": ENOENT');
      assert.equal(await watchdog.run(), 3);
      assert.match(watchdog.logged.join("\n"), /cannot start the server: .*ENOENT/);
    });
  });

  it("gives 3 when its status cannot be written", async () => {
    await withWatchdog(async (watchdog) => {
      await writeFile(join(watchdog.directory, "file"), "");
      const status_path = join(watchdog.directory, "file", "status.json");
      assert.equal(await watchdog.run({ "watchdog.status_path": status_path }), 3);
      assert.match(watchdog.logged.join("\n"), /^error Cannot start the watchdog: .*file/);
    });
  });

  it("gives 3 when another watchdog has the same status file, which stays as it is", async () => {
    await withWatchdog(async (watchdog) => {
      const first = watchdog.run();
      const pid = await watchdog.healthyChild();
      assert.equal(await watchdog.run(), 3);
      assert.match(watchdog.logged.join("\n"), /another watchdog is running/);
      assert.equal(await watchdog.healthyChild(), pid);
      watchdog.raise("SIGTERM");
      assert.equal(await first, 0);
      const again = watchdog.run();
      await watchdog.healthyChild(pid);
      watchdog.raise("SIGTERM");
      assert.equal(await again, 0);
    });
  });

  it("reports a port that a stranger holds, and starts once it is free", async () => {
    await withWatchdog(async (watchdog) => {
      const stranger = createServer((socket) => {
        socket.on("error", () => {});
        socket.resume().end("220 mail\r\n");
      });
      await new Promise<void>((resolve) => stranger.listen(watchdog.port, "127.0.0.1", resolve));
      const code = watchdog.run();
      await watchdog.until(
        "port_held",
        async () => (await watchdog.text("events.jsonl")).includes("port_held"),
      );
      const held = (await watchdog.events()).find(({ event }) => event === "port_held");
      const where = `TCP port 127.0.0.1:${watchdog.port}`;
      assert.equal(
        held?.["detail"],
        `${where} is held by another program, which does not answer probes`,
      );
      assert.equal(await watchdog.text("journal"), "", "no child was started");
      await new Promise((resolve) => stranger.close(resolve));
      await watchdog.healthyChild();
      watchdog.raise("SIGTERM");
      assert.equal(await code, 0);
    });
  });

  it("never writes the control token anywhere", async () => {
    await withWatchdog(async (watchdog) => {
      await watchdog.live({ does: "leaks" });
      const code = watchdog.run();
      await watchdog.healthyChild();
      watchdog.raise("SIGTERM");
      assert.equal(await code, 0);
      assert.match(await watchdog.text("journal"), /AUTH right/);
      assert.match(await watchdog.text("stdout.log"), /^my token is \[hidden\]\n/);
      assert.match(await watchdog.text("stderr.log"), /^my token is \[hidden\]\n/);
      const written = [watchdog.shownStderr, ...watchdog.logged, ...watchdog.notified];
      for (const name of await readdir(watchdog.directory)) written.push(await watchdog.text(name));
      assert.doesNotMatch(written.join("\n"), /[0-9a-f]{32}/);
    });
  });

  it("passes SIGHUP on, and kills at once on a second SIGTERM", async () => {
    await withWatchdog(async (watchdog) => {
      await watchdog.live({ does: "stays" });
      const code = watchdog.run();
      await watchdog.healthyChild();
      watchdog.raise("SIGHUP");
      await watchdog.until(
        "SIGHUP",
        async () => (await watchdog.text("journal")).includes("SIGHUP"),
      );
      watchdog.raise("SIGTERM");
      await watchdog.until(
        "__STOP__",
        async () => (await watchdog.text("journal")).includes("__STOP__"),
      );
      const start = performance.now();
      watchdog.raise("SIGTERM");
      assert.equal(await code, 0);
      assert.ok(performance.now() - start < 3_000, "it did not wait for the SIGTERM step");
      const stopped = (await watchdog.events()).find(({ event }) => event === "child_stopped");
      assert.equal(stopped?.["step"], "killed");
    });
  });

  it("takes the ports from the ready line when the system chose them", async () => {
    await withWatchdog(async (watchdog) => {
      await watchdog.live({ port: 0 });
      const code = watchdog.run({ tcp_port: 0 });
      await watchdog.healthyChild();
      const { health_tcp_port } = await watchdog.status();
      assert.ok(Number(health_tcp_port) > 0);
      const ready = /tcp_port=(\d+)/.exec(await watchdog.text("stdout.log"))?.[1];
      assert.equal(Number(ready), health_tcp_port);
      watchdog.raise("SIGTERM");
      assert.equal(await code, 0);
    });
  });

  it("counts a UDP probe without an answer only when UDP is required", async () => {
    await withWatchdog(async (watchdog) => {
      const code = watchdog.run({
        "watchdog.require_udp_health": true,
        "watchdog.health_timeout_ms": 500,
      });
      const failed = await watchdog.until(
        "a failed probe",
        async () => (await watchdog.events()).find(({ event }) => event === "health_check_failed"),
      );
      assert.match(String(failed["reason"]), /^UDP 127\.0\.0\.1:\d+: /);
      watchdog.raise("SIGTERM");
      assert.equal(await code, 0);
    });
  });

  it("takes all that a child writes, and bounds its files and what is shown of it", async () => {
    await withWatchdog(async (watchdog) => {
      const bytes = 24_000_000;
      await watchdog.live({ does: "floods", bytes });
      const code = watchdog.run({
        "watchdog.log_bytes_max": 1_000_000,
        "watchdog.log_files_max": 3,
      });
      await watchdog.healthyChild();
      watchdog.raise("SIGTERM");
      assert.equal(await code, 0);
      let kept = 0;
      for (const name of await readdir(watchdog.directory)) {
        if (!name.startsWith("stderr.log")) continue;
        const { size } = await stat(join(watchdog.directory, name));
        assert.ok(size <= 1_000_000, `${name} has ${size} bytes`);
        kept += size;
      }
      assert.ok(kept > 1_000_000 && kept <= 3_000_000, `${kept} bytes kept`);
      assert.ok(watchdog.shownStderr.length < bytes / 2, `${watchdog.shownStderr.length} shown`);
      assert.match(watchdog.logged.join("\n"), /the server wrote so much/);
    });
  });

  it("tells the service manager of readiness, of a healthy child, and of its end", async () => {
    const env = { WATCHDOG_USEC: "100000", NOTIFY_SOCKET: "@nobody" };
    await withWatchdog(async (watchdog) => {
      const code = watchdog.run();
      await watchdog.healthyChild();
      await watchdog.until(
        "keep-alives",
        async () => watchdog.notified.filter((message) => message === "WATCHDOG=1").length >= 3,
      );
      watchdog.raise("SIGTERM");
      assert.equal(await code, 0);
      const told = watchdog.notified.filter((message) => !message.startsWith("STATUS="));
      assert.match(told[0] ?? "", /^READY=1\nSTATUS=process \d+ serves$/);
      assert.equal(told.at(-1), "STOPPING=1");
      assert.equal(await watchdog.text("journal"), "env |\nAUTH right\n__STOP__\n");
    }, env);
  });

  it("goes on when its files cannot be written any more, and says so once", async () => {
    await withWatchdog(async (watchdog) => {
      const code = watchdog.run();
      const pid = await watchdog.healthyChild();
      // A directory in its place cannot be replaced by a file, not even by root.
      await rm(join(watchdog.directory, "status.json"));
      await mkdir(join(watchdog.directory, "status.json", "x"), { recursive: true });
      await watchdog.until(
        "a complaint",
        async () =>
          watchdog.logged.some((line) => line.startsWith("error") && line.includes("status.json")),
      );
      killProcess(pid);
      await watchdog.until(
        "a second child",
        async () =>
          (await watchdog.events()).filter(({ event }) => event === "child_started").length === 2,
      );
      watchdog.raise("SIGTERM");
      assert.equal(await code, 0);
      assert.equal(watchdog.logged.filter((line) => line.startsWith("error")).length, 1);
    });
  });
});
