import { gatewayDocument } from "./gateway_settings.ts";
import { isObject } from "./read_document.ts";
import type { Settings } from "./settings.ts";
import { settingKeys } from "./settings_keys.ts";

/** Stands for a secret that is set. */
export const notShown = "(not shown)";

/**
 * The settings as JSON data, in the form of a configuration file, without secrets: fit for printing
 * and for logs. The gateway's sections are there when it is on.
 */
export function effectiveConfig(settings: Settings): Record<string, unknown> {
  const { gateway, ...others } = settings;
  const shown: Record<string, unknown> = { ...others, ...gatewayDocument(gateway) };
  // Those in URLs are left out by the gateway.
  for (const [path, spec] of settingKeys()) {
    if (spec.kind === "text" && spec.secret === true) hide(shown, path.split("."));
  }
  return shown;
}

/** Takes the value at a path out of the sections that hold it, which may be somebody else's. */
function hide(shown: Record<string, unknown>, [first = "", ...rest]: readonly string[]): void {
  const value = shown[first];
  if (value === undefined || value === "") return;
  if (rest.length === 0) {
    shown[first] = notShown;
  } else if (isObject(value)) {
    const section = { ...value };
    hide(section, rest);
    shown[first] = section;
  }
}
