import { fileURLToPath } from "node:url";

/** Rules in Lua that do what their players order: `scripted_core/…/orders.lua`. */
export const scriptedCore = {
  dataDirectory: fileURLToPath(new URL("scripted_core", import.meta.url)),
  /** Below the data directory. */
  directory: "packages/freekill-core",
} as const;
