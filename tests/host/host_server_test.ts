import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bytes } from "./host_fixture.ts";
import { connect, serverFixture as fixture } from "./server_fixture.ts";

describe("HostServer", () => {
  it("HostServer.start() binds TCP, the same number of UDP, and the next one", async () => {
    const { ports, home, metrics } = await fixture();
    assert.deepEqual(ports, { tcpPort: 9_527, udpPort: 9_528 });
    assert.equal(metrics.udp_port, 9_528);
    await assert.rejects(home.tcp.listen({
      host: "::",
      port: 9_527,
      limits: { outboundBytesMax: 1, lingerMs: 1 },
      handlers: { open() {}, data() {}, end() {}, drain() {}, close() {} },
    }));
  });

  it("HostServer counts what goes in and out", async () => {
    const { home, settle, metrics, stored } = await fixture();
    const peer = await connect(home, "127.0.0.1");
    peer.connection.write(bytes("M1_CONN_PING\nM4_SAVE_STATE:x\nM3_LUA_HELLO\n"));
    await settle();
    assert.equal(peer.text(), "M1_CONN_PONG\nM4_SAVE_OK:x\nM3_LUA_ACK:v1\n");
    assert.deepEqual(stored, [{ kind: "save", value: "x" }]);
    assert.equal(metrics.accepted_connections, 1);
    assert.equal(metrics.tcp_rx_packet_count, 3);
    assert.equal(metrics.tcp_tx_packet_count, 3);
    assert.equal(metrics.tcp_rx_bytes, 42);
    assert.equal(metrics.tcp_tx_bytes, peer.text().length);
    assert.equal(metrics.async_complete_count, 2);
    peer.connection.destroy();
    await settle();
    assert.equal(metrics.active_connections, 0);
    assert.equal(metrics.max_active_connections, 1);
  });

  it("HostServer refuses control to other machines, and takes pings", async () => {
    const { network, settle } = await fixture();
    const peer = await connect(network.machine("198.51.100.7"));
    peer.connection.write(bytes("__STOP__\nM4_SAVE_STATE:x\n__METRICS__\nM1_CONN_PING\n"));
    await settle();
    assert.equal(peer.text(), "ERR_FORBIDDEN\nERR_FORBIDDEN\nERR_FORBIDDEN\nM1_CONN_PONG\n");
  });

  it("HostServer asks to be stopped, by TCP and by UDP", async () => {
    const { home, settle, stops } = await fixture();
    const peer = await connect(home, "127.0.0.1");
    peer.connection.write(bytes("__STOP__\n"));
    await settle();
    assert.equal(peer.text(), "__STOP_OK__\n");
    assert.equal(stops(), 1);
    const socket = await home.udp.bind({
      host: "127.0.0.1",
      port: 0,
      handlers: { message: () => {}, error: () => {} },
    });
    socket.send(bytes("__STOP__"), "127.0.0.1", 9_528);
    await settle();
    assert.equal(stops(), 2);
  });

  it("HostServer takes no more connections than it may, and later others again", async () => {
    const { home, settle, metrics, log } = await fixture({ connectionsMax: 2 });
    const first = await connect(home, "127.0.0.1");
    const second = await connect(home, "127.0.0.1");
    const third = await connect(home, "127.0.0.1");
    await settle();
    assert.notEqual(third.closed, undefined);
    assert.equal(metrics.accepted_connections, 2);
    assert.equal(log.lines.at(-1)?.fields["reason"], "server_full");
    second.connection.destroy();
    await settle();
    const fourth = await connect(home, "127.0.0.1");
    fourth.connection.write(bytes("M6_STABILITY\n"));
    await settle();
    assert.equal(fourth.text(), "M6_OK\n");
    assert.equal(first.closed, undefined);
  });

  it("HostServer bounds the connections of one other machine, not those of its own", async () => {
    const { home, network, settle } = await fixture({ connectionsPerHostMax: 2 });
    const greedy = network.machine("198.51.100.7");
    const peers = [await connect(greedy), await connect(greedy), await connect(greedy)];
    const other = await connect(network.machine("198.51.100.8"));
    const local = [];
    for (let i = 0; i < 4; i++) local.push(await connect(home, "127.0.0.1"));
    await settle();
    assert.deepEqual(peers.map(({ closed }) => closed === undefined), [true, true, false]);
    assert.ok([other, ...local].every(({ closed }) => closed === undefined));
  });

  it("HostServer bounds its lines about closed connections, and says what it left out", async () => {
    const { network, settle, log, clock } = await fixture();
    const browser = network.machine("198.51.100.7");
    const closeOne = async () => {
      const peer = await connect(browser);
      peer.connection.write(bytes("GET / HTTP/1.1\r\n\r\n"));
      await settle();
    };
    for (let i = 0; i < 100; i++) await closeOne();
    const lines = () => log.lines.filter(({ fields }) => fields["reason"] === "http_request");
    const before = lines().length;
    assert.ok(before < 50, `${before} lines`);
    clock.advance(10_000);
    await closeOne();
    assert.equal(lines().at(-1)?.fields["not_shown"], 100 - before);
  });

  it("HostServer closes idle connections of other machines, and keeps those of its own", async () => {
    const { home, network, advance, log } = await fixture({ idleMsMax: 10_000 });
    const local = await connect(home, "127.0.0.1");
    const distant = await connect(network.machine("198.51.100.7"));
    await advance(9_000);
    assert.equal(distant.closed, undefined);
    await advance(7_000);
    assert.notEqual(distant.closed, undefined);
    assert.equal(local.closed, undefined);
    assert.equal(log.lines.at(-1)?.fields["reason"], "idle");
  });

  it("HostServer answers a Ping without keep once it has been silent", async () => {
    const { network, advance, settle } = await fixture();
    const peer = await connect(network.machine("198.51.100.7"));
    peer.connection.write(Uint8Array.of(0x0a, 1, 0x61, 0x10, 7));
    await settle();
    assert.equal(peer.text(), "");
    await advance(250);
    assert.equal(peer.text(), "\n\u0001A\u0010\u0007\u0018\u0001");
    await advance(1_000);
    assert.notEqual(peer.closed, undefined);
  });

  it("HostServer answers who looks for a game, on both UDP ports", async () => {
    const discovery = {
      isDiscovery: (request: Uint8Array) => request[0] === 0x66,
      answer: (_: Uint8Array, host: string) => bytes(`me, ${host}`),
    };
    const { network, settle, metrics } = await fixture({ discovery });
    const answers: string[] = [];
    const socket = await network.machine("198.51.100.7").udp.bind({
      host: "::",
      port: 0,
      handlers: {
        message: (_, part, host, port) => {
          answers.push(`${new TextDecoder().decode(part)} from ${host} ${port}`);
        },
        error: () => {},
      },
    });
    for (const port of [9_527, 9_528]) socket.send(bytes("fkDetectServer"), "192.0.2.1", port);
    await settle();
    assert.deepEqual(
      answers,
      [9_527, 9_528].map((port) => `me, 198.51.100.7 from 192.0.2.1 ${port}`),
    );
    assert.equal(metrics.udp_tx_datagram_count, 2);
  });

  it("HostServer ticks at its interval and tells its uptime", async () => {
    const { advance, metrics, server } = await fixture();
    await advance(1_000);
    assert.equal(metrics.timer_tick_count, 20);
    assert.equal(metrics.io_poll_count, 20);
    assert.equal(metrics.uptime_ms, 1_000);
    assert.equal(server.lagMs, 0);
  });

  it("HostServer.close() closes all connections and frees its ports", async () => {
    const { home, clock, network, settle, server } = await fixture();
    const peers = [
      await connect(home, "127.0.0.1"),
      await connect(network.machine("198.51.100.7")),
    ];
    await server.stopAccepting();
    const closed = server.close();
    for (let i = 0; i < 20; i++) {
      await settle();
      clock.advance(10);
    }
    await closed;
    await settle();
    for (const peer of peers) assert.notEqual(peer.closed, undefined);
    assert.equal(home.openConnections, 0);
    const again = await home.udp.bind({
      host: "::",
      port: 9_528,
      handlers: { message: () => {}, error: () => {} },
    });
    again.close();
  });
});
