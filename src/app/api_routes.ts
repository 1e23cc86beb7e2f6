import { type ApiOperation, apiSchemas, checkApiInput } from "../config/api_schema.ts";
import { isClientId } from "../gateway/upgrade_query.ts";
import type { HttpPeer } from "../ports/http.ts";
import { apiDocument, apiPage } from "./api_document.ts";
import type { ApiAudit } from "./api_audit.ts";
import type { ApiGuard } from "./api_guard.ts";
import { apiPlaces, type ApiWork } from "./api_operations.ts";
import { ApiProblem, problemResponse } from "./api_problem.ts";
import type { HttpApp } from "./http_routes.ts";

/** Of one request. */
export const apiBodyBytesMax = 1_048_576;

const base = "/api/v1";

export interface ApiParts {
  readonly guard: ApiGuard;
  readonly work: ApiWork;
  readonly audit: Pick<ApiAudit, "write">;
  readonly version: string;
  /** Milliseconds, monotonic. */
  now(): number;
  /** The client's address, behind proxies that are believed. */
  addressOf(peer: HttpPeer, headers: Headers): string;
  /** A fault of ours. */
  failed(error: unknown): void;
}

/** Adds the API below `/api/v1`. Without tokens it is as if it were not there. */
export function addApiRoutes(app: HttpApp, parts: ApiParts): void {
  const { guard, audit } = parts;
  const headers = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
  };
  const off = () =>
    new Response('{"error":"not found"}', {
      status: 404,
      headers: { "content-type": "application/json" },
    });
  // Anybody may ask for it, and it is much work to make.
  let document: Record<string, unknown> | undefined;
  app.get(`${base}/openapi.json`, (c) => {
    if (!guard.isOn) return off();
    return c.json(document ??= apiDocument(parts.version), 200, headers);
  });
  app.get(`${base}/docs`, (c) => guard.isOn ? c.html(apiPage(), 200, headers) : off());
  for (const name of Object.keys(apiPlaces) as ApiOperation[]) {
    const { method, path } = apiPlaces[name];
    app.on(method.toUpperCase(), base + path, async (c) => {
      if (!guard.isOn) return off();
      const startedAt = parts.now();
      const request = c.req.raw;
      const from = parts.addressOf(c.env.peer, request.headers);
      const url = new URL(request.url);
      let who: string | undefined;
      const answer = await answerOf(async () => {
        guard.count(from);
        const token = guard.tokenOf(c.req.header("authorization"));
        who = token.name;
        if (apiPlaces[name].writes && !token.mayWrite) {
          throw new ApiProblem(403, "this token may only read");
        }
        if (!isDecodable(url.pathname)) {
          throw new ApiProblem(400, "the path's escapes must be UTF-8: %25 for a percent sign");
        }
        return await perform(parts.work, name, {
          params: c.req.param(),
          query: queryOf(url.searchParams),
          request,
        });
      }, parts);
      for (const [key, value] of Object.entries(headers)) answer.headers.set(key, value);
      audit.write({
        ...(who === undefined ? {} : { who }),
        from,
        method: method.toUpperCase(),
        target: shownTarget(url, name),
        status: answer.status,
        ms: parts.now() - startedAt,
      });
      return answer;
    });
  }
  const known = new Map([["/openapi.json", ["GET"]], ["/docs", ["GET"]]]);
  for (const { method, path } of Object.values(apiPlaces)) {
    known.set(path, [...known.get(path) ?? [], method.toUpperCase()]);
  }
  for (const [path, methods] of known) {
    app.all(base + path, () => {
      if (!guard.isOn) return off();
      const problem = new ApiProblem(405, `this can be asked for with ${methods.join(", ")}`);
      return problemResponse(problem, { ...headers, allow: methods.join(", ") });
    });
  }
  app.all(`${base}/*`, () => {
    if (!guard.isOn) return off();
    return problemResponse(new ApiProblem(404, "the API has no such path"), headers);
  });
}

async function perform<Name extends ApiOperation>(
  work: ApiWork,
  name: Name,
  given: { params: Record<string, string>; query: unknown; request: Request },
): Promise<Response> {
  const { params, query, request } = given;
  const takesBody = request.method === "POST" || request.method === "PUT";
  const body = takesBody && name !== "reload" ? await bodyOf(request) : undefined;
  const checked = checkApiInput(name, { params, query, body });
  if (!checked.ok) {
    const faults = checked.faults.map(({ problem }) => problem);
    throw new ApiProblem(400, faults[0] ?? "the request is wrong", { faults });
  }
  const { clientId } = params;
  if (clientId !== undefined && !isClientId(clientId)) {
    throw new ApiProblem(400, "params.clientId must be 1–256 printable bytes");
  }
  return Response.json(await work[name](checked.input));
}

async function answerOf(
  work: () => Promise<Response>,
  { failed }: Pick<ApiParts, "failed">,
): Promise<Response> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ApiProblem)) {
      failed(error);
      return problemResponse(new ApiProblem(500, "it failed here; the log says why"));
    }
    const { retryAfter } = error.more;
    if (error.status === 401) return problemResponse(error, { "www-authenticate": "Bearer" });
    return problemResponse(
      error,
      retryAfter === undefined ? {} : { "retry-after": `${retryAfter}` },
    );
  }
}

/** Parameters whose escapes are none would be taken as they are, and pass for other ones. */
function isDecodable(path: string): boolean {
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    // The one thing that it throws for.
    return false;
  }
}

/** Path and query for the log; of parameters that are none only the names: who takes the wrong place
 * for a token puts it there. */
function shownTarget({ pathname, searchParams }: URL, name: ApiOperation): string {
  const known = apiSchemas[name].query.shape;
  const shown = new URLSearchParams();
  for (const [key, value] of searchParams) {
    shown.append(key, Object.hasOwn(known, key) ? value : "(not shown)");
  }
  return shown.size === 0 ? pathname : `${pathname}?${shown}`;
}

/** Of a name that comes twice, both are shown to the schema, which refuses a list. */
function queryOf(search: URLSearchParams): Record<string, unknown> {
  const query: Record<string, unknown> = Object.create(null);
  for (const name of new Set(search.keys())) {
    const values = search.getAll(name);
    query[name] = values.length === 1 ? values[0] : values;
  }
  return { ...query };
}

async function bodyOf(request: Request): Promise<unknown> {
  if (!/^application\/json(\s*;|$)/i.test(request.headers.get("content-type") ?? "")) {
    throw new ApiProblem(415, "the body must be application/json");
  }
  const tooLarge = () => new ApiProblem(413, `a body has at most ${apiBodyBytesMax} bytes`);
  if (Number(request.headers.get("content-length") ?? 0) > apiBodyBytesMax) throw tooLarge();
  // One without a length that ran into the limit of the server, or whose sender has left.
  const bytes = await request.arrayBuffer().catch(() => {
    throw tooLarge();
  });
  if (bytes.byteLength > apiBodyBytesMax) throw tooLarge();
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    // What exactly is wrong with it, the sender's own tools say better.
    throw new ApiProblem(400, "the body is not JSON in UTF-8");
  }
}
