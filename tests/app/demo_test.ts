import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { demoLines } from "../../src/app/demo.ts";

describe("demoLines()", () => {
  const urls = (tls: { tls_cert: string; tls_key: string }) =>
    demoLines({ http_host: "0.0.0.0", ...tls }, 8_080).match(/\w+:\/\/[^/]*\/\w+/g);

  it("has lines to paste with http: and ws:", () => {
    assert.deepEqual(urls({ tls_cert: "", tls_key: "" }), [
      "http://127.0.0.1:8080/demo",
      "ws://127.0.0.1:8080/ws",
      "ws://127.0.0.1:8080/ws",
    ]);
  });

  it("has them with https: and wss: where there is a certificate", () => {
    assert.deepEqual(urls({ tls_cert: "cert.pem", tls_key: "key.pem" }), [
      "https://127.0.0.1:8080/demo",
      "wss://127.0.0.1:8080/ws",
      "wss://127.0.0.1:8080/ws",
    ]);
  });
});
