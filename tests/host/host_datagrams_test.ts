import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  type DatagramOutcome,
  type DiscoveryAnswers,
  HostDatagrams,
} from "../../src/host/host_datagrams.ts";
import { encodePing } from "../../src/wire/host_protobuf.ts";
import { bytes, type HostFixture, hostFixture } from "./host_fixture.ts";

const far = "192.0.2.1";

function datagrams(fixture: HostFixture = hostFixture(), discovery?: DiscoveryAnswers) {
  const machine = new HostDatagrams({ ...fixture, discovery });
  const send = (
    request: string | Uint8Array,
    from: { host?: string; port?: number; onGamePort?: boolean; now?: number } = {},
  ): DatagramOutcome =>
    machine.handle({
      bytes: typeof request === "string" ? bytes(request) : request,
      host: from.host ?? "127.0.0.1",
      port: from.port ?? 5_000,
      onGamePort: from.onGamePort ?? false,
    }, from.now ?? 0);
  return { ...fixture, machine, send };
}

function text(outcome: DatagramOutcome): string {
  return "bytes" in outcome ? new TextDecoder().decode(outcome.bytes) : outcome.kind;
}

describe("HostDatagrams", () => {
  it("HostDatagrams.handle() answers a command with or without a line end", () => {
    const { send } = datagrams();
    assert.equal(text(send("M1_UDP_PING")), "M1_UDP_PONG\n");
    assert.equal(text(send("M1_CONN_PING\r\n")), "M1_CONN_PONG\n");
    assert.equal(text(send("no such thing")), "ERR_UNKNOWN_UDP\n");
    assert.equal(text(send("M6_STABILITY\nM6_STABILITY")), "ERR_UNKNOWN_UDP\n");
    assert.equal(text(send("\n")), "silence");
    assert.equal(text(send("")), "silence");
  });

  it("HostDatagrams.handle() leaves unknown text on the game's port unanswered", () => {
    const { send } = datagrams();
    assert.equal(text(send("M1_UDP_PING", { onGamePort: true })), "M1_UDP_PONG\n");
    assert.equal(text(send("no such thing", { onGamePort: true })), "silence");
    assert.equal(text(send("x".repeat(3_000), { onGamePort: true })), "silence");
    for (const onGamePort of [true, false]) {
      assert.equal(text(send("fkDetectServer", { onGamePort })), "silence");
      assert.equal(text(send("fkGetDetail,1", { onGamePort })), "silence");
    }
  });

  it("HostDatagrams.handle() asks the game about its discovery, on both ports, and nothing else", () => {
    const asked: string[] = [];
    const discovery = {
      isDiscovery: (request: Uint8Array) => request[0] === 0x66,
      answer: (request: Uint8Array, host: string, now: number) => {
        asked.push(`${new TextDecoder().decode(request)} ${host} ${now}`);
        return request.length > 2 ? bytes("me") : undefined;
      },
    };
    const { send } = datagrams(hostFixture(), discovery);
    for (const onGamePort of [true, false]) {
      assert.equal(text(send("fk1", { onGamePort, host: far, now: 7 })), "me");
      assert.equal(text(send("fk", { onGamePort, host: far, now: 8 })), "silence");
      assert.equal(text(send("M1_UDP_PING", { onGamePort })), "M1_UDP_PONG\n");
      // What is nearly discovery is no unknown command either.
      assert.equal(text(datagrams().send("fkDetectServer!", { onGamePort })), "silence");
    }
    assert.equal(text(send("no such thing")), "ERR_UNKNOWN_UDP\n");
    assert.deepEqual(asked, [`fk1 ${far} 7`, `fk ${far} 8`, `fk1 ${far} 7`, `fk ${far} 8`]);
  });

  it("HostDatagrams.handle() refuses an over-long datagram and counts it", () => {
    const { send, metrics } = datagrams();
    assert.equal(text(send("M4_SAVE_STATE:".padEnd(2_049, "x"))), "ERR_CODEC_COMMAND_TOO_LARGE\n");
    assert.equal(send("M4_SAVE_STATE:".padEnd(2_048, "x")).kind, "task");
    assert.equal(metrics.codec_error_count, 1);
    assert.equal(metrics.rejected_command_count, 1);
  });

  it("HostDatagrams.handle() never answers what is a reply itself", () => {
    const { send } = datagrams();
    for (const reply of ["ERR_UNKNOWN_UDP", "ERR_", "M1_UDP_PONG", "M4_LOAD_OK:x", "M6_OK"]) {
      assert.equal(text(send(reply)), "silence", reply);
    }
  });

  it("HostDatagrams.handle() answers others with at most three times their bytes", () => {
    const { send } = datagrams();
    assert.equal(text(send("a", { host: far })), "silence");
    assert.equal(text(send("a")), "ERR_UNKNOWN_UDP\n");
    const allowed = datagrams(hostFixture({ access: { allow: [far] } }));
    assert.equal(text(allowed.send("__METRICS__", { host: far })), "silence");
    fc.assert(fc.property(fc.string({ maxLength: 60 }), (request) => {
      const outcome = allowed.send(request, { host: far });
      assert.ok(!("bytes" in outcome) || outcome.bytes.length <= 3 * bytes(request).length);
    }));
  });

  it("HostDatagrams.handle() takes changes from this machine only", () => {
    const { send } = datagrams(hostFixture({ access: { allow: [far] } }));
    for (const verb of ["__STOP__", "M4_SAVE_STATE:x", "M3_REGISTER_FUNC:x", "M4_DELETE_STATE"]) {
      assert.equal(text(send(verb, { host: far })), "ERR_FORBIDDEN\n", verb);
    }
    assert.equal(send("__STOP__").kind, "stop_server");
  });

  it("HostDatagrams.handle() answers a Ping with one datagram, a malformed one with none", () => {
    const { send, metrics } = datagrams();
    const ping = encodePing({ payload: "foo", seq: 7, keep: true });
    const outcome = send(ping);
    assert.ok(outcome.kind === "reply");
    assert.deepEqual([...outcome.bytes], [10, 3, 70, 79, 79, 16, 7, 24, 1]);
    for (let at = 1; at < ping.length; at++) {
      const { kind } = send(ping.subarray(0, at));
      assert.equal(kind, at === 5 || at === 7 ? "reply" : "silence", `at ${at}`);
    }
    assert.equal(metrics.protobuf_request_count, 3);
    assert.equal(metrics.codec_error_count, 6);
  });

  it("HostDatagrams.handle() ends a Pong's way back and forth between two servers", () => {
    const { send } = datagrams();
    const pong = encodePing({ payload: "FOO", seq: 7, keep: true });
    const answered = Array.from({ length: 100 }, () => send(pong, { host: far, port: 9_527 }));
    const count = answered.filter(({ kind }) => kind === "reply").length;
    assert.ok(count > 0 && count < 20, `${count} were answered`);
    assert.equal(send(pong, { host: far, port: 9_528 }).kind, "reply", "another sender's is");
    assert.equal(send(pong, { host: far, port: 9_527, now: 5_000 }).kind, "reply", "and later");
  });

  it("HostDatagrams.replyTo() replaces a reply that no datagram can carry", () => {
    const { machine, metrics } = datagrams();
    const reply = (text: string) =>
      new TextDecoder().decode(machine.replyTo({ host: "127.0.0.1" }, 10, text));
    assert.equal(reply("x".repeat(65_506)).length, 65_507);
    assert.equal(reply("x".repeat(65_507)), "ERR_CODEC_FRAME_TOO_LARGE\n");
    assert.equal(metrics.rejected_command_count, 1);
  });

  it("HostDatagrams.handle() never throws, whatever the bytes", () => {
    const { send } = datagrams();
    fc.assert(fc.property(fc.uint8Array({ maxLength: 3_000 }), (request) => {
      send(request, { host: far });
    }));
  });
});
