/** The original gateway's own file of routes. */
import { showFound, showKey, wrongValue } from "./faults.ts";
import { checkRoutes, type RoutesResult } from "./gateway_routes.ts";
import {
  configBytesMax,
  isObject,
  readDocument,
  type SettingsFiles,
  sourceOfFile,
} from "./read_document.ts";

/** Read from the working directory when the configuration says nothing of routes. */
export const routeFilePath = "route.json";

/**
 * Its rules: a list of them, or an object with a list `routes`. Undefined when there is no such file.
 * What is unknown in it is ignored with a notice, as the original does.
 */
export async function readRouteFile(files: SettingsFiles): Promise<RoutesResult | undefined> {
  const place = { path: routeFilePath, isRequired: false, bytesMax: configBytesMax };
  const file = await readDocument(files, place);
  if (!file.ok) return file;
  if (file.path === undefined) return undefined;
  const source = sourceOfFile(routeFilePath);
  const { document } = file;
  const list = isObject(document) ? document.routes : document;
  const path = isObject(document) ? "routes" : "";
  if (!Array.isArray(list)) {
    const allowed = isObject(document) ? "a list of rules" : 'a list of rules, or {"routes": […]}';
    return {
      ok: false,
      faults: [wrongValue({ source, path, found: showFound(list), allowed })],
    };
  }
  const result = checkRoutes(list, { source, path, mayHoldUnknownKeys: true });
  if (!result.ok) return result;
  const others = isObject(document) ? Object.keys(document).filter((key) => key !== "routes") : [];
  const ignored = others.length === 0 ? [] : [
    `In ${routeFilePath} these keys are ignored: ${others.slice(0, 10).map(showKey).join(", ")}.`,
  ];
  const read = `The routes of the message gateway are those of ${routeFilePath} ` +
    `(${result.rules.length} of them), as the configuration names none.`;
  return { ...result, notices: [read, ...ignored, ...result.notices] };
}
