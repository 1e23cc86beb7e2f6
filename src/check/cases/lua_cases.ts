import type { AcceptanceCase, CaseGroup } from "../acceptance_case.ts";
import { expect, expectSame, show } from "../probe_failure.ts";

/** A script that loops or allocates without end is stopped within 5 s; the rest is for slow
 * machines. */
const runawayMs = 12_000;

/** Bytes of a reply line with its `\n` (host protocol, "Framing"). */
const replyBytesMax = 65_536;

const scriptCases: readonly AcceptanceCase[] = [
  {
    name: "M3_LUA_HELLO and M3_LUA_HELLO_ASYNC give what the script returns",
    run: async ({ server }) => {
      const before = await server.figures();
      expectSame(await server.ask("M3_LUA_HELLO"), "M3_LUA_ACK:v1", "sync over tcp");
      expectSame(await server.ask("M3_LUA_HELLO_ASYNC"), "M3_LUA_ASYNC_ACK:v1", "async over tcp");
      await server.udp(async (client) => {
        expectSame(await client.ask("M3_LUA_HELLO"), "M3_LUA_ACK:v1", "sync over udp");
        expectSame(await client.ask("M3_LUA_HELLO_ASYNC"), "M3_LUA_ASYNC_ACK:v1", "async, udp");
      });
      const after = await server.figures();
      expectSame(after.lua_hello_count - before.lua_hello_count, 4, "rise of lua_hello_count");
      for (const name of ["ffi_sync_call_count", "ffi_async_call_count"] as const) {
        expect(after[name] > before[name], `${name} did not rise`);
      }
      expectSame(after.ffi_async_inflight_count, 0, "ffi_async_inflight_count when idle");
    },
  },
  {
    name: "M3_HOT_RELOAD of an unchanged script gives v1.1, then v1.2",
    run: async ({ server }) => {
      for (const revision of [1, 2]) {
        expectSame(await server.ask("M3_HOT_RELOAD"), "M3_HOT_RELOAD_OK", "reload");
        expectSame(await server.ask("M3_LUA_HELLO"), `M3_LUA_ACK:v1.${revision}`, "hello");
        const byUdp = await server.udp((client) => client.ask("M3_LUA_HELLO_ASYNC"));
        expectSame(byUdp, `M3_LUA_ASYNC_ACK:v1.${revision}`, "async hello");
      }
    },
  },
  {
    name: "M3_HOT_RELOAD of a changed script gives exactly what it returns",
    run: async ({ server }) => {
      await server.writeScript(helloScript("v2"));
      expectSame(await server.ask("M3_LUA_HELLO"), "M3_LUA_ACK:v1.2", "hello before the reload");
      expectSame(await server.ask("M3_HOT_RELOAD"), "M3_HOT_RELOAD_OK", "reload");
      expectSame(await server.ask("M3_LUA_HELLO"), "M3_LUA_ACK:v2", "hello after it");
      expectSame(await server.ask("M3_HOT_RELOAD"), "M3_HOT_RELOAD_OK", "unchanged reload");
      expectSame(await server.ask("M3_LUA_HELLO"), "M3_LUA_ACK:v2.1", "hello after that");
    },
  },
  {
    name: "M3_HOT_RELOAD of a broken script says why in one line and keeps the old one",
    run: async ({ server }) => {
      for (const broken of ["function runtime_hello( return", "error('at load time')"]) {
        await server.writeScript(broken);
        const reply = await server.ask("M3_HOT_RELOAD");
        expect(/^M3_HOT_RELOAD_FAIL:\S/.test(reply), `reload of ${show(broken)}: ${show(reply)}`);
        expectSame(await server.ask("M3_LUA_HELLO"), "M3_LUA_ACK:v2.1", "hello of the old one");
      }
      await server.writeScript(helloScript("v3"));
      expectSame(await server.ask("M3_HOT_RELOAD"), "M3_HOT_RELOAD_OK", "reload when mended");
      expectSame(await server.ask("M3_LUA_HELLO"), "M3_LUA_ACK:v3", "hello when mended");
    },
  },
  {
    name: "each reload loads into a fresh state",
    run: async ({ server }) => {
      await server.writeScript(
        "count = (count or 0) + 1\nfunction runtime_hello() return 'n' .. count end",
      );
      for (const version of ["n1", "n1.1"]) {
        expectSame(await server.ask("M3_HOT_RELOAD"), "M3_HOT_RELOAD_OK", "reload");
        expectSame(await server.ask("M3_LUA_HELLO"), `M3_LUA_ACK:${version}`, "hello");
      }
    },
  },
  {
    name: "a byte order mark before the script is skipped, UTF-8 comes through",
    run: async ({ server }) => {
      await server.writeScript(`\ufeff${helloScript("版本 一")}`);
      expectSame(await server.ask("M3_HOT_RELOAD"), "M3_HOT_RELOAD_OK", "reload");
      expectSame(await server.ask("M3_LUA_HELLO"), "M3_LUA_ACK:版本 一", "hello");
    },
  },
  {
    name: "a script without runtime_hello gives v0, one that raises gives M3_LUA_FAIL",
    run: async ({ server }) => {
      await server.writeScript("local nothing = 1");
      expectSame(await server.ask("M3_HOT_RELOAD"), "M3_HOT_RELOAD_OK", "reload");
      expectSame(await server.ask("M3_LUA_HELLO"), "M3_LUA_ACK:v0", "hello without a function");
      await server.writeScript("function runtime_hello() error('on purpose\\nsecond line') end");
      expectSame(await server.ask("M3_HOT_RELOAD"), "M3_HOT_RELOAD_OK", "reload");
      const reply = await server.ask("M3_LUA_HELLO");
      expect(/^M3_LUA_FAIL:.*on purpose/.test(reply), `hello that raises: ${show(reply)}`);
      expectSame(await server.ask("M1_CONN_PING"), "M1_CONN_PONG", "a ping after that");
    },
  },
  {
    name: "a reply of 65,536 bytes is sent, a longer one becomes ERR_CODEC_FRAME_TOO_LARGE",
    run: async ({ server }) => {
      const longest = replyBytesMax - "M3_LUA_ACK:\n".length;
      for (
        const [length, wanted] of [
          [2_000, `M3_LUA_ACK:${"x".repeat(2_000)}`],
          [longest, `M3_LUA_ACK:${"x".repeat(longest)}`],
          [longest + 1, "ERR_CODEC_FRAME_TOO_LARGE"],
        ] as const
      ) {
        await server.writeScript(
          `function runtime_hello() return string.rep("x", ${length}) end`,
        );
        expectSame(await server.ask("M3_HOT_RELOAD"), "M3_HOT_RELOAD_OK", "reload");
        expectSame(await server.ask("M3_LUA_HELLO"), wanted, `a version of ${length} bytes`);
      }
      expectSame(await server.ask("M1_CONN_PING"), "M1_CONN_PONG", "a ping after that");
    },
  },
  {
    name: "reloads are counted",
    run: async ({ server }) => {
      await server.writeScript(helloScript("v9"));
      const before = await server.figures();
      expectSame(await server.ask("M3_HOT_RELOAD"), "M3_HOT_RELOAD_OK", "reload");
      const after = await server.figures();
      const rise = after.lua_hot_reload_count - before.lua_hot_reload_count;
      expectSame(rise, 1, "rise of lua_hot_reload_count");
    },
  },
];

const noScriptCases: readonly AcceptanceCase[] = [
  {
    name: "without a script M3_LUA_HELLO gives v0, and v0.1, v0.2 after reloads",
    run: async ({ server }) => {
      for (const version of ["v0", "v0.1", "v0.2"]) {
        if (version !== "v0") {
          expectSame(await server.ask("M3_HOT_RELOAD"), "M3_HOT_RELOAD_OK", "reload");
        }
        expectSame(await server.ask("M3_LUA_HELLO"), `M3_LUA_ACK:${version}`, "sync");
        expectSame(await server.ask("M3_LUA_HELLO_ASYNC"), `M3_LUA_ASYNC_ACK:${version}`, "async");
      }
    },
  },
];

const missingScriptCases: readonly AcceptanceCase[] = [
  {
    name: "a script that is set but missing gives v0 and does not stop the server",
    run: async ({ server }) => {
      expectSame(await server.ask("M3_LUA_HELLO"), "M3_LUA_ACK:v0", "hello");
    },
  },
];

const runawayCases: readonly AcceptanceCase[] = [
  {
    name: "a script that loops for ever is stopped and harms nobody meanwhile",
    run: async ({ server }) => {
      await server.writeScript("function runtime_hello() while true do end end");
      expectSame(await server.ask("M3_HOT_RELOAD"), "M3_HOT_RELOAD_OK", "reload");
      await expectFailedHello(server.connect({ timeoutMs: runawayMs }), async () => {
        expectSame(await server.ask("M4_SAVE_STATE:meanwhile"), "M4_SAVE_OK:meanwhile", "save");
      });
      await server.writeScript(helloScript("v2"));
      expectSame(await server.ask("M3_HOT_RELOAD"), "M3_HOT_RELOAD_OK", "reload when mended");
      expectSame(await server.ask("M3_LUA_HELLO"), "M3_LUA_ACK:v2", "hello when mended");
    },
  },
  {
    name: "a script that allocates without end is stopped and harms nobody",
    run: async ({ server }) => {
      await server.writeScript(
        "function runtime_hello() local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1000) .. i end end",
      );
      expectSame(await server.ask("M3_HOT_RELOAD"), "M3_HOT_RELOAD_OK", "reload");
      await expectFailedHello(server.connect({ timeoutMs: runawayMs }), async () => {});
      expectSame(await server.ask("M1_CONN_PING"), "M1_CONN_PONG", "a ping after that");
    },
  },
];

async function expectFailedHello(
  connecting: ReturnType<import("../private_server.ts").PrivateServer["connect"]>,
  meanwhile: () => Promise<void>,
): Promise<void> {
  const client = await connecting;
  try {
    client.send("M3_LUA_HELLO\n");
    await meanwhile();
    const reply = await client.readLine("M3_LUA_HELLO of a runaway script");
    expect(/^M3_LUA_FAIL:\S/.test(reply), `runaway hello: ${show(reply)}`);
  } finally {
    client.close();
  }
}

function helloScript(version: string): string {
  return `function runtime_hello()\n  return "${version}"\nend\n`;
}

export const luaGroups: readonly CaseGroup[] = [
  { topic: "lua", server: { script: helloScript("v1") }, cases: scriptCases },
  { topic: "lua without a script", server: {}, cases: noScriptCases },
  {
    topic: "lua with a missing script",
    server: { settings: { lua_script_path: "nowhere.lua" } },
    cases: missingScriptCases,
  },
  { topic: "lua runaway", server: { script: helloScript("v1") }, cases: runawayCases },
];
