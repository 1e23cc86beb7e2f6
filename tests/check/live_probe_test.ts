import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type LiveProbeOptions, type LiveReport, probeLive } from "../../src/check/live_probe.ts";
import { type FakePeer, metricsLine, openFakePeer, type PeerAnswer } from "./fake_peer.ts";
import { realRuntime } from "./real_runtime.ts";

const runtime = await realRuntime();

/** Short where the peer stays silent on purpose; the others answer at once. */
const timeoutMs = 300;
const patientMs = 10_000;

interface Probe {
  readonly tcp?: (line: string) => PeerAnswer;
  readonly udp?: (text: string) => PeerAnswer;
  readonly options?: Partial<LiveProbeOptions>;
}

async function probe(what: Probe): Promise<{ report: LiveReport; peer: FakePeer }> {
  const peer = await openFakePeer(runtime, {
    tcp: what.tcp ?? goodTcp,
    udp: what.udp ?? (() => "M1_UDP_PONG\n"),
  });
  try {
    const report = await probeLive(runtime, {
      host: peer.host,
      tcpPort: peer.tcpPort,
      udpPort: peer.udpPort,
      requireUdp: false,
      timeoutMs: patientMs,
      controlToken: undefined,
      ...what.options,
    });
    return { report, peer };
  } finally {
    await peer.close();
  }
}

function goodTcp(line: string): PeerAnswer {
  if (line === "M1_CONN_PING") return "M1_CONN_PONG\n";
  return line === "__METRICS__" ? metricsLine() : "ERR_UNKNOWN_TCP\n";
}

function assertFails(report: LiveReport, ...reasons: RegExp[]): void {
  assert.equal(report.ok, false);
  assert.equal(report.reasons.length, reasons.length, report.reasons.join("\n"));
  for (const [index, reason] of reasons.entries()) assert.match(report.reasons[index]!, reason);
}

describe("probeLive() over TCP", () => {
  it("finds a good server healthy without asking UDP or figures", async () => {
    const { report, peer } = await probe({ udp: () => "silent" });
    assert.deepEqual([report.ok, report.reasons], [true, []]);
    assert.equal(typeof report.tcp_ms, "number");
    assert.deepEqual([report.udp_ms, report.figures], [null, null]);
    assert.deepEqual(peer.received, ["M1_CONN_PING"]);
  });

  it("says that a silent server gave nothing in time", async () => {
    const { report } = await probe({ tcp: () => "silent", options: { timeoutMs } });
    assertFails(report, /M1_CONN_PING.*nothing within \d+ ms|tcp probe: nothing within \d+ ms/);
    assert.equal(report.tcp_ms, null);
  });

  it("says what a wrong reply was", async () => {
    const { report } = await probe({ tcp: () => "m1_conn_pong\n" });
    assertFails(report, /expected "M1_CONN_PONG", got "m1_conn_pong"/);
  });

  it("takes half a reply for none and shows it", async () => {
    const { report } = await probe({ tcp: () => "M1_CONN_", options: { timeoutMs } });
    assertFails(report, /nothing within \d+ ms(, after "M1_CONN_")?/);
  });

  it("says that a server closed instead of answering", async () => {
    const { report } = await probe({ tcp: () => ({ close: true, after: "M1_CONN" }) });
    assertFails(report, /it closed, after "M1_CONN"/);
  });

  it("waits for a slow server within the limit, not beyond", async () => {
    const slow = { text: "M1_CONN_PONG\n", delayMs: timeoutMs };
    assert.equal((await probe({ tcp: () => slow })).report.ok, true);
    const { report } = await probe({ tcp: () => slow, options: { timeoutMs: 50 } });
    assertFails(report, /nothing within \d+ ms/);
  });

  it("names the address when nobody listens", async () => {
    const { peer } = await probe({});
    const options = { host: peer.host, tcpPort: peer.tcpPort, udpPort: peer.udpPort };
    const report = await probeLive(runtime, {
      ...options,
      requireUdp: false,
      timeoutMs: patientMs,
      controlToken: undefined,
    });
    assertFails(report, new RegExp(`Cannot connect to tcp 127.0.0.1:${peer.tcpPort}`));
  });

  it("bounds what a server may send", async () => {
    const { report } = await probe({ tcp: () => "x".repeat(3 << 20) });
    assertFails(report, /sent more than 1048576 bytes/);
  });
});

describe("probeLive() over UDP", () => {
  it("reports both ways of a good server", async () => {
    const { report } = await probe({ options: { requireUdp: true } });
    assert.equal(report.ok, true);
    assert.equal(typeof report.udp_ms, "number");
  });

  it("fails on silence, a wrong reply and one without line end", async () => {
    for (
      const [answer, reason] of [
        ["silent", /No reply to "M1_UDP_PING" from udp .*nothing within 300 ms|refused/i],
        ["M1_CONN_PONG\n", /expected "M1_UDP_PONG", got "M1_CONN_PONG"/],
        ["M1_UDP_PONG", /has no line end/],
      ] as const
    ) {
      const { report } = await probe({
        udp: () => answer,
        options: { requireUdp: true, timeoutMs },
      });
      assertFails(report, reason);
    }
  });

  it("reports the faults of TCP and UDP together", async () => {
    const { report } = await probe({
      tcp: () => "no\n",
      udp: () => "no\n",
      options: { requireUdp: true },
    });
    assert.equal(report.reasons.length, 2, report.reasons.join("\n"));
  });
});

describe("probeLive() on figures", () => {
  it("compares them with the limits, both ends allowed", async () => {
    const limits = { errorCountMax: 7, timerTickCountMin: 7, ioPollCountMin: 7 };
    const good = await probe({ options: limits });
    assert.equal(good.report.ok, true, good.report.reasons.join("\n"));
    assert.equal(good.report.figures?.error_count, 7);
    const bad = await probe({
      options: { errorCountMax: 6, timerTickCountMin: 8, ioPollCountMin: 9 },
    });
    assertFails(
      bad.report,
      /error_count is 7, allowed ≤ 6/,
      /timer_tick_count is 7, allowed ≥ 8/,
      /io_poll_count is 7, allowed ≥ 9/,
    );
  });

  it("takes a limit of 0 for a limit", async () => {
    const { report } = await probe({ options: { errorCountMax: 0 } });
    assertFails(report, /error_count is 7, allowed ≤ 0/);
  });

  it("explains ERR_FORBIDDEN", async () => {
    const tcp = (line: string) => line === "__METRICS__" ? "ERR_FORBIDDEN\n" : goodTcp(line);
    assertFails(
      (await probe({ tcp, options: { ioPollCountMin: 1 } })).report,
      /ERR_FORBIDDEN.*control_token/,
    );
    const optional = await probe({ tcp, options: { wantFigures: true } });
    assert.deepEqual([optional.report.ok, optional.report.figures], [true, null]);
  });

  it("sends the token first and never shows it", async () => {
    const controlToken = "a-secret-of-enough-length";
    const refusing = (line: string) => line.startsWith("AUTH:") ? "ERR_FORBIDDEN\n" : goodTcp(line);
    const refused = await probe({ tcp: refusing, options: { controlToken, ioPollCountMin: 1 } });
    assertFails(refused.report, /token was refused/);
    const silent = (line: string): PeerAnswer =>
      line.startsWith("AUTH:") ? "silent" : goodTcp(line);
    const ignored = await probe({
      tcp: silent,
      options: { controlToken, ioPollCountMin: 1, timeoutMs },
    });
    for (const { report } of [refused, ignored]) {
      assert.equal(report.ok, false);
      assert.equal(JSON.stringify(report).includes(controlToken), false);
    }
    const taking = (line: string) => line.startsWith("AUTH:") ? "AUTH_OK\n" : goodTcp(line);
    const taken = await probe({ tcp: taking, options: { controlToken, ioPollCountMin: 1 } });
    assert.equal(taken.report.ok, true);
    assert.deepEqual(taken.peer.received, ["M1_CONN_PING", `AUTH:${controlToken}`, "__METRICS__"]);
  });

  it("names the first fields that are missing or no whole numbers", async () => {
    for (
      const [line, reason] of [
        ["no json\n", /which is no JSON/],
        ["[]\n", /no JSON object/],
        [metricsLine({ error_count: "7" }), /error_count is "7"; each must be a whole number/],
        [metricsLine({ uptime_ms: 1.5 }), /uptime_ms is 1.5/],
        [metricsLine({ udp_port: undefined }), /udp_port is undefined/],
        [metricsLine({ runtime_name: 1 }), /runtime_name is 1/],
      ] as const
    ) {
      const tcp = (asked: string) => asked === "__METRICS__" ? line : goodTcp(asked);
      assertFails((await probe({ tcp, options: { errorCountMax: 9 } })).report, reason);
    }
  });
});
