import { Hono } from "hono";
import { type AddressBlock, isInBlock, isLoopback } from "../base/address.ts";
import type { HttpPeer } from "../ports/http.ts";
import { preferredMetricsForm } from "../wire/accept.ts";

/** What the HTTP side shows of the server. */
export interface HttpFacts {
  /** undefined when requests may come; else why not, in a word or two. */
  notReady(): string | undefined;
  /** One flat object of figures. */
  metrics(): Readonly<Record<string, number | string>>;
  prometheus(): Promise<{ contentType: string; text: string }>;
  /** Who may read the metrics besides this machine. */
  readonly metricsAllow: readonly AddressBlock[];
  /** Whether anybody else may, for the token that he shows. */
  mayReadMetrics?(peer: HttpPeer, headers: Headers): boolean;
  /** Routes of other parts. */
  addRoutes?(app: HttpApp): void;
}

/** Where routes are added to; each request comes with who sent it. */
export type HttpApp = Hono<{ Bindings: { peer: HttpPeer } }>;

/** Answers plain HTTP requests: probes of load balancers and metrics. */
export function httpRoutes(
  facts: HttpFacts,
): (request: Request, peer: HttpPeer) => Response | Promise<Response> {
  const app: HttpApp = new Hono();
  app.get("/health", (c) => c.json({ status: "ok" }));
  app.get("/health/live", (c) => c.json({ status: "ok" }));
  app.get("/health/ready", (c) => {
    const reason = facts.notReady();
    return reason === undefined
      ? c.json({ status: "ok" })
      : c.json({ status: "unavailable", reason }, 503);
  });
  app.use("/metrics/*", async (c, next) => {
    const { peer } = c.env;
    const host = peer.remoteHost;
    const allowed = isLoopback(host) ||
      facts.metricsAllow.some((block) => isInBlock(host, block)) ||
      facts.mayReadMetrics?.(peer, c.req.raw.headers) === true;
    if (!allowed) return c.json({ error: "forbidden" }, 403);
    await next();
  });
  const prometheus = async () => {
    const { contentType, text } = await facts.prometheus();
    return new Response(text, { headers: { "content-type": contentType } });
  };
  app.get("/metrics", async (c) => {
    const form = preferredMetricsForm(c.req.header("accept") ?? null);
    const response = form === "json" ? c.json(facts.metrics()) : await prometheus();
    response.headers.set("vary", "Accept");
    return response;
  });
  app.get("/metrics/prometheus", prometheus);
  for (const path of new Set(app.routes.map((route) => route.path))) {
    if (path.endsWith("*")) continue;
    app.all(path, (c) => c.json({ error: "method not allowed" }, 405, { Allow: "GET, HEAD" }));
  }
  facts.addRoutes?.(app);
  app.notFound((c) => c.json({ error: "not found" }, 404));
  return (request, peer) => app.fetch(withBody(request), { peer });
}

/** HEAD asked as GET: the port leaves the body out itself and knows its length, Hono does not. */
function withBody(request: Request): Request {
  if (request.method !== "HEAD") return request;
  return new Request(request.url, { headers: request.headers, signal: request.signal });
}
