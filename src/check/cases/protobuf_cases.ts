import type { Clock } from "../../ports/clock.ts";
import type { AcceptanceCase, CaseGroup } from "../acceptance_case.ts";
import { expect, expectSame, pause, show } from "../probe_failure.ts";
import { pingBytes, pongBytes } from "../protobuf_vectors.ts";
import type { PrivateServer } from "../private_server.ts";

const vectorPing = Uint8Array.fromHex("0a03666f6f10071801");
const vectorPong = "0a03464f4f10071801";

/** Under the server's 200 ms of silence, with room for the clocks of two processes. */
const silenceMsMin = 150;

/** Longer than a segment takes on loopback, far shorter than the silence. */
const segmentMs = 20;

/** Pings that are none: nothing comes back and the connection closes. */
const malformedPings = [
  ["a length that runs past the end", "0a05666f6f"],
  ["a length without end", "0affffffffffffffffffff01"],
  ["a payload of the wrong wire type after a right one", "0a01610801"],
  ["a field number of 0", "0a0161000a0161"],
  ["an end inside a field", "0a036668"],
  ["an end inside a number", "0a03666f6f10ff"],
] as const;

/** What a Ping over TCP and UDP must do; a drift mode must be noticed by it. */
export const protobufCases: readonly AcceptanceCase[] = [
  {
    name: "Protobuf over TCP: the vector is answered byte for byte, then the connection closes",
    run: async ({ server }) => {
      await server.tcp(async (client) => {
        client.send(vectorPing);
        expectSame((await client.readToEnd()).toHex(), vectorPong, "bytes until the close");
      });
    },
  },
  {
    name: "Protobuf over TCP: the vector may be split at every byte",
    run: async ({ server, workspace }) => {
      const { clock } = workspace.runtime;
      const splits = [...vectorPing.keys()].slice(1);
      await Promise.all(splits.map((at) => expectVectorSplit(server, clock, at)));
      await server.tcp(async (client) => {
        for (const byte of vectorPing) client.send(Uint8Array.of(byte));
        expectSame((await client.readToEnd()).toHex(), vectorPong, "sent byte by byte");
      });
    },
  },
  {
    name: "Protobuf over TCP: payloads up to 1,024 bytes and any seq",
    run: async ({ server }) => {
      for (const ping of bigPings) {
        await server.tcp(async (client) => {
          client.send(pingBytes({ ...ping, keep: true }));
          expectPong(await client.readToEnd(), ping);
        });
      }
    },
  },
  {
    name: "Protobuf over TCP: without keep, half-closing asks for the answer",
    run: async ({ server }) => {
      await server.tcp(async (client) => {
        client.send(pingBytes({ payload: "half", seq: 9 }));
        client.halfClose();
        expectPong(await client.readToEnd(), { payload: "half", seq: 9 });
      });
    },
  },
  {
    name: "Protobuf over TCP: without keep, 200 ms of silence ask for the answer",
    run: async ({ server, workspace }) => {
      const { clock } = workspace.runtime;
      await server.tcp(async (client) => {
        const start = clock.monotonic();
        client.send(pingBytes({ payload: "silent", seq: 300 }));
        expectPong(await client.readToEnd(), { payload: "silent", seq: 300 });
        const waited = Math.round(clock.monotonic() - start);
        expect(waited >= silenceMsMin, `answered after ${waited} ms, before the silence was one`);
      });
    },
  },
  {
    name: "Protobuf over TCP: keep = false is answered too",
    run: async ({ server }) => {
      await server.tcp(async (client) => {
        client.send(pingBytes({ payload: "no", seq: 3, keep: false }));
        expectPong(await client.readToEnd(), { payload: "no", seq: 3 });
      });
    },
  },
  {
    name: "Protobuf over TCP: a malformed Ping closes without a byte, is counted, harms nobody",
    run: async ({ server }) => {
      const before = await server.figures();
      for (const [what, hex] of malformedPings) {
        await server.tcp(async (client) => {
          client.send(Uint8Array.fromHex(hex));
          client.halfClose();
          expectSame((await client.readToEnd(`close after ${what}`)).toHex(), "", what);
        });
      }
      const rise = (await server.figures()).codec_error_count - before.codec_error_count;
      expectSame(rise, malformedPings.length, "rise of codec_error_count");
      await expectVectorByTcp(server);
    },
  },
  {
    name: "Protobuf over UDP: one datagram each way, byte for byte",
    run: async ({ server }) => {
      await server.udp(async (client) => {
        client.send(vectorPing);
        expectSame((await client.read("a Ping")).toHex(), vectorPong, "the vector");
        for (const ping of [...bigPings, { payload: "no keep", seq: 1 }]) {
          client.send(pingBytes(ping));
          expectPong(await client.read("a Ping"), ping);
        }
      });
    },
  },
  {
    name: "Protobuf over UDP: a malformed Ping is counted and not answered",
    run: async ({ server }) => {
      const before = await server.figures();
      await server.udp(async (client) => {
        for (const [what, hex] of malformedPings) {
          client.send(Uint8Array.fromHex(hex));
          // The next datagram is answered in turn, so anything before it was an answer to this one.
          expectSame(await client.ask("M1_UDP_PING"), "M1_UDP_PONG", `after ${what}`);
        }
      });
      const rise = (await server.figures()).codec_error_count - before.codec_error_count;
      expectSame(rise, malformedPings.length, "rise of codec_error_count");
    },
  },
  {
    name: "Protobuf requests and responses are counted",
    run: async ({ server }) => {
      const before = await server.figures();
      await expectVectorByTcp(server);
      const after = await server.figures();
      for (const name of ["protobuf_request_count", "protobuf_response_count"] as const) {
        expectSame(after[name] - before[name], 1, `rise of ${name}`);
      }
      expectSame(after.protobuf_unavailable_count, 0, "protobuf_unavailable_count");
    },
  },
];

const bigPings = [
  { payload: "a", seq: 1 },
  { payload: "Mixed Case 123 _-", seq: 4_294_967_295 },
  { payload: "x".repeat(127), seq: 127 },
  { payload: "y".repeat(128), seq: 128 },
  { payload: "z".repeat(1_024), seq: 70_000 },
];

async function expectVectorByTcp(server: PrivateServer): Promise<void> {
  await server.tcp(async (client) => {
    client.send(vectorPing);
    expectSame((await client.readToEnd()).toHex(), vectorPong, "a Ping after that");
  });
}

async function expectVectorSplit(server: PrivateServer, clock: Clock, at: number): Promise<void> {
  let gapMs: number;
  do {
    gapMs = await server.tcp(async (client) => {
      const start = clock.monotonic();
      client.send(vectorPing.subarray(0, at));
      await pause(clock, segmentMs);
      client.send(vectorPing.subarray(at));
      const gap = clock.monotonic() - start;
      const answer = (await client.readToEnd()).toHex();
      if (gap < silenceMsMin) expectSame(answer, vectorPong, `split after byte ${at}`);
      return gap;
    });
    // A machine so busy that the pause became a silence has proved nothing.
  } while (gapMs >= silenceMsMin);
}

function expectPong(found: Uint8Array, ping: { payload: string; seq: number }): void {
  const wanted = pongBytes({ payload: ping.payload.toUpperCase(), seq: ping.seq });
  expect(
    found.toHex() === wanted.toHex(),
    `Pong of ${show(ping.payload)}: expected ${show(wanted)}, got ${show(found)}`,
  );
}

export const protobufGroup: CaseGroup = { topic: "protobuf", server: {}, cases: protobufCases };
