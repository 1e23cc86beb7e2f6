import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ProgramKind } from "../client/game_program.ts";
import { countKey, message, unlimited, withGateway } from "./gateway_stage.ts";

const kinds: readonly ProgramKind[] = ["binary", "deno"];

/** Messages that are none; each costs its sender nothing but an error. */
const badMessages: readonly (readonly [string, string])[] = [
  ["no JSON", "nonsense"],
  ["nothing", ""],
  ["an array", "[]"],
  ["a string", `"x"`],
  ["null", "null"],
  ["a cut object", `{"type":0,"data":"x"`],
  ["an object with more behind it", `{"type":0} x`],
  ["a comma too many", `{"type":0,}`],
  ["a type of another number", `{"type":3,"data":"x"}`],
  ["a negative type", `{"type":-1}`],
  ["a broken type", `{"type":1.5}`],
  ["a type in quotes", `{"type":"0"}`],
  ["a messageId that is no string", `{"type":0,"messageId":5}`],
  ["a messageId of 257 bytes", `{"type":0,"messageId":"${"é".repeat(128)}x"}`],
  ["data that is no string", `{"type":0,"data":{"a":1}}`],
  ["a key twice", `{"type":0,"data":"a","data":"b"}`],
  ["a key twice, once escaped", `{"type":0,"data":"a","d\\u0061ta":"b"}`],
  ["two ids", `{"type":0,"messageId":"a","messageId":"b"}`],
  ["a control character in a string", `{"type":0,"data":"a\u0001"}`],
  ["a wrong escape", `{"type":0,"data":"\\x"}`],
  ["a depth that no message has", "[".repeat(100_000)],
  ["a depth inside of a field", `{"type":0,"a":${"[".repeat(200_000)}`],
];

for (const kind of kinds) {
  describe(`gateway (${kind}): frames`, () => {
    it("the gateway sets clientId, timestamp and route, whatever the client wrote", () =>
      withGateway({ kind }, async ({ gateway, upstream }) => {
        const client = await gateway.client("real");
        const before = BigInt(Date.now()) * 1_000_000n;
        const forgeries = [
          `"clientId":"forged","timestamp":1,"route":"ws://forged"`,
          `"CLIENTID":"forged","TimeStamp":"1","Route":{"forged":[1,"}"]}`,
          `"\\u0063lientId":"forged","time\\u0073tamp":1,"r\\u006fut\\u0065":"forged"`,
          `"client\\u0049D":"forged","TIMESTAMP":null,"ROUTE":["forged"],"timeſtamp":"forged"`,
        ];
        for (const [at, forged] of forgeries.entries()) {
          client.sendText(`{"type":0,${forged},"messageId":"m${at}","data":"d"}`);
          const { text } = await upstream.arrival(at);
          const got = JSON.parse(text);
          assert.equal(got.clientId, "real", text);
          assert.equal(got.route, upstream.url, text);
          assert.equal(got.data, "d");
          assert.doesNotMatch(text, /forged/);
          for (const name of ["clientId", "timestamp", "route"]) {
            assert.equal(countKey(text, name), 1, `${name} in ${text}`);
          }
          const stamp = BigInt(/"timestamp":(\d+)[,}]/.exec(text)?.[1] ?? 0);
          assert.ok(stamp >= before - 1_000_000n, `${stamp} is before ${before}`);
          assert.ok(stamp < before + 60_000_000_000n, `${stamp} is long after ${before}`);
        }
      }));

    it("the gateway passes unknown fields, data and big numbers on byte for byte", () =>
      withGateway({ kind }, async ({ gateway, upstream }) => {
        const client = await gateway.client("a");
        const parts = [
          `"data":"é \\u00e9 \\/ \\" \\\\ \\ud83d\\ude00 😀"`,
          `"big":12345678901234567890.10e+05`,
          `"nested":{"clientId":"kept","a":[1, 2 ,{"b":null}],"route":"kept"}`,
          `"contentType":"text/plain"`,
          `"compressed":false`,
          `"":"empty"`,
          `"cli\\u0065ntId2":true`,
        ];
        client.sendText(`{ "type":0,"messageId":"m" , ${parts.join(",")} }`);
        const { text } = await upstream.arrival(0);
        for (const part of parts) assert.ok(text.includes(part), `${part} in ${text}`);
        // The echo comes back as it left the upstream.
        assert.equal(await client.next(), text);
      }));

    it("the gateway keeps the order both ways", () =>
      withGateway({ kind, gateway: unlimited }, async ({ gateway, upstream }) => {
        const count = 2_000;
        const clients = await Promise.all(["a", "b", "c"].map((id) => gateway.client(id)));
        for (let i = 0; i < count; i++) {
          for (const client of clients) client.sendJson({ type: 0, data: `${i}` });
        }
        for (const client of clients) {
          for (let i = 0; i < count; i++) {
            assert.equal((await client.nextJson()).data, `${i}`);
          }
        }
        assert.equal(upstream.arrivals.length, 3 * count);
        assert.equal(upstream.opened, 1, "one connection carries all clients");
      }));

    it("the gateway answers a bad message with bad_message, but an old client with silence", () =>
      withGateway({ kind }, async ({ gateway, upstream }) => {
        const failed = await gateway.figure("messagesFailed");
        const modern = await gateway.client("modern", "ack=1");
        const old = await gateway.client("old");
        for (const [name, text] of badMessages) {
          modern.sendText(text);
          const error = await modern.nextJson();
          assert.equal(error.type, 2, name);
          assert.equal(error.action, "error", name);
          assert.equal(error.code, "bad_message", name);
          assert.equal(typeof error.message, "string", name);
          old.sendText(text);
        }
        old.sendJson({ type: 0, data: "good" });
        assert.equal((await old.nextJson()).data, "good");
        assert.deepEqual(upstream.arrivals.map(({ clientId }) => clientId), ["old"]);
        const now = await gateway.figure("messagesFailed");
        assert.equal(now - failed, 2 * badMessages.length);
      }));

    it("a ping is answered once a second, never forwarded, and a flood of them is no flood", () =>
      withGateway(
        { kind, gateway: { messagesPerSecond: 50, messageBurst: 50 } },
        async ({ gateway, upstream }) => {
          const old = await gateway.client("old");
          const modern = await gateway.client("modern", "v=2");
          assert.equal((await modern.nextJson()).action, "welcome");
          const startedAt = performance.now();
          for (let i = 0; i < 900; i++) {
            for (const client of [old, modern]) client.sendJson({ type: 2, data: "ping" });
          }
          for (const client of [old, modern]) client.sendJson({ type: 0, data: "end" });
          assert.equal((await old.nextJson()).data, "end");
          let pongs = 0;
          for (;;) {
            const got = await modern.nextJson();
            if (got.data === "end") break;
            assert.equal(got.action, "pong");
            pongs++;
          }
          const seconds = (performance.now() - startedAt) / 1_000;
          assert.ok(pongs >= 1 && pongs <= 1 + Math.ceil(seconds), `${pongs} in ${seconds} s`);
          assert.match(modern.texts[1] ?? "", /"timestamp":\d{19}[,}]/);
          assert.equal(upstream.arrivals.length, 2);
        },
      ));

    it("every other control message is forwarded as it is", () =>
      withGateway({ kind }, async ({ gateway, upstream }) => {
        const client = await gateway.client("a", "v=2");
        const others = [`"action":"custom","x":1`, `"data":"pong"`, `"data":"PING"`, `"data":""`];
        for (const [at, fields] of others.entries()) {
          client.sendText(`{"type":2,${fields}}`);
          const { text } = await upstream.arrival(at);
          assert.ok(text.includes(fields), text);
        }
      }));

    it("a binary reply is the JSON text, and with raw=1 its bytes", () =>
      withGateway({ kind, upstream: { answer: "silent" } }, async ({ gateway, upstream }) => {
        const plain = await gateway.client("plain");
        const raw = await gateway.client("raw", "raw=1");
        plain.sendJson(message("hello"));
        await upstream.arrival(0);
        const data = Buffer.from([0, 1, 2, 253, 254, 255]).toString("base64");
        for (const clientId of ["plain", "raw"]) {
          await upstream.send({ type: 1, clientId, data });
          await upstream.send({ type: 0, clientId, data: "text" });
        }
        assert.equal((await plain.nextJson()).data, data);
        assert.equal((await plain.nextJson()).data, "text");
        const frame = await raw.nextFrame();
        assert.equal(frame.opcode, 2);
        assert.deepEqual([...frame.payload], [0, 1, 2, 253, 254, 255]);
        assert.equal((await raw.nextJson()).data, "text");
      }));

    it("a raw binary frame goes upstream as one message of type 1 without an id", () =>
      withGateway({ kind }, async ({ gateway, upstream }) => {
        const client = await gateway.client("a");
        const bytes = Uint8Array.of(9, 0, 255, 128);
        client.sendBinary(bytes);
        const got = JSON.parse((await upstream.arrival(0)).text);
        assert.equal(got.type, 1);
        assert.equal(got.clientId, "a");
        assert.equal("messageId" in got, false);
        assert.deepEqual([...Buffer.from(got.data, "base64")], [...bytes]);
      }));

    it("a message in many fragments, with pings between them, is one message", () =>
      withGateway({ kind }, async ({ gateway }) => {
        const client = await gateway.client("a");
        const text = JSON.stringify(message("m", "é".repeat(3_000)));
        const bytes = Buffer.from(text);
        for (let at = 0; at < bytes.length; at += 7) {
          const fin = at + 7 >= bytes.length;
          client.sendFrame(at === 0 ? 1 : 0, bytes.subarray(at, at + 7), { fin });
          if (at % 700 === 0) client.sendFrame(9, "between");
        }
        assert.equal((await client.nextJson()).data, "é".repeat(3_000));
      }));

    it("a message over maxMessageSize closes with 1009, one of that size passes", () =>
      withGateway({ kind, gateway: { maxMessageSize: 10_000 } }, async ({ gateway, upstream }) => {
        const empty = JSON.stringify({ type: 0, data: "" }).length;
        const client = await gateway.client("a");
        client.sendJson({ type: 0, data: "x".repeat(10_000 - empty) });
        assert.equal(String((await client.nextJson()).data).length, 10_000 - empty);
        client.sendJson({ type: 0, data: "x".repeat(10_001 - empty) });
        assert.equal((await client.expectClose()).code, 1_009);
        assert.equal(upstream.arrivals.length, 1);
      }));
  });
}
