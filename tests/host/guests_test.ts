import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Guests, type HostConnection } from "../../src/host/guests.ts";
import { fakeClock } from "../fakes/clock.ts";
import { FakeNetwork } from "../fakes/network.ts";
import { bytes } from "./host_fixture.ts";
import { RecordingProtocol } from "./recording_guest.ts";
import { connect, serverFixture } from "./server_fixture.ts";

const far = "198.51.100.7";
const packet = Uint8Array.of(0x84, 0x21, 0x19);

/** A server with a game, and a way to let a time pass. */
async function stage(
  changes: Parameters<typeof serverFixture>[0] = {},
  other = new RecordingProtocol(),
) {
  const server = await serverFixture({ hasOther: true, other, ...changes });
  const pass = async (ms: number) => {
    server.clock.advance(ms);
    await server.settle();
  };
  return { ...server, other, pass };
}

describe("HostServer with another protocol", () => {
  it("HostServer hands over a peer that says nothing: 20 ms when distant, 150 ms when local", async () => {
    const { home, network, other, pass } = await stage();
    await connect(home, "127.0.0.1");
    await connect(network.machine(far));
    await pass(19);
    assert.equal(other.adopted.length, 0);
    await pass(1);
    assert.deepEqual(other.adopted.map(({ connection }) => connection.remoteHost), [far]);
    await pass(129);
    assert.equal(other.adopted.length, 1);
    await pass(1);
    assert.equal(other.adopted[1]?.connection.remoteHost, "127.0.0.1");
    assert.deepEqual(other.adopted.map(({ events }) => events), [["adopt"], ["adopt"]]);
    assert.ok(other.adopted.every(({ giveBack }) => giveBack !== undefined));
  });

  it("HostServer hands over a peer whose first byte is 0x84 or 0x86, with what came", async () => {
    for (const first of [0x84, 0x86]) {
      const { network, other, settle, pass, metrics } = await stage();
      const peer = await connect(network.machine(far));
      peer.connection.write(Uint8Array.of(first, 1, 2));
      await settle();
      peer.connection.write(bytes("M1_CONN_PING\n"));
      await pass(1_000);
      const [opened, data, ...more] = other.only.events;
      assert.equal(opened, `adopt ${first.toString(16)}0102`);
      assert.equal(data?.slice(0, 9), "data 4d31");
      assert.deepEqual(more, []);
      assert.equal(other.only.giveBack, undefined, "it has shown what it speaks");
      assert.equal(peer.text(), "");
      assert.equal(metrics.tcp_rx_bytes, 0, "the host counts its own bytes");
    }
  });

  it("HostServer keeps peers whose first byte is text's or Protobuf's, for ever", async () => {
    const { network, other, settle, pass } = await stage();
    const machine = network.machine(far);
    const text = await connect(machine);
    const underscore = await connect(machine);
    const ping = await connect(machine);
    const digit = await connect(machine);
    text.connection.write(bytes("M1"));
    underscore.connection.write(bytes("__METRICS__\n"));
    ping.connection.write(Uint8Array.of(0x0a, 1, 0x61, 0x18, 1));
    digit.connection.write(bytes("7\n"));
    await settle();
    assert.equal(ping.text(), "\n\u0001A\u0018\u0001");
    await pass(10_000);
    text.connection.write(bytes("_CONN_PING\n"));
    text.connection.write(packet);
    await settle();
    assert.equal(text.text(), "M1_CONN_PONG\n");
    assert.equal(underscore.text(), "ERR_FORBIDDEN\n");
    assert.equal(digit.text(), "ERR_UNKNOWN_TCP\n");
    assert.equal(other.adopted.length, 0);
  });

  it("HostServer in mode `game` hands everybody over at once, and takes nobody back", async () => {
    const { home, other, settle } = await stage({ mode: "game" });
    const peer = await connect(home, "127.0.0.1");
    await settle();
    assert.deepEqual(other.only.events, ["adopt"]);
    assert.equal(other.only.giveBack, undefined);
    peer.connection.write(bytes("M1"));
    await settle();
    assert.deepEqual(other.only.events, ["adopt", "data 4d31"]);
  });

  it("HostServer in mode `host` hands nobody over", async () => {
    const { home, other, pass } = await stage({ mode: "host" });
    const silent = await connect(home, "127.0.0.1");
    const game = await connect(home, "127.0.0.1");
    game.connection.write(Uint8Array.of(0x84, 0x0a));
    await pass(10_000);
    assert.equal(other.adopted.length, 0);
    assert.equal(silent.closed, undefined);
    assert.equal(game.text(), "ERR_UNKNOWN_TCP\n");
  });

  it("HostServer without another protocol lets peers be silent, and closes game clients", async () => {
    const { home, clock, settle, log } = await serverFixture();
    const silent = await connect(home, "127.0.0.1");
    clock.advance(10_000);
    await settle();
    assert.equal(silent.closed, undefined);
    silent.connection.write(packet);
    await settle();
    assert.notEqual(silent.closed, undefined);
    assert.equal(log.lines.at(-1)?.fields["reason"], "game_unavailable");
  });

  it("HostServer tells a guest all events, its close last, and counts it as a connection", async () => {
    const { home, other, pass, settle, metrics } = await stage();
    const peer = await connect(home, "127.0.0.1");
    await pass(150);
    assert.equal(metrics.active_connections, 1);
    peer.connection.write(packet);
    await settle();
    other.only.connection.write(new Uint8Array(200_000));
    await settle();
    peer.connection.end();
    await settle();
    assert.deepEqual(other.only.events, ["adopt", "data 842119", "drain", "end"]);
    other.only.connection.end();
    await settle();
    assert.equal(other.only.events.at(-1), "closed remote");
    assert.equal(metrics.active_connections, 0);
  });

  it("HostServer answers a late probe that is given back, in the same connection", async () => {
    const other = new RecordingProtocol({
      data: ({ connection, giveBack }, part) => giveBack?.(connection, part),
    });
    const { home, pass, settle, metrics } = await stage({}, other);
    const peer = await connect(home, "127.0.0.1");
    await pass(150);
    other.only.connection.write(bytes("<greeting>"));
    peer.connection.write(bytes("M1_CONN_PING\r\nM4_LOAD_"));
    await settle();
    peer.connection.write(bytes("STATE\nwhat?\n"));
    await pass(1_000);
    assert.equal(peer.text(), "<greeting>M1_CONN_PONG\nM4_LOAD_OK:unset\nERR_UNKNOWN_TCP\n");
    assert.equal(metrics.tcp_rx_packet_count, 3);
    peer.connection.write(packet);
    await settle();
    assert.equal(other.only.events.length, 2, "the guest hears no more of it");
    peer.connection.end();
    await settle();
    assert.notEqual(peer.closed, undefined);
    assert.equal(other.only.events.length, 2);
    assert.equal(home.openConnections, 0);
  });

  it("HostServer ignores what is given back of a connection that is closed, or twice", async () => {
    const { home, other, pass, settle, stops } = await stage();
    const first = await connect(home, "127.0.0.1");
    const second = await connect(home, "127.0.0.1");
    await pass(150);
    const [one, two] = other.adopted;
    assert.ok(one?.giveBack && two?.giveBack);
    one.connection.destroy();
    await settle();
    assert.notEqual(first.closed, undefined);
    one.giveBack(one.connection, bytes("__STOP__\n"));
    assert.equal(stops(), 0);
    two.giveBack(two.connection, bytes("M1_CONN_PING\n"));
    two.giveBack(two.connection, bytes("M1_UDP_PING\n"));
    await settle();
    assert.equal(second.text(), "M1_CONN_PONG\n");
    assert.deepEqual(two.events, ["adopt"]);
  });

  it("HostServer closes a refused connection once its last words have left", async () => {
    const other = new RecordingProtocol({
      adopt: ({ connection }) => {
        connection.write(bytes("server is full!"));
        return "refuse";
      },
    });
    const { home, pass, settle } = await stage({}, other);
    const peer = await connect(home, "127.0.0.1");
    await pass(150);
    assert.equal(peer.text(), "server is full!");
    assert.notEqual(peer.closed, undefined);
    other.only.giveBack?.(other.only.connection, bytes("M1_CONN_PING\n"));
    await settle();
    assert.equal(peer.text(), "server is full!");
    assert.equal(home.openConnections, 0);
  });

  it("HostServer loses only the connection at which the other protocol throws", async () => {
    const fail = () => {
      throw new Error("boom");
    };
    for (const at of ["adopt", "data", "end", "closed"] as const) {
      let isBroken = true;
      const other = new RecordingProtocol({
        [at]: () => isBroken ? fail() : undefined,
      });
      const { home, pass, settle, metrics, log } = await stage({}, other);
      const bad = await connect(home, "127.0.0.1");
      await pass(150);
      bad.connection.write(packet);
      await settle();
      bad.connection.end();
      await settle();
      if (at === "closed") other.only.connection.destroy();
      await settle();
      assert.notEqual(bad.closed, undefined, at);
      assert.equal(metrics.error_count, 1, at);
      const line = log.lines.find(({ level }) => level === "error");
      assert.equal(line?.fields["error"], "Error: boom", at);
      assert.equal(metrics.active_connections, 0, at);
      if (at === "data" || at === "end") assert.match(other.only.events.at(-1) ?? "", /^closed/);

      isBroken = false;
      const good = await connect(home, "127.0.0.1");
      await pass(150);
      good.connection.write(packet);
      await settle();
      assert.equal(good.closed, undefined, at);
      assert.deepEqual(other.adopted[1]?.events, ["adopt", "data 842119"], at);
    }
  });

  it("HostServer forgets a connection that closes before it is known what it speaks", async () => {
    const { network, other, settle, pass, clock, server } = await stage();
    const machine = network.machine(far);
    const gone = await connect(machine);
    const halfClosed = await connect(machine);
    const reset = await connect(machine);
    gone.connection.destroy();
    halfClosed.connection.end();
    reset.connection.write(Uint8Array.of(0x16, 3, 1));
    await settle();
    assert.notEqual(halfClosed.closed, undefined, "as without another protocol");
    assert.notEqual(reset.closed, undefined);
    await pass(1_000);
    assert.equal(other.adopted.length, 0);
    const closed = server.close();
    for (let i = 0; i < 20; i++) await pass(10);
    await closed;
    assert.equal(clock.waiting, 0, "no timer is left");
  });

  it("HostServer applies its limits to those that would be guests, and no idle time to guests", async () => {
    const { network, other, pass, settle } = await stage({
      connectionsPerHostMax: 2,
      idleMsMax: 10_000,
    });
    const machine = network.machine(far);
    const peers = [await connect(machine), await connect(machine), await connect(machine)];
    await settle();
    assert.deepEqual(peers.map(({ closed }) => closed === undefined), [true, true, false]);
    await pass(20);
    assert.equal(other.adopted.length, 2);
    for (let i = 0; i < 12; i++) await pass(10_000);
    assert.deepEqual(other.adopted.map(({ events }) => events), [["adopt"], ["adopt"]]);
  });

  it("HostServer.close() hands over no more while it waits for others to take their bytes", async () => {
    const { network, other, pass, settle, server, clock } = await stage();
    const slow = await connect(network.machine(far));
    slow.connection.pause();
    await pass(20);
    other.only.connection.write(new Uint8Array(200_000));
    const undecided = await connect(network.machine("198.51.100.8"));
    undecided.connection.pause();
    const closed = server.close();
    for (let i = 0; i < 30; i++) await pass(10);
    await closed;
    await settle();
    assert.equal(other.adopted.length, 1);
    assert.equal(other.only.events.at(-1), "closed local");
    assert.equal(clock.waiting, 0);
  });

  it("HostServer.close() sends what waits for guests, closes them, and hands over no more", async () => {
    const { home, other, pass, settle, server } = await stage();
    const guest = await connect(home, "127.0.0.1");
    await pass(150);
    const undecided = await connect(home, "127.0.0.1");
    other.only.connection.write(bytes("good night"));
    const closed = server.close();
    await settle();
    for (let i = 0; i < 30; i++) await pass(10);
    await closed;
    assert.equal(guest.text(), "good night");
    assert.notEqual(guest.closed, undefined);
    assert.notEqual(undecided.closed, undefined);
    assert.deepEqual(other.only.events, ["adopt", "closed local"]);
  });
});

describe("Guests", () => {
  it("Guests.closed() keeps nothing of a connection, in whatever way it closed", async () => {
    const clock = fakeClock();
    const network = new FakeNetwork({ clock });
    const home = network.machine("192.0.2.1");
    const silent: string[] = [];
    const guests = new Guests({
      other: new RecordingProtocol(),
      mode: "auto",
      clock,
      sniffMs: 20,
      sniffLoopbackMs: 150,
      silent: ({ remoteHost }) => void silent.push(remoteHost),
      givenBack: () => {},
    });
    const opened: HostConnection[] = [];
    await home.tcp.listen<HostConnection["data"]>({
      host: "::",
      port: 9_527,
      limits: { outboundBytesMax: 1_000, lingerMs: 1_000 },
      handlers: {
        open: (connection) => {
          opened.push(connection);
          guests.opened(connection);
        },
        data() {},
        end() {},
        drain() {},
        close() {},
      },
    });
    for (const host of ["127.0.0.1", "127.0.0.1", "192.0.2.1"]) await connect(home, host);
    for (const connection of opened.slice(1)) guests.closed(connection);
    clock.advance(1_000);
    assert.deepEqual(silent, ["127.0.0.1"]);
  });
});
