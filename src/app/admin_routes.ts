import { isLoopback, plainAddress } from "../base/address.ts";
import { equalInConstantTime } from "../base/constant_time.ts";
import { TokenBucket } from "../base/token_bucket.ts";
import type { Clock } from "../ports/clock.ts";
import type { AdminAnswer } from "./admin_answer.ts";
import type { HttpApp } from "./http_routes.ts";

/** Where admin commands are posted. */
export const adminPath = "/api/admin";

/** Failures beyond this are neither answered in detail nor logged; a right token always works. */
const failures = { perSecond: 1 / 6, burst: 10 } as const;

/** What the HTTP door of the admin commands needs. */
export interface AdminDoorParts {
  readonly token: string;
  /** The configured address: who connects to it from this machine seems to come from it. */
  readonly httpHost: string;
  readonly clock: Clock;
  run(line: string, from: string): Promise<AdminAnswer>;
  /** Somebody was not let in. Called at most at the rate of `failures`. */
  denied(from: string, reason: string): void;
}

/**
 * `POST /api/admin` with `Authorization: Bearer <token>` and `{"command": "lsroom 3"}`, answered
 * with `{ok, lines, data}`. For this machine alone and not for pages of other sites: the token is
 * worth all that an operator can do, and there is no encryption here.
 */
export function addAdminRoutes(app: HttpApp, parts: AdminDoorParts): void {
  const { clock, token } = parts;
  const bucket = new TokenBucket({ ...failures, now: clock.monotonic() });
  const headers = { "cache-control": "no-store", "x-content-type-options": "nosniff" };

  app.post(adminPath, async (c) => {
    const { remoteHost } = c.env.peer;
    const no = (status: 400 | 401 | 403 | 415 | 429, error: string) =>
      c.json({ error }, status, headers);
    const deny = (status: 401 | 403, reason: string) => {
      if (!bucket.take(clock.monotonic())) return no(429, "too many failures, wait a minute");
      parts.denied(remoteHost, reason);
      return no(status, reason);
    };
    const stranger = strangerReason(remoteHost, c.req.raw.headers, parts.httpHost);
    if (stranger !== undefined) return deny(403, stranger);
    const given = /^Bearer (\S+)$/i.exec(c.req.header("authorization") ?? "")?.[1] ?? "";
    if (!equalInConstantTime(given, token) || token === "") return deny(401, "wrong token");
    if (!/^application\/json(\s*;|$)/i.test(c.req.header("content-type") ?? "")) {
      return no(415, "the body must be application/json");
    }
    const command = commandOf(await c.req.text());
    if (command === undefined) return no(400, 'the body must be {"command": "…"}');
    const { ok, lines, data } = await parts.run(command, remoteHost);
    return c.json({ ok, lines, data: data ?? null } as Record<string, unknown>, 200, headers);
  });
  app.all(adminPath, (c) => c.json({ error: "method not allowed" }, 405, { Allow: "POST" }));
}

/** Why a request does not come from a program of this machine; undefined when it does. */
function strangerReason(
  remoteHost: string,
  headers: Headers,
  httpHost: string,
): string | undefined {
  const isOwn = (host: string) => isLoopback(host) || host === plainAddress(httpHost);
  if (!isOwn(plainAddress(remoteHost))) return "not from this machine";
  // A name that a stranger's DNS made point here (rebinding).
  const host = headers.get("host") ?? "";
  const hostname = hostnameOf(host);
  if (hostname !== "localhost" && !isOwn(hostname)) return "not by an address of this machine";
  const origin = headers.get("origin");
  if (origin !== null && origin !== `http://${host}` && origin !== `https://${host}`) {
    return "from a page of another site";
  }
  const site = headers.get("sec-fetch-site") ?? "none";
  return site === "same-origin" || site === "none" ? undefined : "from a page of another site";
}

/** Without port and brackets; "" for what is no host. */
function hostnameOf(host: string): string {
  const url = `http://${host}/`;
  if (!URL.canParse(url)) return "";
  return new URL(url).hostname.replace(/^\[(.*)\]$/, "$1");
}

function commandOf(body: string): string | undefined {
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value !== "object" || value === null || !("command" in value)) return undefined;
    return typeof value.command === "string" ? value.command : undefined;
  } catch {
    // No JSON at all.
    return undefined;
  }
}
