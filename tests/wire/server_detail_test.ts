import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodeDiscoveryReply, parseDiscovery } from "../../src/wire/server_detail.ts";
import { fromHex } from "./hex.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const detail = { iconUrl: "default", description: "Golden Server", capacity: 100, online: 0 };

describe("parseDiscovery() and encodeDiscoveryReply()", () => {
  /** The recording `udp`. */
  const recorded: readonly (readonly [asked: string, answered: string | undefined])[] = [
    ["fkDetectServer", "me"],
    ["fkGetDetail,probe-1", '["0.5.19+","default","Golden Server",100,0,"probe-1"]'],
    ["fkGetDetail,", '["0.5.19+","default","Golden Server",100,0,""]'],
    ["fkGetDetail", undefined],
    ["nonsense", undefined],
    ['fkGetDetail,"q"\\', '["0.5.19+","default","Golden Server",100,0,"\\"q\\"\\\\"]'],
    ["", undefined],
    ["fkDetectServer\n", undefined],
    ["fkDetectServe", undefined],
    ["FKDETECTSERVER", undefined],
    ["fkGetDetail,a,б", '["0.5.19+","default","Golden Server",100,0,"a,б"]'],
  ];
  for (const [asked, answered] of recorded) {
    it(`answer ${JSON.stringify(asked)} with ${answered ?? "nothing"}`, () => {
      const request = parseDiscovery(utf8(asked));
      if (request === undefined) assert.equal(answered, undefined);
      else assert.equal(text(encodeDiscoveryReply(request, detail)), answered);
    });
  }

  it("answer bytes that are not UTF-8 with valid JSON", () => {
    const request = parseDiscovery(Uint8Array.of(...utf8("fkGetDetail,"), ...fromHex("ff00")));
    assert.ok(request !== undefined);
    assert.deepEqual(JSON.parse(text(encodeDiscoveryReply(request, detail))).at(-1), "\ufffd\0");
  });
});
