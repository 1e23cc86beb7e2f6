import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { nodeCrypto } from "../../src/adapters/node/crypto.ts";
import {
  acceptOf,
  handshakeKey,
  handshakeRequest,
  headEnd,
  judgeHandshake,
} from "../../src/gateway/link_handshake.ts";
import { parseUpstreamUrl, type UpstreamAddress } from "../../src/gateway/upstream_url.ts";

const crypto = nodeCrypto();

/** The example of RFC 6455 §1.3. */
const key = "dGhlIHNhbXBsZSBub25jZQ==";
const good = [
  "HTTP/1.1 101 Switching Protocols",
  "Upgrade: websocket",
  "Connection: Upgrade",
  "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
];

function judge(lines: readonly string[]): string | undefined {
  return judgeHandshake(lines.join("\r\n") + "\r\n\r\n", acceptOf(key, crypto));
}

function addressOf(url: string): UpstreamAddress {
  const address = parseUpstreamUrl(url);
  if ("fault" in address) throw new Error(address.fault);
  return address;
}

describe("handshake", () => {
  it("acceptOf() gives the example of RFC 6455", () => {
    assert.equal(acceptOf(key, crypto), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert.equal(handshakeKey(new TextEncoder().encode("the sample nonce")), key);
  });

  it("handshakeRequest() asks for path and query, with Authorization when the URL has a user", () => {
    const text = (url: string) => new TextDecoder().decode(handshakeRequest(addressOf(url), key));
    assert.equal(
      text("ws://up.example/a%20b?c=d"),
      "GET /a%20b?c=d HTTP/1.1\r\nHost: up.example\r\nUpgrade: websocket\r\n" +
        `Connection: Upgrade\r\nSec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
    );
    const withUser = text("ws://Aladdin:open%20sesame@up.example:81");
    assert.match(withUser, /^GET \/ HTTP\/1\.1\r\nHost: up\.example:81\r\n/);
    assert.match(withUser, /\r\nAuthorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n$/);
  });

  it("judgeHandshake() takes a good answer, in any case and with other headers", () => {
    assert.equal(judge(good), undefined);
    const odd = ["HTTP/1.1 101", "upgrade: WebSocket", "CONNECTION: keep-alive , upgrade", "X: y"];
    assert.equal(
      judge([
        ...odd,
        good[3]!.toLowerCase().replace(
          "s3pplmbitxaq9kygzzhzrbk+xoo=",
          "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        ),
      ]),
      undefined,
    );
  });

  it("judgeHandshake() refuses everything else, and says why", () => {
    const without = (name: string) => good.filter((line) => !line.startsWith(name));
    const cases: [RegExp, string[]][] = [
      [/not HTTP\/1\.1/, ["HTTP/1.0 101 Switching Protocols", ...good.slice(1)]],
      [/not HTTP\/1\.1/, ["SSH-2.0-OpenSSH_9.6"]],
      [/not HTTP\/1\.1/, ["HTTP/1.1 1010 x", ...good.slice(1)]],
      [/not HTTP\/1\.1/, ["HTTP/1.1  99", ...good.slice(1)]],
      [/status 200/, ["HTTP/1.1 200 OK", ...good.slice(1)]],
      [/status 401/, ["HTTP/1.1 401 Unauthorized", "WWW-Authenticate: Basic"]],
      [/redirects \(status 302\)/, ["HTTP/1.1 302 Found", "Location: ws://elsewhere/"]],
      [/did not upgrade/, without("Upgrade")],
      [/did not upgrade/, [...without("Upgrade"), "Upgrade: h2c"]],
      [/did not say upgrade/, without("Connection")],
      [/did not say upgrade/, [...without("Connection"), "Connection: close, upgraded"]],
      [/does not fit the key/, without("Sec-")],
      [/does not fit the key/, [
        ...without("Sec-"),
        "Sec-WebSocket-Accept: " + acceptOf("x", crypto),
      ]],
      [/does not fit the key/, [...good, good[3]!]],
      [/extensions that was not offered/, [
        ...good,
        "Sec-WebSocket-Extensions: permessage-deflate",
      ]],
      [/protocol that was not offered/, [...good, "Sec-WebSocket-Protocol: chat"]],
      [/malformed header/, [...good, "no colon"]],
      [/malformed header/, [...good, " folded: line"]],
      [/malformed header/, [...good, "Space : before the colon"]],
    ];
    for (const [why, lines] of cases) assert.match(judge(lines) ?? "taken", why);
  });

  it("headEnd() finds the empty line, however the head was cut before", () => {
    const bytes = new TextEncoder().encode("HTTP/1.1 101 x\r\na: b\r\n\r\nframes");
    const end = bytes.length - "frames".length;
    for (let from = 0; from < end; from++) assert.equal(headEnd(bytes, from), end);
    for (let to = 0; to < end; to++) assert.equal(headEnd(bytes.subarray(0, to), 0), -1);
  });
});

describe("parseUpstreamUrl()", () => {
  it("reads hosts, ports, paths and users", () => {
    assert.deepEqual(addressOf("ws://Up.Example"), {
      host: "up.example",
      port: 80,
      isSecure: false,
      hostHeader: "up.example",
      target: "/",
      authorization: undefined,
      shown: "ws://up.example/",
    });
    const secret = addressOf("wss://me:s%C3%BC@[2001:db8::1]:8443/p?token=t");
    assert.deepEqual(secret, {
      host: "2001:db8::1",
      port: 8443,
      isSecure: true,
      hostHeader: "[2001:db8::1]:8443",
      target: "/p?token=t",
      authorization: "Basic bWU6c8O8",
      shown: "wss://[2001:db8::1]:8443/p",
    });
    assert.equal(addressOf("wss://up.example:443").port, 443);
    assert.equal(addressOf("wss://up.example").port, 443);
    assert.equal(addressOf("ws://127.1").host, "127.0.0.1");
  });

  it("says what is wrong with any other text, and never throws", () => {
    const cases = [
      "",
      "up.example:80",
      "http://a",
      "echo:",
      "ws:",
      "ws://a#b",
      "ws://a:0",
      "ws://%ff@a",
    ];
    for (const text of cases) assert.ok("fault" in parseUpstreamUrl(text), text);
    fc.assert(fc.property(fc.string(), (text) => {
      parseUpstreamUrl(text);
      parseUpstreamUrl(`ws://${text}`);
    }));
  });
});
