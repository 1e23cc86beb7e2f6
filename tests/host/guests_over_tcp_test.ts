import assert from "node:assert/strict";
import { connect as connectSocket } from "node:net";
import { describe, it } from "node:test";
import { HostServer } from "../../src/host/host_server.ts";
import { noStoreCounters } from "../../src/host/store.ts";
import type { Runtime } from "../../src/ports/runtime.ts";
import type { TcpConnection } from "../../src/ports/tcp.ts";
import { fakeLog } from "../fakes/log.ts";
import { runtimeUnderTest } from "../tested_runtime.ts";
import { bytes, hostFixture } from "./host_fixture.ts";
import { RecordingProtocol } from "./recording_guest.ts";

/** A generous bound: what is waited for comes within milliseconds. */
const waitMs = 10_000;
/** Long enough for a client of a busy machine to speak first where it means to. */
const sniffLoopbackMs = 1_000;
const greeting = "<greeting>";

/** A game that greets everybody and takes a first letter for a late probe's. */
function greeter(): RecordingProtocol {
  return new RecordingProtocol({
    adopt: ({ connection }) => void connection.write(bytes(greeting)),
    data: ({ connection, giveBack }, part) => {
      if (part[0] === 0x4d) giveBack?.(connection, part);
      else connection.write(part);
    },
    end: ({ connection }) => connection.end(),
  });
}

async function serve(other: RecordingProtocol) {
  const runtime = await runtimeUnderTest();
  const host = hostFixture();
  const server = new HostServer({
    ...host,
    tcp: runtime.tcp,
    udp: runtime.udp,
    clock: runtime.clock,
    logger: fakeLog().logger,
    store: {
      counters: noStoreCounters,
      trouble: undefined,
      routes: new Map(),
      perform: () => Promise.resolve({ ok: true }),
    },
    script: {
      hello: () => Promise.resolve({ kind: "ok", version: "v1" }),
      reload: () => Promise.resolve({ ok: true, changed: true }),
      close: () => {},
    },
    host: "127.0.0.1",
    tcpPort: 0,
    udpPort: 0,
    mode: "auto",
    other,
    sniffMs: 20,
    sniffLoopbackMs,
    idleMsMax: 0,
    connectionsMax: 100,
    connectionsPerHostMax: 0,
    tickMs: 50,
    stop: () => {},
  });
  const { tcpPort } = await server.start();
  const { metrics } = host;
  return { runtime, server, tcpPort, metrics, connect: () => connect(runtime, tcpPort) };
}

async function connect(runtime: Runtime, port: number) {
  let text = "";
  let isClosed = false;
  const peer: TcpConnection<unknown> = await runtime.tcp.connect<unknown>({
    host: "127.0.0.1",
    port,
    timeoutMs: waitMs,
    limits: { outboundBytesMax: 1_000_000, lingerMs: 1_000 },
    handlers: {
      open: () => {},
      data: (_, part) => void (text += new TextDecoder("latin1").decode(part)),
      end: (each) => each.end(),
      drain: () => {},
      close: () => void (isClosed = true),
    },
  });
  const send = (part: string | Uint8Array) =>
    peer.write(typeof part === "string" ? bytes(part) : part);
  return {
    send,
    end: () => peer.end(),
    /** Waits until exactly this has come. */
    reads: (wanted: string) =>
      until(runtime, () => text === wanted, () => `read ${JSON.stringify(text)}, not ${wanted}`),
    closes: () => until(runtime, () => isClosed, () => "the connection did not close"),
  };
}

function until(runtime: Runtime, isSo: () => boolean, otherwise: () => string): Promise<void> {
  const giveUpAt = runtime.clock.monotonic() + waitMs;
  return new Promise((resolve, reject) => {
    const look = () => {
      if (isSo()) resolve();
      else if (runtime.clock.monotonic() > giveUpAt) reject(new Error(otherwise()));
      else runtime.clock.after(2, look);
    };
    look();
  });
}

describe("HostServer with another protocol over real TCP", () => {
  it("HostServer tells probes, game clients, the silent and the late apart on one port", async () => {
    const other = greeter();
    const { server, runtime, metrics, connect } = await serve(other);
    const probe = await connect();
    probe.send("M1_CONN_PING\n");
    const game = await connect();
    game.send(Uint8Array.of(0x84, 0x21));
    const silent = await connect();
    const late = await connect();
    await probe.reads("M1_CONN_PONG\n");
    await game.reads(greeting);
    game.send("7");
    await game.reads(greeting + "7");
    await silent.reads(greeting);
    await late.reads(greeting);
    late.send("M1_CONN_PING\nM6_STABILITY\n");
    await late.reads(`${greeting}M1_CONN_PONG\nM6_OK\n`);
    silent.send("8");
    await silent.reads(greeting + "8");
    probe.send("M6_STABILITY\n");
    await probe.reads("M1_CONN_PONG\nM6_OK\n");
    assert.equal(other.adopted.length, 3);

    for (const peer of [probe, game, late]) {
      peer.end();
      await peer.closes();
    }
    await until(runtime, () => metrics.active_connections === 1, () => "one is left");
    await server.close();
    await silent.closes();
    await until(
      runtime,
      () => other.adopted.filter(({ events }) => events.at(-1)?.startsWith("closed")).length === 2,
      () => JSON.stringify(other.adopted.map(({ events }) => events)),
    );
  });

  it("HostServer hands over no connection that was reset while it was waited for", async () => {
    const other = greeter();
    const { server, runtime, tcpPort, metrics, connect } = await serve(other);
    const gone = connectSocket({ host: "127.0.0.1", port: tcpPort });
    gone.on("error", () => {
      // The reset is its own doing.
    });
    const accepted = (count: number) => () => metrics.tcp_accept_count === count;
    await until(runtime, accepted(1), () => "not accepted");
    gone.resetAndDestroy();
    await until(runtime, () => metrics.active_connections === 0, () => "not closed");
    const silent = await connect();
    await silent.reads(greeting);
    assert.equal(other.adopted.length, 1, "who came first would have been first");
    silent.end();
    await silent.closes();
    await server.close();
  });

  it("HostServer loses only the guest that fails", async () => {
    const other = new RecordingProtocol({
      data: () => {
        throw new Error("boom");
      },
    });
    const { server, metrics, connect } = await serve(other);
    const bad = await connect();
    bad.send(Uint8Array.of(0x84));
    const good = await connect();
    good.send("M6_STABILITY\n");
    await good.reads("M6_OK\n");
    bad.send("x");
    await bad.closes();
    good.send("M1_CONN_PING\n");
    await good.reads("M6_OK\nM1_CONN_PONG\n");
    assert.equal(metrics.error_count, 1);
    good.end();
    await good.closes();
    await server.close();
  });
});
