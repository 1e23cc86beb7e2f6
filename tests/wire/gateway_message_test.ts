import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  ClientMessage,
  messageIdInMembers,
  readClientMessage,
  readUpstreamMessage,
  UpstreamMessage,
} from "../../src/wire/gateway_message.ts";

/** Names of each kind, and what looks like them. */
const ours = ["clientId", "CLIENTID", "clientid", "timestamp", "timeStamp", "route", "Route"];
const known = [
  "type",
  "messageId",
  "data",
  "action",
  "ack",
  "priority",
  "contentType",
  "compressed",
];
const strange = [
  "__proto__",
  "constructor",
  "Type",
  "DATA",
  "message_id",
  "clientIds",
  "",
  "ro",
  "é",
];

function read(text: string): ClientMessage {
  const message = new ClientMessage();
  assert.equal(readClientMessage(text, message), undefined, text.slice(0, 200));
  return message;
}

function faultOf(text: string): string {
  const fault = readClientMessage(text, new ClientMessage());
  assert.ok(fault !== undefined, `${text.slice(0, 200)} was taken`);
  return fault;
}

/** Each character as \uXXXX. */
function escaped(text: string): string {
  return [...text].map((char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`).join("");
}

function isOurs(name: string): boolean {
  return ["clientid", "timestamp", "route"].includes(name.toLowerCase());
}

describe("readClientMessage()", () => {
  it("reads a message of the known SDK and leaves the rest as it came", () => {
    const message = read(
      '{"type":0,"clientId":"c-1","messageId":"m-1","timestamp":1709078400000000000,"data":"hi",' +
        '"contentType":"text/plain","compressed":false,"route":"ws://x"}',
    );
    assert.equal(message.type, 0);
    assert.equal(message.messageId, "m-1");
    assert.equal(message.action, "");
    assert.equal(message.ack, undefined);
    assert.equal(message.priority, undefined);
    assert.equal(message.isPing, false);
    assert.equal(
      message.members,
      '"type":0,"messageId":"m-1","data":"hi","contentType":"text/plain","compressed":false',
    );
  });

  it("keeps numbers beyond doubles, escapes, order and unknown members byte for byte", () => {
    const members =
      '"z":123456789012345678901234567890.10e+0,"type":0 , "data" : "\\u0041\\/é",\n"a":[1, 2]';
    assert.equal(read(`{${members}}`).members, members);
    assert.equal(read(`{ ${members} }`).members, members);
  });

  it("has no members where none are left", () => {
    for (const text of ["{}", "{ }", '{"clientId":"x"}', ' { "ROUTE":1,"timestamp":[{}] } ']) {
      assert.equal(read(text).members, "", text);
    }
  });

  it("leaves out what the gateway sets, wherever, escaped, capitalised and as often as it comes", () => {
    for (
      const name of [
        ...ours,
        "cLIENTiD",
        "\\u0063lientId",
        "client\\u0049d",
        escaped("clientId"),
        escaped("TIMESTAMP"),
        escaped("route").toUpperCase().replaceAll("\\U", "\\u"),
        "timeſtamp",
        "time\\u017ftamp",
      ]
    ) {
      const forged = `"${name}":{"clientId":["x"]}`;
      assert.equal(read(`{${forged},"a":1}`).members, '"a":1', name);
      assert.equal(read(`{"a":1,${forged}}`).members, '"a":1', name);
      assert.equal(read(`{"a":1,${forged},"b":2}`).members, '"a":1,"b":2', name);
      assert.equal(
        read(`{${forged},"a":1,"c":3, ${forged},${forged} ,"b":2,${forged}}`).members,
        '"a":1,"c":3,"b":2',
        name,
      );
    }
  });

  it("leaves out no other name, and none within a value", () => {
    for (
      const name of [...strange, "clientId ", "clientİd", "clıentId", "rоute", "router", "timestam"]
    ) {
      assert.equal(read(`{"${name}":{"route":1}}`).members, `"${name}":{"route":1}`);
    }
  });

  it("refuses a known name that comes twice, also when one of them is escaped", () => {
    const value: Record<string, string> = { type: "0", ack: "true", priority: "1" };
    for (const name of known) {
      const member = `"${name}":${value[name] ?? '"x"'}`;
      assert.match(faultOf(`{${member},"a":1,${member}}`), new RegExp(`^${name} comes twice$`));
      assert.match(
        faultOf(`{${member},"${escaped(name)}":${value[name] ?? '"x"'}}`),
        /comes twice/,
      );
    }
    assert.equal(read('{"a":1,"a":2,"__proto__":{},"__proto__":1}').type, 0);
  });

  it("takes only the literals 0, 1 and 2 as type, and none as 0", () => {
    for (const type of [0, 1, 2]) assert.equal(read(`{"type":${type}}`).type, type);
    assert.equal(read('{"data":"x"}').type, 0);
    for (
      const type of ["3", "-1", "-0", "1.0", "1e0", "10", "00", '"0"', "null", "true", "[]", "{}"]
    ) {
      assert.throws(() => read(`{"type":${type}}`), type);
    }
    assert.equal(faultOf('{"type":7}'), "type must be 0, 1 or 2");
  });

  it("takes a message id of up to 256 bytes", () => {
    assert.equal(read('{"messageId":""}').messageId, "");
    assert.equal(read('{"messageId":"a\\u00e9\\n"}').messageId, "aé\n");
    for (const [char, count] of [["a", 256], ["é", 128], ["中", 85], ["😀", 64]] as const) {
      assert.equal(read(`{"messageId":"${char.repeat(count)}"}`).messageId, char.repeat(count));
      assert.match(faultOf(`{"messageId":"${char.repeat(count + 1)}"}`), /^messageId must be/);
    }
    assert.equal(read(`{"messageId":"${"\\ud800".repeat(85)}"}`).messageId, "\ud800".repeat(85));
    for (const id of ["1", "null", "[]", "{}", "false"]) faultOf(`{"messageId":${id}}`);
  });

  it("takes data that is a text, lone surrogates and all, and nothing else", () => {
    assert.equal(read('{"data":"\\ud800"}').members, '"data":"\\ud800"');
    for (const data of ["1", "null", "[]", "{}", "true"]) {
      assert.equal(faultOf(`{"data":${data}}`), "data must be a text");
    }
  });

  it("reads ack, priority and action", () => {
    assert.equal(read('{"ack":true}').ack, true);
    assert.equal(read('{"ack":false}').ack, false);
    for (const ack of ["1", '"true"', "null"]) faultOf(`{"ack":${ack}}`);
    for (let priority = 0; priority <= 9; priority++) {
      assert.equal(read(`{"priority":${priority}}`).priority, priority);
    }
    for (const priority of ["10", "-1", "1.0", "1.5", '"1"', "null", "1e0"]) {
      faultOf(`{"priority":${priority}}`);
    }
    assert.equal(read('{"type":2,"action":"au\\u0074h"}').action, "auth");
    assert.equal(read('{"type":2,"action":{"x":1}}').action, "");
  });

  it("knows a heartbeat, however it is written, and nothing else as one", () => {
    for (
      const text of [
        '{"type":2,"data":"ping"}',
        '{"data":"ping","type":2,"clientId":"a","timestamp":1}',
        `{"type":2,"data":"${escaped("ping")}"}`,
      ]
    ) assert.ok(read(text).isPing, text);
    for (
      const text of [
        '{"type":0,"data":"ping"}',
        '{"data":"ping"}',
        '{"type":2,"data":"Ping"}',
        '{"type":2,"data":"ping "}',
        '{"type":2,"data":"ping","action":"auth"}',
        '{"type":2}',
      ]
    ) assert.equal(read(text).isPing, false, text);
  });

  it("forgets the message before", () => {
    const message = new ClientMessage();
    readClientMessage(
      '{"type":2,"messageId":"m","action":"a","ack":true,"priority":3,"x":1}',
      message,
    );
    assert.equal(readClientMessage("{}", message), undefined);
    const { scan: _scan, ...plain } = message;
    const { scan: _fresh, ...fresh } = new ClientMessage();
    assert.deepEqual(plain, fresh);
  });

  it("refuses what is no object", () => {
    for (const text of ["", " ", "[]", "1", '"x"', "null", "\ufeff{}", "x{}"]) {
      assert.equal(faultOf(text), "it is no JSON object");
    }
  });

  it("refuses deep nesting of any size without falling over", () => {
    for (const open of ["[", '{"a":']) {
      assert.equal(faultOf(`{"x":${open.repeat(5_000_000)}`), "it is nested too deeply");
    }
  });

  it("takes any object that JSON.parse takes, and keeps all that is not the gateway's", () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.oneof(fc.string(), fc.constantFrom(...strange)), fc.jsonValue()),
        (object) => {
          const text = JSON.stringify(object);
          const members = read(text).members;
          const expected = Object.entries(JSON.parse(text)).filter(([name]) => !isOurs(name));
          assert.deepEqual(Object.entries(JSON.parse(`{${members}}`)), expected);
        },
      ),
      { numRuns: 500 },
    );
  });

  it("agrees with JSON.parse and the rules on any mixture of names and values", () => {
    const name = fc.constantFrom(...ours, ...known, ...strange).chain((plain) =>
      fc.constantFrom(JSON.stringify(plain), `"${escaped(plain)}"`)
    );
    const value = fc.constantFrom(
      "0",
      "1",
      "2",
      "3",
      '"m"',
      "true",
      "[{}]",
      '"ping"',
      "1.0",
      "nul",
      "",
    );
    const member = fc.tuple(name, value).map(([key, is]) => `${key}:${is}`);
    const space = fc.constantFrom("", " ", "\n");
    const document = fc.tuple(fc.array(member, { maxLength: 6 }), space, space).map(
      ([members, before, after]) => `{${before}${members.join(`${after},${before}`)}${after}}`,
    );
    fc.assert(fc.property(document, agreesWithModel), { numRuns: 5_000 });
  });

  it("reads members again as they are, with the same id", () => {
    const message = read('{"route":1,"messageId":"m\\u00e9","data":"x","clientId":2}');
    assert.equal(messageIdInMembers(message.members, new ClientMessage()), "mé");
    assert.equal(messageIdInMembers("", message), "");
    assert.equal(messageIdInMembers('"type":0', message), "");
    assert.equal(messageIdInMembers("broken", message), "");
  });
});

/** The same reading, the slow way. */
function agreesWithModel(text: string): void {
  const expected = model(text);
  const message = new ClientMessage();
  const fault = readClientMessage(text, message);
  assert.equal(fault === undefined, expected !== undefined, `${text}: ${fault}`);
  if (expected === undefined) return;
  const { scan: _scan, members, ...found } = message;
  const { kept, ...facts } = expected;
  assert.deepEqual(found, facts, text);
  const again = pairs(`{${members}}`);
  assert.deepEqual(again, kept, text);
}

type Pair = readonly [name: string, value: unknown];

/** Members in their order, duplicates included: the values of the test have no depth. */
function pairs(text: string): Pair[] {
  const found: Pair[] = [];
  JSON.parse(text);
  const member = /("(?:[^"\\]|\\.)*")\s*:\s*("[^"]*"|\[\{\}\]|[^,\s}]+)/g;
  for (const [, name, value] of text.matchAll(member)) {
    found.push([JSON.parse(name!), JSON.parse(value!)]);
  }
  return found;
}

function model(text: string) {
  let members: Pair[];
  try {
    members = pairs(text);
  } catch {
    return undefined;
  }
  const kept = members.filter(([name]) => !isOurs(name));
  const of = new Map<string, unknown>();
  for (const [name, value] of kept) {
    if (known.includes(name) && of.has(name)) return undefined;
    of.set(name, value);
  }
  const type = of.has("type") ? of.get("type") : 0;
  const priority = of.get("priority");
  const [ack, data, id] = [of.get("ack"), of.get("data"), of.get("messageId")];
  if (![0, 1, 2].includes(type as number) || /"type"\s*:\s*1\.0/.test(plain(text))) {
    return undefined;
  }
  if (id !== undefined && typeof id !== "string") return undefined;
  if (data !== undefined && typeof data !== "string") return undefined;
  if (ack !== undefined && typeof ack !== "boolean") return undefined;
  if (priority !== undefined && ![0, 1, 2, 3].includes(priority as number)) return undefined;
  if (/"priority"\s*:\s*1\.0/.test(plain(text))) return undefined;
  const action = typeof of.get("action") === "string" ? of.get("action") : "";
  return {
    type,
    messageId: id ?? "",
    action,
    isPing: type === 2 && data === "ping" && action === "",
    ack,
    priority,
    kept,
  };
}

function plain(text: string): string {
  return text.replace(/\\u(....)/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
}

describe("readUpstreamMessage()", () => {
  function readUpstream(text: string): UpstreamMessage {
    const message = new UpstreamMessage();
    assert.equal(readUpstreamMessage(text, message), undefined, text);
    return message;
  }

  it("reads whom a message is for, what it is, and where its data stands", () => {
    const text =
      '{"type":1,"clientId":"c-\\u0031","messageId":"m","timestamp":1709078400000000000,' +
      '"data":"AAEC","x":{"clientId":"y"}}';
    const message = readUpstream(text);
    assert.equal(message.clientId, "c-1");
    assert.equal(message.type, 1);
    assert.equal(message.messageId, "m");
    assert.equal(message.action, "");
    assert.equal(text.slice(message.dataFrom, message.dataTo), '"AAEC"');
  });

  it("reads an acknowledgement", () => {
    const message = readUpstream('{"type":2,"action":"ack","clientId":"c","messageId":"m"}');
    assert.deepEqual(
      [message.type, message.action, message.clientId, message.messageId],
      [2, "ack", "c", "m"],
    );
  });

  it("takes null for a text as if it were not there, and data of any kind", () => {
    const message = readUpstream('{"clientId":"c","messageId":null,"data":{"a":1},"action":null}');
    assert.deepEqual([message.messageId, message.action, message.dataFrom], ["", "", 0]);
  });

  it("refuses what is no message for a client", () => {
    for (
      const text of [
        "",
        "[]",
        "{",
        "{}",
        '{"clientId":""}',
        '{"clientId":1}',
        '{"ClientId":"c"}',
        '{"clientId":"a","clientId":"b"}',
        '{"clientId":"a","client\\u0049d":"b"}',
        '{"clientId":"a","type":3}',
        '{"clientId":"a","type":0,"type":1}',
        '{"clientId":"a","messageId":1}',
        `{"clientId":"a","messageId":"${"x".repeat(257)}"}`,
        '{"clientId":"a"}{}',
        '{"clientId":"a",}',
      ]
    ) assert.ok(readUpstreamMessage(text, new UpstreamMessage()) !== undefined, text);
  });
});
