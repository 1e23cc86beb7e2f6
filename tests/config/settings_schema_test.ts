import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { loadSettings } from "../../src/config/load_settings.ts";
import { settingKeys } from "../../src/config/settings_keys.ts";
import { settingsJsonSchema } from "../../src/config/settings_schema.ts";
import { fakeFiles } from "../fakes/files.ts";

const example = readFileSync(new URL("../../freekill-gw.example.json", import.meta.url));

describe("settingsJsonSchema()", () => {
  const schema = settingsJsonSchema() as unknown as ObjectSchema;

  it("knows every key, with description and default, and no other", () => {
    for (const [path, spec] of settingKeys()) {
      const property = propertyAt(schema, path);
      assert.equal(property.description, spec.means, path);
      assert.deepEqual(property.default, spec.default, path);
    }
    assert.equal(schema.additionalProperties, false);
    assert.equal(propertyAt(schema, "log").additionalProperties, false);
    assert.equal(propertyAt(schema, "gateway.rateLimit").additionalProperties, false);
    const routes = propertyAt(schema, "routes");
    assert.equal(routes.type, "array");
    assert.ok(routes.description);
    assert.match(propertyAt(schema, "memory.gcInterval").description ?? "", /without effect/);
  });

  it("states ranges, choices and texts with units", () => {
    const port = propertyAt(schema, "tcp_port");
    assert.deepEqual([port.type, port.minimum, port.maximum], ["integer", 0, 65_535]);
    assert.deepEqual(propertyAt(schema, "drift_mode").enum, ["none", "route", "flow", "protobuf"]);
    const [number, text] = propertyAt(schema, "drainSeconds").anyOf ?? [];
    assert.equal(number?.type, "number");
    assert.equal(text?.type, "string");
  });

  it("is plain JSON", () => {
    assert.deepEqual(JSON.parse(JSON.stringify(schema)), schema);
  });
});

describe("freekill-gw.example.json", () => {
  const text = new TextDecoder().decode(example);

  it("holds every key with its default", async () => {
    const files = fakeFiles();
    await files.replace("example.json", new Uint8Array(example));
    const input = { files, env: {}, flags: {} };
    const fromExample = await loadSettings({ ...input, configPath: "example.json" });
    const fromNothing = await loadSettings(input);
    assert.ok(fromExample.ok && fromNothing.ok);
    // Its sections are what switches the gateway on.
    const { gateway } = fromNothing.settings;
    assert.deepEqual(fromExample.settings, {
      ...fromNothing.settings,
      gateway: { ...gateway, enabled: true },
    });
    for (const path of settingKeys().keys()) {
      const name = path.replace(/^.*\./, "");
      assert.match(text, new RegExp(`^ *"${name}": `, "m"), path);
    }
  });

  it("explains every key in the line above it", () => {
    const lines = text.split("\n");
    for (const spec of settingKeys().values()) {
      assert.ok(lines.some((line) => line.trim().startsWith(`// ${spec.means}`)), spec.means);
    }
    lines.forEach((line, index) => {
      if (/^ *"/.test(line)) assert.match(lines[index - 1]!, /^ *\/\/ /, line);
    });
  });
});

interface PropertySchema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly enum?: readonly string[];
  readonly anyOf?: readonly PropertySchema[];
  readonly additionalProperties?: boolean;
  readonly properties?: Readonly<Record<string, PropertySchema>>;
}

interface ObjectSchema extends PropertySchema {
  readonly properties: Readonly<Record<string, PropertySchema>>;
}

function propertyAt(schema: ObjectSchema, path: string): PropertySchema {
  let place: PropertySchema = schema;
  for (const part of path.split(".")) {
    const inner = place.properties?.[part];
    assert.ok(inner, `no property ${path}`);
    place = inner;
  }
  return place;
}
