import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it } from "node:test";
import { fetchGitHttp, type GitHttpTimes } from "../../src/adapters/node/git_http.ts";
import { GitHttpError, type GitHttpRequest } from "../../src/ports/git_io.ts";

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

async function withServer(
  handler: Handler,
  test: (
    url: string,
    ask: (
      request?: Partial<GitHttpRequest>,
      times?: GitHttpTimes,
    ) => Promise<{ status: number; body: string; url: string }>,
  ) => Promise<void>,
): Promise<void> {
  const server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    await test(url, async (request = {}, times = {}) => {
      const response = await fetchGitHttp(times).request({
        url,
        method: "GET",
        headers: {},
        body: undefined,
        signal: new AbortController().signal,
        bodyBytesMax: 1_000,
        ...request,
      });
      let body = "";
      for await (const chunk of response.body) body += new TextDecoder().decode(chunk);
      return { status: response.statusCode, body, url: response.url };
    });
  } finally {
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}

function failsWith(pattern: RegExp, mayRetry: boolean) {
  return (error: unknown) => {
    assert.ok(error instanceof GitHttpError, String(error));
    assert.match(error.message, pattern);
    assert.equal(error.mayRetry, mayRetry);
    return true;
  };
}

describe("fetchGitHttp()", () => {
  it("posts a body with its headers and gives status, headers and body", () =>
    withServer((request, response) => {
      let text = "";
      request.on("data", (chunk) => text += chunk);
      request.on("end", () => {
        response.writeHead(201, { "content-type": "x/y" });
        response.end(`${request.method} ${request.headers["x-a"]} ${text}`);
      });
    }, async (_url, ask) => {
      const body = new TextEncoder().encode("hello");
      const answer = await ask({ method: "POST", headers: { "x-a": "1" }, body });
      assert.deepEqual([answer.status, answer.body], [201, "POST 1 hello"]);
    }));

  it("follows redirections with the same method and body, five at most", () =>
    withServer((request, response) => {
      const step = Number(new URL(request.url ?? "", "http://x").pathname.slice(1));
      if (step === 0) {
        let text = "";
        request.on("data", (chunk) => text += chunk);
        request.on("end", () => response.end(`${request.method} ${text}`));
        return;
      }
      const status = [301, 302, 303, 307, 308][step % 5] ?? 301;
      response.writeHead(status, { location: `/${step - 1}` });
      response.end();
    }, async (url, ask) => {
      const body = new TextEncoder().encode("hello");
      const answer = await ask({ url: `${url}/5`, method: "POST", body });
      assert.deepEqual([answer.body, answer.url], ["POST hello", `${url}/0`]);
      const tooMany = ask({ url: `${url}/6`, method: "POST", body });
      await assert.rejects(tooMany, failsWith(/redirected over 5 times/, false));
    }));

  it("goes nowhere but to http and https", () =>
    withServer((request, response) => {
      const location = new URL(request.url ?? "", "http://x").searchParams.get("to");
      response.writeHead(302, location === null ? {} : { location });
      response.end();
    }, async (url, ask) => {
      for (
        const to of ["file:///etc/passwd", "data:,x", "ftp://127.0.0.1/", "http://", undefined]
      ) {
        const query = to === undefined ? "" : `?to=${encodeURIComponent(to)}`;
        const refused = ask({ url: `${url}/${query}` });
        await assert.rejects(refused, failsWith(/where one may not go/, false), String(to));
      }
    }));

  it("reads no more of a body than is allowed", () =>
    withServer((_request, response) => {
      response.on("error", () => {});
      const more = () => {
        while (response.write(new Uint8Array(65_536)));
        response.once("drain", more);
      };
      more();
    }, async (_url, ask) => {
      await assert.rejects(ask(), failsWith(/sends over 1000 bytes/, false));
    }));

  it("gives up a server that is silent, before its answer and within it", () =>
    withServer((request, response) => {
      if (request.url === "/part") response.write("part");
    }, async (url, ask) => {
      const times = { silenceMsMax: 50 };
      const silent = /silent for 0.05 s/;
      await assert.rejects(ask({ url: `${url}/none` }, times), failsWith(silent, true));
      await assert.rejects(ask({ url: `${url}/part` }, times), failsWith(silent, true));
    }));

  it("gives up an answer that trickles on for too long", () =>
    withServer((_request, response) => {
      const trickle = setInterval(() => response.write("."), 5);
      response.on("close", () => clearInterval(trickle));
    }, async (_url, ask) => {
      const times = { silenceMsMax: 10_000, responseMsMax: 100 };
      await assert.rejects(ask({}, times), failsWith(/took over 0.1 s/, true));
    }));

  it("says that a connection failed, or broke off, and that another try may do", () =>
    withServer((_request, response) => {
      response.write("part", () => response.destroy());
    }, async (_url, ask) => {
      await assert.rejects(ask(), failsWith(/^the connection failed: /, true));
      const nobody = ask({ url: "http://127.0.0.1:1" });
      await assert.rejects(nobody, failsWith(/^the connection failed: /, true));
    }));

  it("rejects with the signal's reason when that is aborted, before and within the answer", () =>
    withServer((_request, response) => {
      response.write("part");
    }, async (url, ask) => {
      const cancel = new AbortController();
      const request = { url, method: "GET", headers: {}, body: undefined, bodyBytesMax: 1_000 };
      const { signal } = cancel;
      const response = await fetchGitHttp().request({ ...request, signal });
      await response.body.next();
      const next = response.body.next();
      const reason = new Error("enough");
      cancel.abort(reason);
      await assert.rejects(next, reason);
      await assert.rejects(ask({ signal }), reason);
    }));
});
