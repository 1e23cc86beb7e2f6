import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { systemClock } from "../../src/adapters/node/clock.ts";
import { webSocketCloseByAdapter } from "../../src/ports/http.ts";
import { fakeClock } from "../fakes/clock.ts";
import { FakeHttp } from "../fakes/http.ts";
import { httpConformance } from "./http_conformance.ts";
import { connectClient, type HttpUnderTest, until, withServer } from "./http_recorder.ts";
import { webSocketClientConformance } from "./websocket_client_conformance.ts";

httpConformance(fakeUnderTest(new FakeHttp({ clock: systemClock() })));
webSocketClientConformance(fakeUnderTest(new FakeHttp({ clock: systemClock() })));

describe("FakeHttp with a client that stops reading", () => {
  it("holds messages back, and drains when it reads again", async () => {
    const fake = new FakeHttp({ clock: fakeClock(), kernelBytes: 100 });
    await withServer(fake.server, {}, async ({ port, webSockets }) => {
      const { recorder } = connectClient(fakeUnderTest(fake), port);
      const seen = await webSockets.first();
      fake.clients[0]?.stopReading();
      assert.equal(seen.open.send("x".repeat(100)), true);
      assert.equal(seen.open.send("y".repeat(50)), false);
      assert.equal(seen.open.bufferedBytes, 50);
      fake.clients[0]?.startReading();
      await until(() => seen.events.includes("drain"), "the drain");
      assert.deepEqual(recorder.messages, ["x".repeat(100), "y".repeat(50)]);
    });
  });

  it("closes with 1013 past outboundBytesMax, and cuts it off 5 seconds later", async () => {
    const clock = fakeClock();
    const fake = new FakeHttp({ clock, kernelBytes: 0 });
    await withServer(
      fake.server,
      { limits: { outboundBytesMax: 10 } },
      async ({ port, webSockets }) => {
        const { recorder } = connectClient(fakeUnderTest(fake), port);
        const seen = await webSockets.first();
        fake.clients[0]?.stopReading();
        seen.open.send("eleven char");
        await until(() => seen.closes.length > 0, "the close");
        const { code, reason } = webSocketCloseByAdapter.slowConsumer;
        assert.deepEqual(seen.closes, [{ code, reason }]);
        assert.deepEqual(recorder.events, ["open"]);
        clock.advance(5000);
        await until(() => recorder.closes.length > 0, "the cut");
        assert.equal(recorder.closes[0]?.code, 1006);
        assert.deepEqual(recorder.messages, []);
      },
    );
  });
});

describe("FakeHttp.silence()", () => {
  it("makes clients give up after connectTimeoutMs", async () => {
    const clock = fakeClock();
    const fake = new FakeHttp({ clock });
    fake.silence(9);
    const { recorder } = connectClient(fakeUnderTest(fake), 9);
    clock.advance(4999);
    await Promise.resolve();
    assert.deepEqual(recorder.events, []);
    clock.advance(1);
    await until(() => recorder.closes.length > 0, "the close");
    assert.deepEqual(recorder.closes, [{ code: 1006, reason: "not open after 5000 ms" }]);
  });
});

function fakeUnderTest(fake: FakeHttp): HttpUnderTest {
  return {
    name: "FakeHttp",
    http: () => fake.server,
    request: (url, init) => fake.fetch(url, init),
    client: () => fake.client,
  };
}
