import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BindError } from "../../src/ports/bind_error.ts";
import { webSocketCloseByAdapter } from "../../src/ports/http.ts";
import { connectClient, type HttpUnderTest, until, withServer } from "./http_recorder.ts";
import { webSocketConformance } from "./websocket_conformance.ts";

/** All that each HTTP server must keep, and the fake with them. */
export function httpConformance(under: HttpUnderTest): void {
  describe(`${under.name} fetch`, () => fetchConformance(under));
  describe(`${under.name} listen`, () => listenConformance(under));
  webSocketConformance(under);
}

function fetchConformance(under: HttpUnderTest): void {
  it("gets method, URL, headers, body and the socket's address, whatever headers say", async () => {
    const fetch = async (request: Request) => {
      const { method, url, headers } = request;
      return Response.json({
        method,
        url,
        sent: headers.get("x-sent"),
        body: await request.text(),
      });
    };
    await withServer(under.http(), { fetch }, async ({ origin, port, fetched }) => {
      const response = await under.request(`${origin}/a/b?c=d`, {
        method: "POST",
        headers: { "X-Sent": "yes", "X-Forwarded-For": "203.0.113.9" },
        body: "päyload",
      });
      assert.deepEqual(await response.json(), {
        method: "POST",
        url: `http://127.0.0.1:${port}/a/b?c=d`,
        sent: "yes",
        body: "päyload",
      });
      assert.equal(fetched[0]?.peer.remoteHost, "127.0.0.1");
      assert.ok((fetched[0]?.peer.remotePort ?? 0) > 0);
    });
  });

  it("answers with the owner's status, headers and body", async () => {
    const fetch = () =>
      new Response("nothing here\n", {
        status: 404,
        headers: [["X-Own", "1"], ["Set-Cookie", "a=1"], ["Set-Cookie", "b=2"]],
      });
    await withServer(under.http(), { fetch }, async ({ origin }) => {
      const response = await under.request(origin);
      assert.equal(response.status, 404);
      assert.equal(response.headers.get("x-own"), "1");
      assert.deepEqual(response.headers.getSetCookie(), ["a=1", "b=2"]);
      assert.equal(await response.text(), "nothing here\n");
    });
  });

  it("answers without a body where the status has none", async () => {
    const fetch = () => new Response(null, { status: 204 });
    await withServer(under.http(), { fetch }, async ({ origin }) => {
      const response = await under.request(origin);
      assert.equal(response.status, 204);
      assert.equal(await response.text(), "");
    });
  });

  for (const how of ["throws", "rejects"] as const) {
    it(`is answered 500 in one plain line when it ${how}, and reported`, async () => {
      const fault = new Error("secret detail");
      const fetch = () => {
        if (how === "throws") throw fault;
        return Promise.reject(fault);
      };
      await withServer(under.http(), { fetch }, async ({ origin, errors }) => {
        const response = await under.request(origin);
        assert.equal(response.status, 500);
        assert.equal(await response.text(), "internal error\n");
        assert.deepEqual(errors, [fault]);
      });
    });
  }

  it("lets a body of bodyBytesMax pass and answers 413 to a longer one", async () => {
    const fetch = async (request: Request) => new Response(String((await request.text()).length));
    await withServer(under.http(), { fetch, bodyBytesMax: 1000 }, async ({ origin, errors }) => {
      const post = (length: number) =>
        under.request(origin, { method: "POST", body: "x".repeat(length) });
      assert.equal(await (await post(1000)).text(), "1000");
      assert.equal((await post(1001)).status, 413);
      assert.deepEqual(errors, []);
    });
  });
}

function listenConformance(under: HttpUnderTest): void {
  it("rejects with BindError EADDRINUSE when the port is taken", async () => {
    const http = under.http();
    await withServer(http, {}, async ({ port }) => {
      const second = http.listen({
        host: "127.0.0.1",
        port,
        bodyBytesMax: 1,
        fetch: () => new Response(),
        error() {},
      });
      await assert.rejects(second, (error) => {
        assert.ok(error instanceof BindError);
        assert.equal(error.code, "EADDRINUSE");
        assert.match(error.message, /^Cannot listen on http 127\.0\.0\.1:\d+: the port is in use/);
        return true;
      });
    });
  });

  it("leaves the port free when close() resolves, with WebSockets closed by 1001", async () => {
    const http = under.http();
    await withServer(http, {}, async ({ server, port, webSockets }) => {
      const { recorder } = connectClient(under, port);
      const seen = await webSockets.first();
      await until(() => recorder.events.length > 0, "the client to open");
      await server.close();
      const { code, reason } = webSocketCloseByAdapter.serverClosed;
      await until(() => seen.closes.length > 0, "the close of the server's side");
      await until(() => recorder.closes.length > 0, "the close of the client's side");
      assert.deepEqual(seen.closes, [{ code, reason }]);
      assert.deepEqual(recorder.closes, [{ code, reason }]);
      const again = await http.listen({
        host: "127.0.0.1",
        port,
        bodyBytesMax: 1,
        fetch: () => new Response(),
        error() {},
      });
      assert.equal(again.port, port);
      await again.close();
    });
  });
}
