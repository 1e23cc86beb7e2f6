import { gatewayDocument } from "./gateway_settings.ts";
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
  // Secrets are among the flat keys alone; those in URLs are left out by the gateway.
  for (const [path, spec] of settingKeys()) {
    const isSecret = spec.kind === "text" && spec.secret === true;
    if (isSecret && shown[path] !== "") shown[path] = notShown;
  }
  return shown;
}
