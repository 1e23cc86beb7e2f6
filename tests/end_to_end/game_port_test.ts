import assert from "node:assert/strict";
import { createSocket, type Socket } from "node:dgram";
import { encode } from "../client/cbor.ts";
import { fromHex } from "../client/diagnosis.ts";
import { packetBytes, PacketStream } from "../client/game_packet.ts";
import { describePrograms, dialog, type Stage, unhurried } from "./game_stage.ts";
import { HostClient } from "./host_client.ts";
import { figures } from "./program_figures.ts";

/** Short, so that the suite is. */
const sniffMs = 60;
/** Far above what a datagram on this machine takes. */
const datagramMs = 10_000;

const ping = "M1_CONN_PING\n";
const pong = Buffer.from("M1_CONN_PONG\n");
const protobufPing = fromHex("0a03666f6f10071801");
const protobufPong = fromHex("0a03464f4f10071801");
const chat = packetBytes({ id: -2, type: 0x412, command: "Chat", data: encode({ msg: "hi" }) });

const config = (mode: string) => ({
  root: { tcp_port_mode: mode, sniff_loopback_ms: sniffMs },
  server: { description: "A port for all", iconUrl: "icon", capacity: 12 },
  game: unhurried,
});

describePrograms("serve: probes and players on one port", config("auto"), (stage, test) => {
  const open = () => HostClient.open(stage.program.port);
  const greeted = () => greetedConnection(stage);

  test("who speaks first is answered in his protocol, and never greeted", async () => {
    const text = await open();
    assert.equal(await text.ask("M1_CONN_PING"), "M1_CONN_PONG");
    await text.send("M6_STABILITY\nM1_UDP_PING\n").lines(2).then((lines) =>
      assert.deepEqual(lines, ["M6_OK", "M1_UDP_PONG"])
    );
    assert.equal(await text.ask("nonsense"), "ERR_UNKNOWN_TCP");
    text.close();
    const protobuf = await open();
    assert.deepEqual(new Uint8Array(await protobuf.send(protobufPing).closed()), protobufPong);
    const http = await open();
    assert.equal((await http.send("GET / HTTP/1.1\r\n\r\n").closed()).length, 0);
  });

  test("who says nothing is greeted as a player, and may log in", async () => {
    await stage.player("patient");
  });

  test("a packet that comes before the greeting is read after it", async () => {
    const early = await open();
    const bytes = await early.send(chat).closed();
    const said = new PacketStream().push(new Uint8Array(bytes));
    assert.deepEqual(said.map(({ command }) => command), ["NetworkDelayTest", "ErrorDlg"]);
    assert.equal(`ErrorDlg ${said[1]?.diag}`, dialog("INVALID SETUP STRING")[0]);
  });

  test("a probe that is late is answered after the greeting, in pieces and pipelined too", async () => {
    const before = await figures(stage.program);
    const whole = await greeted();
    assert.equal(await whole.ask("M1_CONN_PING"), "M1_CONN_PONG");
    assert.match(await whole.ask("M4_ROUTE_THREAD:key"), /^M4_ROUTE_OK:thread-\d+$/);
    assert.equal(await whole.ask("nonsense"), "ERR_UNKNOWN_TCP");
    const pieces = await greeted();
    for (const letter of "M6_STABILITY\r\n") pieces.send(letter);
    assert.equal(await pieces.line(), "M6_OK");
    const many = await greeted();
    assert.deepEqual(await many.send(`${ping}nonsense\n${ping}`).lines(3), [
      "M1_CONN_PONG",
      "ERR_UNKNOWN_TCP",
      "M1_CONN_PONG",
    ]);
    const after = await figures(stage.program);
    assert.equal(after("game_given_back") - before("game_given_back"), 3);
    for (const client of [whole, pieces, many]) client.close();
  });

  test("what is no verb after the greeting, or comes after a packet, is closed as no packet", async () => {
    const late = ["nonsense\n", "GET / HTTP/1.1\r\n\r\n", " M1_CONN_PING\n", "m1_conn_ping\n"];
    const noVerbs = [
      ...late,
      "\n",
      "M1_CONN_PING ".padEnd(4_000, "x"),
      `AUTH:${"x".repeat(4_000)}`,
    ];
    for (const text of [...noVerbs, protobufPing]) {
      const client = await greeted();
      assert.deepEqual([...await client.send(text).closed()], [], String(text).slice(0, 40));
    }
    const half = await greeted();
    // A string of 100 bytes has begun, of which the line is a part.
    const begun = fromHex("84211904125864");
    const bytesOfHalf = await half.send(begun).send(ping).end().closed();
    assert.equal(bytesOfHalf.length, 0);
    const whole = await greeted();
    const bytes = await whole.send(Buffer.concat([chat, Buffer.from(ping)])).closed();
    assert.equal(bytes.includes(pong), false);
    const player = await stage.player("late");
    await player.settled();
    const heard = player.received.length;
    player.sendRaw(Buffer.from(ping));
    await player.closed;
    assert.deepEqual(player.received.slice(heard), []);
  });

  test("servers are found by UDP on both ports, probes are answered, and no stranger's words", async () => {
    const figure = await figures(stage.program);
    const [game, host] = [stage.program.port, figure("udp_port")];
    const detail = (rest: string) =>
      JSON.stringify(["0.5.19+", "icon", "A port for all", 12, 0, rest]);
    for (const port of [game, host]) {
      const socket = await UdpClient.open(port);
      assert.equal(await socket.ask("fkDetectServer"), "me");
      assert.equal(await socket.ask("fkGetDetail,127.0.0.1,9527"), detail("127.0.0.1,9527"));
      assert.equal(await socket.ask('fkGetDetail,"\\\n'), detail('"\\\n'));
      assert.equal(await socket.ask("M1_UDP_PING"), "M1_UDP_PONG\n");
      socket.send("fkDetectServer!").send("fkGetDetails").send("nonsense");
      const said: string[] = [];
      for (let next = await socket.ask("M6_STABILITY"); next !== "M6_OK\n";) {
        said.push(next);
        next = await socket.next();
      }
      // Of the game's own words, cut short or not, nobody is told that they are unknown.
      const wanted = port === game ? [] : ["ERR_UNKNOWN_UDP\n", "ERR_UNKNOWN_UDP\n"];
      assert.deepEqual(said, wanted, `port ${port}`);
      socket.close();
    }
  });
});

describePrograms("serve: a port for players alone", config("game"), (stage, test) => {
  test("everybody is greeted at once, and probes are closed", async () => {
    await stage.player("player");
    for (const bytes of [ping, protobufPing, "__METRICS__\n"]) {
      const client = await greetedConnection(stage);
      assert.deepEqual([...await client.send(bytes).closed()], []);
    }
    assert.equal((await figures(stage.program))("game_given_back"), 0);
  });

  test("servers are found by UDP, and probes by UDP are answered", async () => {
    const socket = await UdpClient.open(stage.program.port);
    assert.equal(await socket.ask("fkDetectServer"), "me");
    assert.equal(await socket.ask("M1_UDP_PING"), "M1_UDP_PONG\n");
    socket.close();
  });
});

describePrograms("serve: a port for probes alone", config("host"), (stage, test) => {
  test("nobody is greeted, packets are no commands, and no server is found", async () => {
    const silent = await HostClient.open(stage.program.port);
    await new Promise((resolve) => setTimeout(resolve, 4 * sniffMs));
    assert.equal(await silent.ask("M1_CONN_PING"), "M1_CONN_PONG");
    const player = await HostClient.open(stage.program.port);
    player.send(chat).send(`\n${ping}`);
    assert.deepEqual(await player.lines(2), ["ERR_UNKNOWN_TCP", "M1_CONN_PONG"]);
    for (const client of [silent, player]) client.close();
    const socket = await UdpClient.open(stage.program.port);
    socket.send("fkDetectServer").send("fkGetDetail,x");
    assert.equal(await socket.ask("M1_UDP_PING"), "M1_UDP_PONG\n");
    socket.close();
  });
});

/** A connection that has said nothing and has been greeted; only what comes after that is left. */
async function greetedConnection(stage: Stage): Promise<HostClient> {
  const { length } = packetBytes({
    id: -2,
    type: 0x421,
    command: "NetworkDelayTest",
    data: encode(new TextEncoder().encode(await keyOf(stage))),
  });
  const client = await HostClient.open(stage.program.port);
  await client.bytes(length);
  return client;
}

async function keyOf(stage: Stage): Promise<string> {
  const client = await stage.connect();
  const pem = await client.greeted();
  await client.reset();
  return pem;
}

/** Datagrams to one port, and what comes back. */
class UdpClient {
  readonly #socket: Socket;
  readonly #port: number;
  readonly #received: string[] = [];
  #wake = () => {};

  private constructor(socket: Socket, port: number) {
    this.#socket = socket;
    this.#port = port;
    socket.on("message", (bytes) => {
      this.#received.push(bytes.toString());
      this.#wake();
    });
  }

  static async open(port: number): Promise<UdpClient> {
    const socket = createSocket("udp4");
    await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
    return new UdpClient(socket, port);
  }

  send(text: string): this {
    this.#socket.send(text, this.#port, "127.0.0.1");
    return this;
  }

  ask(text: string): Promise<string> {
    return this.send(text).next();
  }

  /** The next datagram. */
  next(): Promise<string> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("no datagram came")), datagramMs);
      this.#wake = () => {
        const text = this.#received.shift();
        if (text === undefined) return;
        clearTimeout(timer);
        this.#wake = () => {};
        resolve(text);
      };
      this.#wake();
    });
  }

  close(): void {
    this.#socket.close();
  }
}
