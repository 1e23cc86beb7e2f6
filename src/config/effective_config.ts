import type { Settings } from "./settings.ts";
import { settingKeys } from "./settings_keys.ts";

/** Stands for a secret that is set. */
export const notShown = "(not shown)";

/** Keys of sections without a schema yet whose values are secrets by their name. */
const secretName = /token|secret|passw|private_?key|api_?key/i;

/**
 * The settings as JSON data, in the form of a configuration file, without secrets: fit for printing
 * and for logs.
 */
export function effectiveConfig(settings: Settings): Record<string, unknown> {
  const secrets = new Set<string>();
  for (const [path, spec] of settingKeys()) {
    if (spec.kind === "text" && spec.secret === true) secrets.add(path);
  }
  return Object.fromEntries(
    Object.entries(settings).map(([key, value]) => [
      key,
      secrets.has(key) ? (value === "" ? "" : notShown) : withoutSecrets(value),
    ]),
  );
}

function withoutSecrets(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutSecrets);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      secretName.test(key) && inner !== "" ? notShown : withoutSecrets(inner),
    ]),
  );
}
