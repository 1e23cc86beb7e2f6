import page from "./demo_page.txt" with { type: "text" };
import type { HttpApp } from "./http_routes.ts";

/** `/demo`: a page that shows what the gateway does. Nothing but this server can be reached from it,
 * and no script runs in it but its own. */
export function addDemoRoute(app: HttpApp): void {
  let policy: Promise<string> | undefined;
  app.get("/demo", async () => {
    policy ??= contentPolicy(page);
    return new Response(page, {
      headers: {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": await policy,
        "cache-control": "no-store",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
      },
    });
  });
}

/** Names the page's own script and style by their hashes. */
async function contentPolicy(html: string): Promise<string> {
  const [script, style] = await Promise.all(["script", "style"].map(async (tag) => {
    const text = new RegExp(`<${tag}[^>]*>([\\s\\S]*?)</${tag}>`).exec(html)?.[1] ?? "";
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
    return `'sha256-${new Uint8Array(digest).toBase64()}'`;
  }));
  return [
    "default-src 'none'",
    `script-src 'self' ${script}`,
    `style-src ${style}`,
    "connect-src 'self'",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}
