import script from "../sdk/served_script.txt" with { type: "text" };
import types from "../sdk/served_types.txt" with { type: "text" };
import { crc32 } from "../base/crc32.ts";
import type { HttpApp } from "./http_routes.ts";

/** How long a browser takes its copy without asking: an upgrade of the server reaches pages in that
 * time, and its answer to who asks is short. In seconds. */
const maxAgeSeconds = 300;

/** `/sdk/stratix-client.js` and its types, for pages of any origin. */
export function addSdkRoutes(app: HttpApp): void {
  const files = [
    { path: "/sdk/stratix-client.js", text: script, type: "text/javascript" },
    { path: "/sdk/stratix-client.d.ts", text: types, type: "application/typescript" },
  ];
  for (const { path, text, type } of files) {
    const bytes = new TextEncoder().encode(text);
    const etag = `"${crc32(bytes).toString(16).padStart(8, "0")}-${bytes.length.toString(16)}"`;
    const headers = {
      "content-type": `${type}; charset=utf-8`,
      "cache-control": `public, max-age=${maxAgeSeconds}`,
      etag,
      "access-control-allow-origin": "*",
      "cross-origin-resource-policy": "cross-origin",
      "x-content-type-options": "nosniff",
      // Where Deno finds the types of a script.
      ...(type === "text/javascript" ? { "x-typescript-types": "/sdk/stratix-client.d.ts" } : {}),
    };
    app.get(path, (c) => {
      const known = c.req.header("if-none-match") ?? "";
      const isKnown = known.split(",").some((one) => one.trim().replace(/^W\//, "") === etag);
      return new Response(isKnown ? null : text, { status: isKnown ? 304 : 200, headers });
    });
    app.all(path, (c) => c.json({ error: "method not allowed" }, 405, { Allow: "GET, HEAD" }));
  }
}
