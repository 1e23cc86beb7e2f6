import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { systemClock } from "../../src/adapters/node/clock.ts";
import { type FakeMachine, FakeNetwork } from "../fakes/network.ts";
import { tcpConformance } from "./tcp_conformance.ts";
import { pattern, ROOMY_LIMITS, TcpRecorder } from "./tcp_recorder.ts";
import { udpConformance } from "./udp_conformance.ts";

const machines: FakeMachine[] = [];

tcpConformance({
  name: "FakeNetwork",
  port(hook) {
    const network = new FakeNetwork({ clock: systemClock(), ...hook });
    const machine = network.machine("203.0.113.1");
    machines.push(machine);
    return machine.tcp;
  },
  openResources: () => machines.reduce((sum, machine) => sum + machine.openConnections, 0),
  silentAddress: async () => ({ host: "203.0.113.99", port: 9, close() {} }),
});

udpConformance({
  name: "FakeNetwork",
  port: (hook) => new FakeNetwork({ clock: systemClock(), ...hook }).machine().udp,
});

describe("FakeNetwork", () => {
  const limits = ROOMY_LIMITS;

  async function connected(options: { segmentBytes?: number; windowBytes?: number } = {}) {
    const network = new FakeNetwork({ clock: systemClock(), ...options });
    const far = network.machine("203.0.113.1", "2001:db8::1");
    const near = network.machine("203.0.113.2", "2001:db8::2");
    const accepted = new TcpRecorder();
    const { port } = await far.tcp.listen({ host: "::", port: 0, limits, handlers: accepted });
    const handlers = new TcpRecorder();
    const connect = (host: string) =>
      near.tcp.connect({ host, port, timeoutMs: 1_000, limits, handlers });
    return { network, near, far, accepted, connect, port };
  }

  it("machine() has addresses of its own that others see it at", async () => {
    const { accepted, connect } = await connected();
    await connect("203.0.113.1");
    await connect("2001:db8::1");
    const hosts = accepted.opened.map(({ connection }) => connection.remoteHost);
    assert.deepEqual(hosts, ["203.0.113.2", "2001:db8::2"]);
  });

  it("machine() keeps its loopback to itself", async () => {
    const { connect } = await connected();
    await assert.rejects(connect("127.0.0.1"), { code: "ECONNREFUSED" });
  });

  it("segmentBytes splits what arrives", async () => {
    const { network, accepted, connect } = await connected({ segmentBytes: 1 });
    const connection = await connect("203.0.113.1");
    connection.write(pattern(5));
    await network.idle();
    assert.deepEqual(accepted.first.chunks.map((chunk) => [...chunk]), [[0], [1], [2], [3], [4]]);
  });

  it("windowBytes bounds what is on the way", async () => {
    const { network, accepted, connect } = await connected({ windowBytes: 10 });
    const connection = await connect("203.0.113.1");
    accepted.first.connection.pause();
    assert.equal(connection.write(pattern(10)), true);
    assert.equal(connection.write(pattern(1)), false);
    assert.equal(connection.bufferedBytes, 1);
    accepted.first.connection.resume();
    await network.idle();
    assert.equal(connection.bufferedBytes, 0);
    assert.equal(accepted.first.bytes, 11);
  });

  it("idle() resolves when nothing is on the way, within the same turn of the loop", async () => {
    const { network, accepted, connect } = await connected();
    const connection = await connect("203.0.113.1");
    let turned = false;
    setTimeout(() => turned = true, 0);
    connection.write(pattern(1_000));
    connection.end();
    await network.idle();
    assert.equal(turned, false);
    assert.deepEqual(accepted.first.events, ["open", "end"]);
    accepted.first.connection.end();
    await network.idle();
    assert.deepEqual(accepted.first.closes, ["remote"]);
  });

  it("datagrams to nobody are lost, others carry the sender's address", async () => {
    const { network, near, far } = await connected();
    const heard: string[] = [];
    const handlers = {
      message: (_socket: unknown, bytes: Uint8Array, host: string) =>
        void heard.push(`${host} ${bytes.length}`),
      error() {},
    };
    const socket = await far.udp.bind({ host: "::", port: 0, handlers });
    const sender = await near.udp.bind({ host: "::", port: 0, handlers });
    sender.send(pattern(1), "203.0.113.77", socket.port);
    sender.send(pattern(2), "127.0.0.1", socket.port + 1);
    sender.send(pattern(3), "203.0.113.1", socket.port);
    sender.send(pattern(4), "2001:db8::1", socket.port);
    await network.idle();
    assert.deepEqual(heard, ["203.0.113.2 3", "2001:db8::2 4"]);
  });
});
