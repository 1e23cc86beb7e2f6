import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, it, test } from "node:test";
import { findImportFaults, findImports } from "./import_table.ts";

const source = fileURLToPath(new URL("../src/", import.meta.url));

test("src/ keeps to the import table of the design", () => {
  const files = new Map<string, string>();
  for (const entry of readdirSync(source, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() && !entry.isSymbolicLink()) continue;
    const path = `${entry.parentPath}/${entry.name}`.replaceAll(/\/+/g, "/").slice(source.length);
    // Written by protobufjs' compiler.
    const isSource = /\.[jt]s$/.test(path) && !path.includes("_static.");
    files.set(path, isSource ? readFileSync(source + path, "utf8") : "");
  }
  assert.ok(files.size > 10, `only ${files.size} files found under ${source}`);
  assert.deepEqual(findImportFaults(files, ["../package.json"]), []);
});

describe("findImportFaults()", () => {
  const cases: readonly { name: string; path: string; text: string; fault: RegExp }[] = [
    {
      name: "refuses an import against the direction",
      path: "base/a.ts",
      text: `import { b } from "../host/b.ts";`,
      fault: /base\/a\.ts: imports host\/b\.ts; base may import only itself/,
    },
    {
      name: "refuses a type import against the direction",
      path: "game/a.ts",
      text: `import type {\n  B,\n} from "../host/b.ts";`,
      fault: /imports host\/b\.ts; game may import only base, wire, ports, config/,
    },
    {
      name: "refuses a re-export against the direction",
      path: "wire/a.ts",
      text: `export * from "../host/b.ts";`,
      fault: /imports host\/b\.ts/,
    },
    {
      name: "refuses a dynamic import against the direction",
      path: "check/a.ts",
      text: `const b = await import("../host/b.ts");`,
      fault: /imports host\/b\.ts/,
    },
    {
      name: "refuses a worker's URL against the direction",
      path: "wire/a.ts",
      text: `new Worker(new URL("../host/b.ts", import.meta.url))`,
      fault: /imports host\/b\.ts/,
    },
    {
      name: "refuses one runtime's adapter in the other's entry",
      path: "main.deno.ts",
      text: `import { c } from "./adapters/bun/c.ts";`,
      fault: /imports adapters\/bun\/c\.ts/,
    },
    {
      name: "refuses node: modules in the core",
      path: "host/a.ts",
      text: `import { readFileSync } from "node:fs";`,
      fault: /imports node:fs, which only adapters and entries may/,
    },
    {
      name: "refuses bun: modules outside Bun's adapters",
      path: "adapters/node/a.ts",
      text: `import { Database } from "bun:sqlite";`,
      fault: /imports bun:sqlite/,
    },
    {
      name: "refuses an npm package where it is not used",
      path: "host/a.ts",
      text: `import * as z from "zod";`,
      fault: /imports the package zod, which only config\/ may/,
    },
    {
      name: "refuses an npm package that the table does not name",
      path: "config/a.ts",
      text: `import pad from "@left/pad/deep.js";`,
      fault: /the package @left\/pad, which is not in the table/,
    },
    {
      name: "refuses an npm package's file where the package is not used",
      path: "adapters/node/a.ts",
      text: `import wasm from "../../../node_modules/wasmoon/dist/glue.wasm";`,
      fault: /imports the package wasmoon, which only game\/lua\/, /,
    },
    {
      name: "refuses node: modules in what all adapters share",
      path: "adapters/a.ts",
      text: `import { readFileSync } from "node:fs";`,
      fault: /imports node:fs, which only adapters and entries may/,
    },
    {
      name: "refuses a file that does not exist",
      path: "host/a.ts",
      text: `import "./nowhere.ts";`,
      fault: /imports \.\/nowhere\.ts, which does not exist/,
    },
    {
      name: "refuses a folder that the table does not name",
      path: "utils/a.ts",
      text: "",
      fault: /its folder is not in the import table/,
    },
    {
      name: "refuses Bun's globals in the core, also inside a template",
      path: "app/a.ts",
      text: "const a = `${Bun.version}`;",
      fault: /uses Bun, which only Bun's adapters and entries may/,
    },
    {
      name: "refuses Deno's globals in Bun's adapters",
      path: "adapters/bun/a.ts",
      text: "const a = Deno.pid;",
      fault: /uses Deno/,
    },
    {
      name: "refuses the system's clock in the core",
      path: "host/a.ts",
      text: "const a = Date.now();",
      fault: /uses Date\.now/,
    },
  ];
  for (const { name, path, text, fault } of cases) {
    it(name, () => {
      const files = new Map([["host/b.ts", ""], ["adapters/bun/c.ts", ""], [path, text]]);
      const faults = findImportFaults(files);
      assert.equal(faults.length, 1, faults.join("\n"));
      assert.match(faults[0] ?? "", fault);
    });
  }

  it("allows what the table allows, and looks into neither comments nor strings", () => {
    const files = new Map([
      ["host/b.ts", ""],
      ["base/b.ts", ""],
      ["app/a.ts", `import { b } from "../host/b.ts";\nimport { Hono } from "hono/tiny";`],
      ["host/a.ts", `// import "node:fs"; Bun.x\n/* Deno.y */ import b from "../base/b.ts";`],
      ["wire/a.ts", `const message = "Bun.listen"; const same = \`Deno.pid \${message}\`;`],
      ["game/a.ts", `const quote = /["'\`]/; const half = 4 / 2; // Bun.x\nconst a = "Bun.y";`],
      ["adapters/bun/a.ts", `import { Database } from "bun:sqlite"; Bun.listen; Date.now();`],
      ["watchdog/a.ts", `runtime.Bun.x; state.setTimeout(1);`],
      ["app/version.ts", `import about from "../../package.json" with { type: "json" };`],
    ]);
    assert.deepEqual(findImportFaults(files, ["../package.json"]), []);
  });
});

test("findImports() finds each way to name a module", () => {
  const text = `
    import a, { type B } from "./a.ts";
    import "./b.ts";
    export { c } from './c.ts';
    export type { D } from "./d.ts";
    type E = import("./e.ts").E;
    const f = () => import(\`./f.ts\`);
    const url = new URL(
      "./g.ts",
      import.meta.url,
    );
    import {
      h,
    } from "./h.ts";
    // import "./commented.ts";
    const text = 'from "./not.ts"';
  `;
  const expected = ["a", "b", "c", "d", "e", "f", "g", "h"].map((name) => `./${name}.ts`);
  assert.deepEqual(findImports(text).sort(), expected);
});
