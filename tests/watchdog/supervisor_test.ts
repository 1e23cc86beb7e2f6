import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SupervisorHarness } from "./supervisor_harness.ts";

describe("Supervisor starts and probes", () => {
  it("looks at the port, starts the child and probes it at once when it is ready", () => {
    const machine = new SupervisorHarness();
    assert.deepEqual(machine.send({ kind: "start" }), ["check_port"]);
    const free = { kind: "port_checked", port: { kind: "free" }, fraction: 0 } as const;
    assert.deepEqual(machine.send(free), ["start_child"]);
    assert.deepEqual(machine.send({ kind: "child_started", pid: 7 }), []);
    assert.equal(machine.status?.childPid, 7);
    machine.now = 150;
    assert.deepEqual(machine.send({ kind: "child_ready" }), ["probe 1"]);
    assert.deepEqual(machine.answer("probe 1", true), []);
    assert.deepEqual(machine.status, {
      restartCount: 0,
      healthFailureStreak: 0,
      lastHealthOk: true,
      lastHealthReason: "ok",
      childPid: 7,
    });
    assert.deepEqual(machine.recorded(), ["watchdog_started", "child_started"]);
  });

  it("probes a healthy child each interval, one probe at a time", () => {
    const machine = new SupervisorHarness();
    machine.startHealthy(200);
    assert.deepEqual(machine.runUntil(3_199), []);
    assert.deepEqual(machine.runUntil(3_200), ["probe 2"]);
    assert.deepEqual(machine.runUntil(60_000), []);
    machine.answer("probe 2", true);
    assert.deepEqual(machine.runUntil(60_001), ["probe 3"]);
  });

  it("probes a child that is ready and not healthy yet every 500 ms within the grace time", () => {
    const machine = new SupervisorHarness();
    machine.start();
    machine.send({ kind: "child_ready" });
    machine.answer("probe 1", false);
    assert.deepEqual(machine.runUntil(500), ["probe 2"]);
    assert.equal(machine.status?.healthFailureStreak, 0);
  });

  it("never probes a child that did not say that it is ready: another may hold its port", () => {
    const machine = new SupervisorHarness();
    machine.start();
    assert.deepEqual(machine.runUntil(11_999), []);
    assert.deepEqual(machine.runUntil(15_000), []);
    assert.deepEqual(machine.status?.healthFailureStreak, 2);
    assert.deepEqual(machine.runUntil(18_000), ["kill SIGTERM"]);
  });

  it("ignores the outcome of a probe of a child that is gone", () => {
    const machine = new SupervisorHarness();
    machine.startHealthy();
    const [probe] = machine.runUntil(3_200);
    machine.exit(null, "SIGKILL");
    machine.answer(probe, true);
    machine.runUntil(machine.wakeAt ?? 0);
    machine.startChild();
    machine.answer(probe, true);
    assert.equal(machine.status?.lastHealthOk, false);
    const [next] = machine.send({ kind: "child_ready" });
    machine.answer(probe, true);
    assert.equal(machine.status?.lastHealthOk, false);
    machine.answer(next, true);
    assert.equal(machine.status?.lastHealthOk, true);
  });
});

describe("Supervisor restarts", () => {
  it("restarts a child that was healthy after restart_delay_s, each time", () => {
    const machine = new SupervisorHarness();
    machine.startHealthy();
    for (let time = 1; time <= 20; time++) {
      machine.recorded();
      machine.exit(null, "SIGKILL", 0.99);
      assert.deepEqual(machine.recorded(), ["child_exited", "restart_scheduled"]);
      assert.equal(machine.status?.childPid, null);
      assert.equal(machine.status?.restartCount, time);
      const until = machine.now + 1_500;
      assert.deepEqual(machine.runUntil(until - 1), []);
      assert.deepEqual(machine.runUntil(until), ["check_port"]);
      machine.startChild();
      machine.becomeHealthy();
    }
  });

  it("waits longer and longer, up to 60 s, for a child that dies before a healthy probe", () => {
    const machine = new SupervisorHarness();
    machine.send({ kind: "start" });
    const delays: number[] = [];
    for (let time = 0; time < 8; time++) {
      machine.startChild();
      machine.exit(1, null, 0.999);
      delays.push(Math.round(((machine.wakeAt ?? 0) - machine.now) / 100) / 10);
      machine.runUntil(machine.wakeAt ?? 0);
    }
    assert.deepEqual(delays, [3, 6, 12, 24, 48, 60, 60, 60]);
    machine.startChild();
    machine.becomeHealthy();
    machine.exit(1);
    assert.equal((machine.wakeAt ?? 0) - machine.now, 1_500);
  });

  it("restarts on the third failed probe in a row after the grace time, by __STOP__ first", () => {
    const machine = new SupervisorHarness();
    machine.startHealthy();
    const asked: string[] = [];
    for (let round = 0; round < 40 && !asked.includes("ask_to_stop"); round++) {
      const [probe] = machine.runUntil(machine.wakeAt ?? 0);
      machine.now += 1_200;
      asked.push(...machine.answer(probe, false));
    }
    assert.deepEqual(asked, ["ask_to_stop"]);
    // Probes start 3 s apart from 0.2 s on: the first to end after 12 s is that of 12.2 s.
    assert.equal(machine.now, 18_200 + 1_200);
    assert.equal(machine.status?.healthFailureStreak, 3);
    machine.recorded();
    machine.exit(null, "SIGKILL");
    assert.deepEqual(machine.recorded(), ["child_stopped", "restart_scheduled"]);
  });

  it("forgets failed probes when one succeeds", () => {
    const machine = new SupervisorHarness({ startGraceMs: 0 });
    machine.startHealthy();
    for (const ok of [false, false, true, false, false, true]) {
      const [probe] = machine.runUntil(machine.wakeAt ?? 0);
      assert.deepEqual(machine.answer(probe, ok), []);
    }
    assert.equal(machine.status?.healthFailureStreak, 0);
  });

  it("ends with 2 when max_restarts is used up", () => {
    const machine = new SupervisorHarness({ maxRestarts: 2 });
    machine.startHealthy();
    for (let time = 0; time < 2; time++) {
      machine.exit(1);
      machine.runUntil(machine.wakeAt ?? 0);
      machine.startChild();
      machine.becomeHealthy();
    }
    machine.recorded();
    assert.deepEqual(machine.exit(1), ["exit 2"]);
    assert.deepEqual(
      machine.recorded(),
      ["child_exited", "restart_limit_reached", "watchdog_stopping"],
    );
  });

  it("ends with 2 when the child refuses its configuration, but not once it was ready", () => {
    const before = new SupervisorHarness();
    before.start();
    assert.deepEqual(before.exit(2), ["exit 2"]);
    const after = new SupervisorHarness();
    after.startHealthy();
    assert.deepEqual(after.exit(2), []);
    assert.equal(after.status?.restartCount, 1);
  });

  it("ends with 3 when the program cannot be started at first, and retries later on", () => {
    const failure = { kind: "start_failed", reason: "ENOENT", fraction: 0 } as const;
    const free = { kind: "port_checked", port: { kind: "free" }, fraction: 0 } as const;
    const first = new SupervisorHarness();
    first.send({ kind: "start" });
    first.send(free);
    assert.deepEqual(first.send(failure), ["exit 3"]);
    const later = new SupervisorHarness();
    later.startHealthy();
    later.exit(1);
    later.runUntil(later.wakeAt ?? 0);
    later.send(free);
    assert.deepEqual(later.send(failure), []);
    assert.deepEqual(later.runUntil(later.wakeAt ?? 0), ["check_port"]);
  });

  it("reports a held port, starts nothing and looks again with growing waits", () => {
    const machine = new SupervisorHarness();
    const held = { kind: "held", detail: "TCP port 127.0.0.1:9527 is still held" } as const;
    machine.send({ kind: "start" });
    machine.recorded();
    const waits: number[] = [];
    for (let time = 0; time < 3; time++) {
      assert.deepEqual(machine.send({ kind: "port_checked", port: held, fraction: 0 }), []);
      assert.deepEqual(machine.recorded(), ["port_held", "restart_scheduled"]);
      assert.equal(machine.status?.lastHealthReason, held.detail);
      waits.push((machine.wakeAt ?? 0) - machine.now);
      assert.deepEqual(machine.runUntil(machine.wakeAt ?? 0), ["check_port"]);
    }
    assert.deepEqual(waits, [1_500, 3_000, 6_000]);
  });
});

describe("Supervisor stops", () => {
  it("asks, then SIGTERM after 4 s, then SIGKILL after 4 s more, and ends with 0", () => {
    const machine = new SupervisorHarness();
    machine.startHealthy(0);
    assert.deepEqual(machine.signal("SIGTERM"), ["ask_to_stop"]);
    assert.deepEqual(machine.runUntil(3_999), []);
    assert.deepEqual(machine.runUntil(4_000), ["kill SIGTERM"]);
    assert.deepEqual(machine.runUntil(7_999), []);
    assert.deepEqual(machine.runUntil(8_000), ["kill SIGKILL"]);
    assert.deepEqual(machine.exit(null, "SIGKILL"), ["exit 0"]);
    assert.deepEqual(machine.recorded().slice(2), [
      "signal_received",
      "watchdog_stopping",
      "child_stopped",
    ]);
    assert.equal(machine.status?.childPid, null);
  });

  it("gives a child that acknowledged __STOP__ drainSeconds more", () => {
    const machine = new SupervisorHarness({ drainMs: 30_000 });
    machine.startHealthy(0);
    machine.signal("SIGINT");
    machine.send({ kind: "stop_answered", answer: "acknowledged" });
    assert.deepEqual(machine.runUntil(33_999), []);
    assert.deepEqual(machine.runUntil(34_000), ["kill SIGTERM"]);
    assert.deepEqual(machine.runUntil(38_000), ["kill SIGKILL"]);
  });

  it("sends SIGTERM at once when __STOP__ was not taken, with the drain time after it", () => {
    const machine = new SupervisorHarness({ drainMs: 30_000 });
    machine.startHealthy(0);
    machine.signal("SIGINT");
    const refused = { kind: "stop_answered", answer: "not_taken" } as const;
    assert.deepEqual(machine.send(refused), ["kill SIGTERM"]);
    assert.deepEqual(machine.runUntil(33_999), []);
    assert.deepEqual(machine.runUntil(34_000), ["kill SIGKILL"]);
  });

  it("gives a child that hangs no drain time", () => {
    const settings = { drainMs: 30_000, startGraceMs: 0, maxConsecutiveHealthFailures: 1 };
    const machine = new SupervisorHarness(settings);
    machine.startHealthy(0);
    const [probe] = machine.runUntil(3_000);
    assert.deepEqual(machine.answer(probe, false), ["ask_to_stop"]);
    assert.deepEqual(machine.runUntil(7_000), ["kill SIGTERM"]);
    assert.deepEqual(machine.runUntil(11_000), ["kill SIGKILL"]);
  });

  it("does not ask a child that is not ready: somebody else may read at its port", () => {
    const machine = new SupervisorHarness();
    machine.start();
    assert.deepEqual(machine.signal("SIGTERM"), ["kill SIGTERM"]);
  });

  it("kills at once on a second signal", () => {
    const machine = new SupervisorHarness();
    machine.startHealthy(0);
    machine.signal("SIGINT");
    assert.deepEqual(machine.signal("SIGINT"), ["kill SIGKILL"]);
    assert.deepEqual(machine.signal("SIGINT"), []);
    assert.deepEqual(machine.exit(null, "SIGKILL"), ["exit 0"]);
  });

  it("stops the child that was just being started", () => {
    const machine = new SupervisorHarness();
    machine.send({ kind: "start" });
    machine.send({ kind: "port_checked", port: { kind: "free" }, fraction: 0 });
    assert.deepEqual(machine.signal("SIGTERM"), []);
    assert.deepEqual(machine.send({ kind: "child_started", pid: 5 }), ["kill SIGTERM"]);
    assert.deepEqual(machine.exit(null, "SIGTERM"), ["exit 0"]);
  });

  it("ends at once while it waits for a restart or looks at the port", () => {
    const waiting = new SupervisorHarness();
    waiting.startHealthy();
    waiting.exit(1);
    assert.deepEqual(waiting.signal("SIGTERM"), ["exit 0"]);
    const checking = new SupervisorHarness();
    checking.send({ kind: "start" });
    assert.deepEqual(checking.signal("SIGTERM"), ["exit 0"]);
    const late = { kind: "port_checked", port: { kind: "free" }, fraction: 0 } as const;
    assert.deepEqual(checking.send(late), []);
  });

  it("does not restart a hanging child that it is stopping when a signal comes", () => {
    const machine = new SupervisorHarness({ startGraceMs: 0, maxConsecutiveHealthFailures: 1 });
    machine.startHealthy(0);
    const [probe] = machine.runUntil(3_000);
    assert.deepEqual(machine.answer(probe, false), ["ask_to_stop"]);
    assert.deepEqual(machine.signal("SIGTERM"), []);
    assert.deepEqual(machine.runUntil(20_000), ["kill SIGTERM", "kill SIGKILL"]);
    assert.deepEqual(machine.exit(null, "SIGKILL"), ["exit 0"]);
  });

  it("ends with 3 when the child survives SIGKILL, and starts no second one beside it", () => {
    const machine = new SupervisorHarness({ startGraceMs: 0, maxConsecutiveHealthFailures: 1 });
    machine.startHealthy(0);
    const [probe] = machine.runUntil(3_000);
    machine.answer(probe, false);
    assert.deepEqual(machine.runUntil(300_000), ["kill SIGTERM", "kill SIGKILL"]);
    machine.signal("SIGTERM");
    assert.deepEqual(machine.runUntil(320_000), ["exit 3"]);
    assert.notEqual(machine.status?.childPid, null);
  });

  it("passes SIGHUP on to a child that is ready, and to no other", () => {
    const machine = new SupervisorHarness();
    machine.start();
    assert.deepEqual(machine.signal("SIGHUP"), []);
    machine.becomeHealthy();
    assert.deepEqual(machine.signal("SIGHUP"), ["kill SIGHUP"]);
  });
});

describe("Supervisor tells the service manager", () => {
  it("says READY=1 once, and WATCHDOG=1 only while the last probe was good", () => {
    const machine = new SupervisorHarness({ keepAliveMs: 1_000, startGraceMs: 0 });
    machine.start();
    assert.ok(!machine.notified.some((message) => /READY|WATCHDOG/.test(message)));
    machine.becomeHealthy(0);
    assert.equal(machine.notified.filter((message) => message.startsWith("READY=1")).length, 1);
    const [probe] = machine.runUntil(3_000);
    assert.equal(count(machine, "WATCHDOG=1"), 4);
    machine.answer(probe, false);
    machine.runUntil(5_999);
    assert.equal(count(machine, "WATCHDOG=1"), 4);
    machine.answer(machine.runUntil(6_000)[0], true);
    assert.equal(count(machine, "WATCHDOG=1"), 5);
    machine.exit(1);
    machine.runUntil(machine.wakeAt ?? 0);
    machine.startChild();
    assert.equal(count(machine, "WATCHDOG=1"), 5);
    machine.becomeHealthy();
    assert.equal(machine.notified.filter((message) => message.includes("READY=1")).length, 1);
    assert.equal(count(machine, "WATCHDOG=1"), 6);
  });

  it("says WATCHDOG=1 at each good probe too, however seldom it was asked to", () => {
    const machine = new SupervisorHarness({ keepAliveMs: 60_000 });
    machine.startHealthy(0);
    for (let time = 3_000; time <= 15_000; time += 3_000) {
      machine.answer(machine.runUntil(time)[0], true);
    }
    assert.equal(count(machine, "WATCHDOG=1"), 6);
  });

  it("says STOPPING=1 when it is going to end", () => {
    const machine = new SupervisorHarness();
    machine.startHealthy();
    machine.signal("SIGTERM");
    assert.equal(count(machine, "STOPPING=1"), 1);
  });
});

function count(machine: SupervisorHarness, message: string): number {
  return machine.notified.filter((notified) => notified === message).length;
}
