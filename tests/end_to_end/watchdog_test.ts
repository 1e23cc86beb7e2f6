import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { describe, it } from "node:test";
import { askServer, withDirectory } from "./run_program.ts";
import {
  isServe,
  killingAfterwards,
  startWatchdog,
  until,
  type WatchdogProgram,
  writeConfig,
} from "./watchdog_program.ts";

const kills = 20;
/** Promised are 3 s; a machine that is busy with other tests may need longer. */
const backMsMax = 10_000;

const quickProbes = ["--health-interval-s", "0.2", "--health-timeout-ms", "500"];
/** Longer than a test: it ends when the last client leaves. */
const longDrain = { FREEKILL_GW_DRAIN_SECONDS: "60" };
const quickRestarts = ["--restart-delay-s", "0.1"];

describe("freekill-gw watchdog", () => {
  it(`brings the server back after each of ${kills} kills, with every acknowledged state`, async () => {
    await withWatchdog({}, async (watchdog) => {
      let pid = await watchdog.healthyChild();
      let statusReads = 0;
      const reader = setInterval(() => {
        assert.equal(Object.keys(watchdog.status()).length, 11);
        statusReads++;
      }, 1);
      const backMs: number[] = [];
      for (let n = 1; n <= kills; n++) {
        const state = `state-${n}-${"x".repeat(n * 50)}`;
        const saved = await askServer(watchdog.tcpPort, `M4_SAVE_STATE:${state}`);
        assert.equal(saved, `M4_SAVE_OK:${state}`);
        const killedAt = performance.now();
        process.kill(pid, "SIGKILL");
        const loaded = await until("an answer", retrying(watchdog.tcpPort));
        backMs.push(performance.now() - killedAt);
        assert.equal(loaded, `M4_LOAD_OK:${state}`);
        pid = await watchdog.healthyChild(pid);
        assert.equal(watchdog.status()["restart_count"], n);
      }
      clearInterval(reader);
      const sorted = backMs.toSorted((a, b) => a - b).map((ms) => Math.round(ms));
      console.log(
        `back after kill -9: median ${sorted[kills / 2]} ms, longest ${sorted.at(-1)} ms ` +
          `of ${kills} (restart_delay_s 1.5); the status was read ${statusReads} times`,
      );
      assert.ok(Math.max(...backMs) < backMsMax, `${sorted.at(-1)} ms`);
      assert.ok(statusReads > kills);
      await stop(watchdog);
    });
  });

  it("restarts a server that hangs: __STOP__, SIGTERM and SIGKILL in turn", async () => {
    const flags = [...quickProbes, ...quickRestarts, "--start-grace-s", "0.5"];
    await withWatchdog({ flags }, async (watchdog) => {
      const pid = await watchdog.healthyChild();
      process.kill(pid, "SIGSTOP");
      await watchdog.healthyChild(pid);
      const stopped = await watchdog.event(({ event }) => event === "child_stopped");
      const { child_pid, step, signal, reason } = stopped;
      const expected = { child_pid: pid, step: "killed", signal: "SIGKILL", reason: "unhealthy" };
      assert.deepEqual({ child_pid, step, signal, reason }, expected);
      const streaks = watchdog.events()
        .filter(({ event, child_pid }) => event === "health_check_failed" && child_pid === pid)
        .flatMap(({ health_failure_streak: streak }) => streak === 0 ? [] : streak);
      assert.deepEqual(streaks.slice(-3), [1, 2, 3]);
      await stop(watchdog);
    });
  });

  it("ends with 0 on SIGTERM, its server with it", async () => {
    await withWatchdog({}, async (watchdog) => {
      const pid = await watchdog.healthyChild();
      await stop(watchdog);
      assert.equal(isServe(pid), false);
      const { child_running, child_pid } = watchdog.status();
      assert.deepEqual({ child_running, child_pid }, { child_running: false, child_pid: null });
      const stopped = await watchdog.event(({ event }) => event === "child_stopped");
      assert.deepEqual([stopped["step"], stopped["code"]], ["asked", 0]);
    });
  });

  for (
    const [what, stop] of [
      [
        "Ctrl-C at a terminal",
        (watchdog: WatchdogProgram) => process.kill(-watchdog.pid, "SIGINT"),
      ],
      ["a signal that the server got as well", (watchdog: WatchdogProgram, pid: number) => {
        process.kill(pid, "SIGTERM");
        watchdog.signal("SIGTERM");
      }],
    ] as const
  ) {
    it(`lets the server drain on ${what}`, async () => {
      const options = { ownGroup: true, env: longDrain };
      await withWatchdog(options, async (watchdog) => {
        const pid = await watchdog.healthyChild();
        const client = await HeldConnection.open(watchdog.tcpPort);
        stop(watchdog, pid);
        await watchdog.event(({ event }) => event === "signal_received");
        await untilRefused(watchdog.tcpPort);
        assert.equal(await client.ask("M1_CONN_PING"), "M1_CONN_PONG");
        client.close();
        assert.equal(await watchdog.exited, 0, watchdog.stderr);
        const stopped = await watchdog.event(({ event }) => event === "child_stopped");
        assert.deepEqual([stopped["step"], stopped["code"]], ["asked", 0]);
        assert.doesNotMatch(watchdog.stderr, /stopping at once/);
      });
    });
  }

  it("ends all at once on a second Ctrl-C", async () => {
    const options = { ownGroup: true, env: longDrain };
    await withWatchdog(options, async (watchdog) => {
      const pid = await watchdog.healthyChild();
      const client = await HeldConnection.open(watchdog.tcpPort);
      process.kill(-watchdog.pid, "SIGINT");
      await untilRefused(watchdog.tcpPort);
      process.kill(-watchdog.pid, "SIGINT");
      assert.equal(await watchdog.exited, 0, watchdog.stderr);
      client.close();
      assert.equal(isServe(pid), false);
      const stopped = await watchdog.event(({ event }) => event === "child_stopped");
      assert.equal(stopped["step"], "killed");
    });
  });

  it("ends with 2 when the server refuses its configuration, and repeats its words", async () => {
    await withWatchdog({ flags: quickRestarts }, async (watchdog, directory) => {
      const pid = await watchdog.healthyChild();
      writeConfig(directory, { tcp_port: 99_999 });
      process.kill(pid, "SIGKILL");
      assert.equal(await watchdog.exited, 2);
      assert.match(watchdog.stderr, /tcp_port.*99999/);
    });
  });

  it("ends with 2 at the restart limit", async () => {
    const flags = [...quickRestarts, "--max-restarts", "1"];
    await withWatchdog({ flags }, async (watchdog) => {
      const first = await watchdog.healthyChild();
      process.kill(first, "SIGKILL");
      process.kill(await watchdog.healthyChild(first), "SIGKILL");
      assert.equal(await watchdog.exited, 2);
      assert.deepEqual(watchdog.events().slice(-2).map(({ event }) => event), [
        "restart_limit_reached",
        "watchdog_stopping",
      ]);
    });
  });

  it("reports an orphan that holds the port, and starts when that is gone", async () => {
    await withDirectory(async (directory) => {
      const first = await startWatchdog(directory);
      await killingAfterwards([first], async () => {
        const orphan = await first.healthyChild();
        // Stopped, so that it cannot notice that its watchdog is gone.
        process.kill(orphan, "SIGSTOP");
        first.signal("SIGKILL");
        await first.exited;
        const second = await startWatchdog(directory, { tcpPort: first.tcpPort });
        await killingAfterwards([second], async () => {
          const held = await second.event(({ event }) => event === "port_held");
          assert.match(
            String(held["detail"]),
            new RegExp(
              `^TCP port 127.0.0.1:${second.tcpPort} is still held by process ${orphan}, a server ` +
                `that an earlier watchdog left behind; end it: kill ${orphan}$`,
            ),
          );
          assert.match(second.stderr, new RegExp(`is still held by process ${orphan}`));
          process.kill(orphan, "SIGKILL");
          await second.healthyChild(orphan);
          await stop(second);
        });
      });
    });
  });

  it("refuses to run twice in a directory", async () => {
    await withWatchdog({}, async (watchdog, directory) => {
      const pid = await watchdog.healthyChild();
      const second = await startWatchdog(directory, { tcpPort: watchdog.tcpPort });
      assert.equal(await second.exited, 3);
      assert.match(second.stderr, /another watchdog is running/);
      assert.equal(await watchdog.healthyChild(), pid);
      await stop(watchdog);
    });
  });

  it("hands its child a token that no file, argument or log shows", async () => {
    await withWatchdog({}, async (watchdog, directory) => {
      const pid = await watchdog.healthyChild();
      const environment = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
      const name = "FREEKILL_GW_CHILD_TOKEN=";
      const token = environment.find((line) => line.startsWith(name))?.slice(name.length) ?? "";
      assert.match(token, /^[0-9a-f]{32}$/);
      await stop(watchdog);
      const texts = [
        watchdog.stderr,
        watchdog.events().map((event) => JSON.stringify(event)).join(),
      ];
      for (const file of readdirSync(join(directory, "data"))) {
        texts.push(readFileSync(join(directory, "data", file), "latin1"));
      }
      for (const text of texts) assert.ok(!text.includes(token));
    });
  });

  it("tells a service manager over its socket: READY, WATCHDOG and STOPPING", async () => {
    await withDirectory(async (directory) => {
      const socket = join(directory, "notify.sock");
      const receiver = Bun.spawn(["perl", "-MIO::Socket::UNIX", "-e", receiverProgram, socket], {
        stdout: "pipe",
      });
      const received = { text: "" };
      void (async () => {
        const decoder = new TextDecoder();
        for await (const bytes of receiver.stdout) received.text += decoder.decode(bytes);
      })();
      const has = (message: string) => () => received.text.includes(`${message}\n`) || undefined;
      await until("the receiver", has("listening"));
      const env = { NOTIFY_SOCKET: socket, WATCHDOG_USEC: "400000" };
      const watchdog = await startWatchdog(directory, { env });
      await killingAfterwards([watchdog], async () => {
        await until("READY=1", has("READY=1"));
        await until("WATCHDOG=1", has("WATCHDOG=1"));
        await watchdog.healthyChild();
        await stop(watchdog);
        await until("STOPPING=1", has("STOPPING=1"));
      });
      receiver.kill();
      const lines = received.text.split("\n").filter((line) => !line.startsWith("STATUS="));
      assert.equal(lines.filter((line) => line === "READY=1").length, 1);
      assert.ok(lines.indexOf("READY=1") < lines.indexOf("WATCHDOG=1"));
      assert.equal(lines.lastIndexOf("WATCHDOG=1") < lines.indexOf("STOPPING=1"), true);
    });
  });
});

/** Prints each datagram that comes to the socket named by its argument. */
const receiverProgram = `
  $| = 1;
  my $socket = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $ARGV[0]) or die "$!";
  print "listening\\n";
  while (defined $socket->recv(my $message, 65536)) { print "$message\\n"; }
`;

async function withWatchdog(
  options: {
    flags?: readonly string[];
    env?: Readonly<Record<string, string>>;
    ownGroup?: boolean;
  },
  use: (watchdog: WatchdogProgram, directory: string) => Promise<void>,
): Promise<void> {
  await withDirectory(async (directory) => {
    const watchdog = await startWatchdog(directory, options);
    await killingAfterwards([watchdog], () => use(watchdog, directory));
  });
}

async function stop(watchdog: WatchdogProgram): Promise<void> {
  watchdog.signal("SIGTERM");
  assert.equal(await watchdog.exited, 0, watchdog.stderr);
}

/** Asks for the state again and again; the look gives the first answer. */
function retrying(port: number): () => string | undefined {
  let answer: string | undefined;
  const ask = () => {
    askServer(port, "M4_LOAD_STATE").then(
      (reply) => answer = reply,
      () => setTimeout(ask, 20),
    );
  };
  ask();
  return () => answer;
}

/** A connection that has asked once and stays, so that a drain waits for it. */
class HeldConnection {
  readonly #socket: Socket;
  readonly #lines: AsyncIterator<string>;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  }

  static async open(port: number): Promise<HeldConnection> {
    const socket = connect(port, "127.0.0.1");
    await once(socket, "connect");
    const held = new HeldConnection(socket);
    assert.equal(await held.ask("M1_CONN_PING"), "M1_CONN_PONG");
    return held;
  }

  async ask(command: string): Promise<string | undefined> {
    this.#socket.write(`${command}\n`);
    return (await this.#lines.next()).value;
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** Waits until nobody listens any more. */
async function untilRefused(port: number): Promise<void> {
  let refused: true | undefined;
  const ask = () => {
    askServer(port, "M1_CONN_PING").then(() => setTimeout(ask, 20), () => refused = true);
  };
  ask();
  await until("the listener to close", () => refused);
}
