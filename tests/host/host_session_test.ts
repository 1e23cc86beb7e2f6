import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { blockedMsMax, HostSession } from "../../src/host/host_session.ts";
import { pingSilenceMs } from "../../src/host/ping_stream.ts";
import type { ReplySlot, SessionEffect } from "../../src/host/session_events.ts";
import { waitingRepliesMax } from "../../src/host/text_stream.ts";
import { encodePing } from "../../src/wire/host_protobuf.ts";
import { bytes, data, hostFixture, kinds, written } from "./host_fixture.ts";

const slotsOf = (effects: readonly SessionEffect[]): ReplySlot[] =>
  effects.flatMap((effect) => effect.kind === "task" ? [effect.slot] : []);

describe("HostSession with text", () => {
  it("HostSession.handle() answers lines in one write, wherever they are split", () => {
    const stream = "M1_CONN_PING\r\n\nM1_UDP_PING\nM6_STABILITY\nwhat?\nM4_DB_HEALTH\n";
    const expected = "M1_CONN_PONG\nM1_UDP_PONG\nM6_OK\nERR_UNKNOWN_TCP\nM4_DB_HEALTHY\n";
    const whole = hostFixture().session().handle(data(stream), 0);
    assert.deepEqual(kinds(whole), ["write"]);
    assert.equal(written(whole), expected);
    for (let at = 1; at < stream.length; at++) {
      const session = hostFixture().session();
      const effects = [
        ...session.handle(data(stream.slice(0, at)), 0),
        ...session.handle(data(stream.slice(at)), 0),
      ];
      assert.equal(written(effects), expected, `at ${at}`);
    }
  });

  it("HostSession.handle() keeps the order of replies when tasks finish in another", () => {
    const { session, metrics } = hostFixture();
    const one = session();
    const first = one.handle(data("M4_LOAD_STATE\nM1_CONN_PING\nM3_LUA_HELLO\nM6_STABILITY\n"), 0);
    assert.deepEqual(kinds(first), ["task", "task"]);
    const [load, hello] = slotsOf(first);
    assert.ok(load && hello);
    assert.deepEqual(one.handle({ kind: "replied", slot: hello, text: "HELLO" }, 1), []);
    const all = one.handle({ kind: "replied", slot: load, text: "LOAD" }, 2);
    assert.equal(written(all), "LOAD\nM1_CONN_PONG\nHELLO\nM6_OK\n");
    assert.equal(metrics.tcp_tx_packet_count, 4);
  });

  it("HostSession.handle() reads figures when it is their turn", () => {
    const { session, metrics } = hostFixture();
    const one = session();
    const [slot] = slotsOf(one.handle(data("M4_LOAD_STATE\nM4_DB_HEALTH\n__METRICS__\n"), 0));
    assert.ok(slot);
    metrics.db_rollback_count = 3;
    const text = written(one.handle({ kind: "replied", slot, text: "X" }, 1));
    const [, health, figures] = text.split("\n");
    assert.equal(health, "M4_DB_ALERT");
    assert.equal(JSON.parse(figures ?? "").db_rollback_count, 3);
  });

  it("HostSession.handle() refuses an over-long line once and goes on", () => {
    const { session, metrics } = hostFixture();
    const text = written(session().handle(data(`${"x".repeat(5_000)}\nM1_CONN_PING\n`), 0));
    assert.equal(text, "ERR_CODEC_COMMAND_TOO_LARGE\nM1_CONN_PONG\n");
    assert.equal(metrics.codec_error_count, 1);
    assert.equal(metrics.rejected_command_count, 1);
  });

  it("HostSession.handle() closes on an HTTP request and runs nothing of it", () => {
    const long = "x".repeat(5_000);
    for (const line of ["POST / HTTP/1.1\r\n", `GET /${long} HTTP/1.1\r\n`]) {
      const { session } = hostFixture();
      const effects = session().handle(data(`${line}Host: a\r\n\r\n__STOP__\n`), 0);
      assert.deepEqual(kinds(effects), ["destroy:http_request"], line.slice(0, 20));
    }
  });

  it("HostSession.handle() takes an HTTP line after the first for an unknown command", () => {
    const effects = hostFixture().session().handle(data("M6_STABILITY\nGET / HTTP/1.1\n"), 0);
    assert.equal(written(effects), "M6_OK\nERR_UNKNOWN_TCP\n");
  });

  it("HostSession.handle() closes after five wrong tokens, and answers each", () => {
    const { session, metrics } = hostFixture({ access: { token: "0123456789abcdef" } });
    const effects = session().handle(data("AUTH:wrong\n".repeat(7)), 0);
    assert.equal(written(effects), "ERR_FORBIDDEN\n".repeat(5));
    assert.deepEqual(kinds(effects), ["write", "end:auth_failed"]);
    assert.equal(metrics.rejected_command_count, 5);
  });

  it("HostSession.handle() opens the control verbs after the right token", () => {
    const { session } = hostFixture({ access: { token: "0123456789abcdef" } });
    const one = session("192.0.2.1");
    const text = written(
      one.handle(data("M4_DB_HEALTH\nAUTH:0123456789abcdef\nM4_DB_HEALTH\n"), 0),
    );
    assert.equal(text, "ERR_FORBIDDEN\nAUTH_OK\nM4_DB_HEALTHY\n");
  });

  it("HostSession.handle() stops reading while too many replies wait, and goes on after", () => {
    const { session } = hostFixture();
    const one = session();
    const effects = one.handle(data("M4_LOAD_STATE\n" + "M6_STABILITY\n".repeat(3_000)), 0);
    assert.deepEqual(kinds(effects), ["task", "pause"]);
    assert.equal(one.inputWaits, true);
    const [slot] = slotsOf(effects);
    assert.ok(slot);
    const more = one.handle({ kind: "replied", slot, text: "L" }, 0);
    assert.equal(written(more), "L\n" + "M6_OK\n".repeat(3_000));
    assert.deepEqual(kinds(more), ["write", "resume"]);
    assert.ok(waitingRepliesMax < 3_000);
  });

  it("HostSession.handle() answers nothing while the peer does not read, then all", () => {
    const one = hostFixture().session();
    assert.equal(written(one.handle(data("M6_STABILITY\n"), 0)), "M6_OK\n");
    assert.deepEqual(kinds(one.handle({ kind: "blocked" }, 10)), ["pause"]);
    assert.deepEqual(one.handle(data("M6_STABILITY\n".repeat(2)), 20), []);
    const after = one.handle({ kind: "writable" }, 30);
    assert.equal(written(after), "M6_OK\nM6_OK\n");
    assert.deepEqual(kinds(after), ["write", "resume"]);
  });

  it("HostSession.handle() cuts off a peer that does not read for too long", () => {
    const one = hostFixture().session();
    one.handle(data("M6_STABILITY\n"), 0);
    one.handle({ kind: "blocked" }, 10);
    assert.deepEqual(one.handle({ kind: "sweep" }, 10 + blockedMsMax), []);
    assert.deepEqual(kinds(one.handle({ kind: "sweep" }, 11 + blockedMsMax)), [
      "destroy:slow_consumer",
    ]);
    assert.deepEqual(one.handle(data("M6_STABILITY\n"), 50_000), []);
  });

  it("HostSession.handle() drops a peer that floods while its replies wait", () => {
    const one = hostFixture().session();
    one.handle(data("M6_STABILITY\n"), 0);
    one.handle({ kind: "blocked" }, 0);
    let effects: SessionEffect[] = [];
    for (let i = 0; i < 200 && effects.length === 0; i++) {
      effects = one.handle(data("x".repeat(9_999)), 1);
    }
    assert.deepEqual(kinds(effects), ["destroy:flood"]);
  });

  it("HostSession.handle() gives a half-closed peer its replies, then closes", () => {
    const one = hostFixture().session();
    const [slot] = slotsOf(one.handle(data("M4_LOAD_STATE\nM6_STABILITY\nunfinished"), 0));
    assert.ok(slot);
    assert.deepEqual(one.handle({ kind: "peer_end" }, 1), []);
    const last = one.handle({ kind: "replied", slot, text: "L" }, 2);
    assert.equal(written(last), "L\nM6_OK\n");
    assert.deepEqual(kinds(last), ["write", "end:peer_done"]);
  });

  it("HostSession.handle() closes idle connections of other machines only", () => {
    const { session } = hostFixture({ idleMsMax: 1_000 });
    const distant = session("192.0.2.1");
    const local = session("127.0.0.1");
    distant.handle(data("M6"), 500);
    assert.deepEqual(distant.handle({ kind: "sweep" }, 1_500), []);
    assert.deepEqual(kinds(distant.handle({ kind: "sweep" }, 1_501)), ["end:idle"]);
    assert.deepEqual(local.handle({ kind: "sweep" }, 99_999), []);
  });

  it("HostSession.handle() sends a game client away, unless everybody is a probe", () => {
    const packet = { kind: "data", bytes: Uint8Array.of(0x84, 0x21, 0x0a) } as const;
    assert.deepEqual(kinds(hostFixture().session().handle(packet, 0)), [
      "destroy:game_unavailable",
    ]);
    const text = written(hostFixture({ mode: "host" }).session().handle(packet, 0));
    assert.equal(text, "ERR_UNKNOWN_TCP\n");
  });

  it("HostSession.handle() hands a game client over, with its first bytes or after silence", () => {
    for (const first of [0x84, 0x86]) {
      const served = hostFixture({ hasOther: true });
      const sent = Uint8Array.of(first, 0x0a, 0x4d);
      const one = served.session();
      assert.deepEqual(one.handle({ kind: "data", bytes: sent }, 0), [
        { kind: "adopt", bytes: sent },
      ]);
      assert.equal(served.metrics.tcp_rx_bytes, 0, "the host counts its own bytes");
      assert.deepEqual(one.handle({ kind: "silent" }, 1), [], "only once");
      assert.deepEqual(one.handle(data("M6_STABILITY\n"), 1), [], "it is no session's any more");
    }
    const silent = hostFixture({ hasOther: true }).session();
    assert.deepEqual(silent.handle({ kind: "data", bytes: new Uint8Array(0) }, 0), []);
    const [effect] = silent.handle({ kind: "silent" }, 20);
    assert.deepEqual(effect, { kind: "adopt", bytes: undefined });
  });

  it("HostSession.handle() is not misled by silence once a first byte came, or where no game is", () => {
    const served = hostFixture({ hasOther: true });
    for (const start of ["M", "_", "7", "\n", "\u0016"]) {
      const one = served.session();
      one.handle(data(start), 0);
      assert.deepEqual(one.handle({ kind: "silent" }, 150), [], JSON.stringify(start));
    }
    for (const changes of [{}, { mode: "host", hasOther: true }] as const) {
      const one = hostFixture(changes).session();
      assert.deepEqual(one.handle({ kind: "silent" }, 150), []);
      assert.equal(written(one.handle(data("M6_STABILITY\n"), 151)), "M6_OK\n");
    }
  });

  it("HostSession.ofText() speaks text whatever its first byte is", () => {
    const { shared } = hostFixture({ hasOther: true });
    const one = HostSession.ofText(shared, "127.0.0.1", 0);
    assert.deepEqual(one.handle({ kind: "silent" }, 1), []);
    const sent = Uint8Array.of(0x84, 0x0a, ...bytes("M6_STABILITY\n"));
    const text = written(one.handle({ kind: "data", bytes: sent }, 2));
    assert.equal(text, "ERR_UNKNOWN_TCP\nM6_OK\n");
  });

  it("HostSession.handle() closes on a TLS handshake, whatever lines are in it", () => {
    const hello = Uint8Array.of(0x16, 0x03, 0x01, 0x0a, ...bytes("__STOP__\n"));
    const effects = hostFixture().session().handle({ kind: "data", bytes: hello }, 0);
    assert.deepEqual(kinds(effects), ["destroy:tls_client"]);
  });

  it("HostSession.handle() replaces a reply that is too long, and counts it as refused", () => {
    const { session, metrics } = hostFixture();
    const one = session();
    const [fits, long] = slotsOf(one.handle(data("M3_LUA_HELLO\nM3_LUA_HELLO\n"), 0));
    assert.ok(fits && long);
    const most = "x".repeat(65_535);
    assert.equal(written(one.handle({ kind: "replied", slot: fits, text: most }, 0)), `${most}\n`);
    const text = written(one.handle({ kind: "replied", slot: long, text: `${most}x` }, 0));
    assert.equal(text, "ERR_CODEC_FRAME_TOO_LARGE\n");
    assert.equal(metrics.rejected_command_count, 1);
  });

  it("HostSession.handle() asks for the server's end after its reply", () => {
    const effects = hostFixture().session().handle(data("__STOP__\n"), 0);
    assert.deepEqual(kinds(effects), ["stop_server", "write"]);
    assert.equal(written(effects), "__STOP_OK__\n");
  });

  it("HostSession.handle() survives any bytes in any pieces, and a close is its last effect", () => {
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.constantFrom("\n", "M1_CONN_PING\n", "AUTH:x\n", "M4_LOAD_STATE\n", "__STOP__\n").map(
        bytes,
      ),
    );
    fc.assert(fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      const one = hostFixture().session("192.0.2.1");
      let closed = false;
      for (const each of pieces) {
        const effects = one.handle({ kind: "data", bytes: each }, 0);
        assert.ok(!closed || effects.length === 0);
        effects.forEach(({ kind }, i) => {
          if (kind !== "end" && kind !== "destroy") return;
          closed = true;
          assert.equal(i, effects.length - 1);
        });
      }
    }));
  });
});

describe("HostSession with Protobuf", () => {
  const ping = encodePing({ payload: "foo", seq: 7, keep: true });
  const pong = "0a03464f4f10071801";
  const hex = (effects: readonly SessionEffect[]) =>
    effects.flatMap((effect) => effect.kind === "write" ? [...effect.bytes] : [])
      .map((byte) => byte.toString(16).padStart(2, "0")).join("");

  it("HostSession.handle() answers a Ping as soon as keep was read, then closes", () => {
    for (let at = 0; at <= ping.length; at++) {
      const one = hostFixture().session();
      const effects = [ping.subarray(0, at), ping.subarray(at)].flatMap((part) =>
        part.length === 0 ? [] : one.handle({ kind: "data", bytes: part }, 0)
      );
      assert.equal(hex(effects), pong, `at ${at}`);
      assert.equal(kinds(effects).at(-1), "end:ping_answered");
    }
  });

  it("HostSession.handle() answers a Ping without keep at the half-close or after silence", () => {
    const short = ping.subarray(0, ping.length - 2);
    const halfClosed = hostFixture().session();
    halfClosed.handle({ kind: "data", bytes: short }, 0);
    assert.equal(hex(halfClosed.handle({ kind: "peer_end" }, 1)), pong);

    const silent = hostFixture().session();
    const wake = silent.handle({ kind: "data", bytes: short.subarray(0, 3) }, 0);
    assert.deepEqual(wake, [{ kind: "wake", at: pingSilenceMs }]);
    silent.handle({ kind: "data", bytes: short.subarray(3) }, 150);
    assert.deepEqual(silent.handle({ kind: "wake" }, 200), [{ kind: "wake", at: 350 }]);
    assert.equal(hex(silent.handle({ kind: "wake" }, 350)), pong);
  });

  it("HostSession.handle() gives a malformed Ping no bytes, counts it and closes", () => {
    const wrong = ["0a0a0a", "0a02c3281801", "0a03666f6f1201"];
    for (const text of wrong) {
      const { session, metrics } = hostFixture();
      const one = session();
      const sent = Uint8Array.from(text.match(/../g) ?? [], (two) => parseInt(two, 16));
      const effects = [
        ...one.handle({ kind: "data", bytes: sent }, 0),
        ...one.handle({ kind: "peer_end" }, 0),
      ];
      assert.equal(kinds(effects).at(-1), "end:ping_malformed", text);
      assert.equal(hex(effects), "");
      assert.equal(metrics.codec_error_count, 1);
    }
  });

  it("HostSession.handle() bounds a Ping that never ends", () => {
    const one = hostFixture().session();
    one.handle({ kind: "data", bytes: Uint8Array.of(0x0a, 0x01, 0x61) }, 0);
    let effects: SessionEffect[] = [];
    for (let i = 0; i < 2_100 && effects.length === 0; i++) {
      effects = one.handle({ kind: "data", bytes: Uint8Array.of(0x10, 0x01) }, 0);
    }
    assert.deepEqual(kinds(effects), ["end:ping_malformed"]);
  });
});
