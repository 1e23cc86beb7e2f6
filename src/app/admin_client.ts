import type { Clock } from "../ports/clock.ts";
import type { TcpPort } from "../ports/tcp.ts";
import type { AdminAnswer } from "./admin_answer.ts";
import type { AdminDoor } from "./admin_files.ts";
import { exchangeHttp } from "./http_exchange.ts";

/** The server cuts a connection on which nothing moves for so long. */
const answerMsMax = 30_000;
/** Ten thousand players are 2 MB. */
const answerBytesMax = 67_108_864;

/** What came of asking a server. */
export type AdminReply =
  | { readonly kind: "answer"; readonly answer: AdminAnswer }
  /** Nobody there speaks for the server whose door this is; one line. */
  | { readonly kind: "no_server"; readonly reason: string };

/** Posts a command to a server. Never rejects for the server's faults. */
export async function askAdmin(
  ports: { readonly tcp: TcpPort; readonly clock: Clock },
  door: AdminDoor & { readonly url: string },
  command: string,
): Promise<AdminReply> {
  const url = new URL(door.url);
  const body = JSON.stringify({ command });
  const request = new TextEncoder().encode([
    `POST ${url.pathname} HTTP/1.1`,
    `Host: ${url.host}`,
    `Authorization: Bearer ${door.token}`,
    "Content-Type: application/json",
    `Content-Length: ${new TextEncoder().encode(body).length}`,
    "Connection: close",
    "",
    body,
  ].join("\r\n"));
  const reply = await exchangeHttp(ports, {
    host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: Number(url.port || "80"),
    timeoutMs: answerMsMax,
    request,
    replyBytesMax: answerBytesMax,
  });
  if (typeof reply === "string") return noServer(door, reply);
  const value = jsonOf(reply.body);
  const answer = reply.status === 200 ? answerOf(value) : undefined;
  if (answer !== undefined) return { kind: "answer", answer };
  const error = (value as { error?: unknown } | null | undefined)?.error;
  const said = typeof error === "string" ? `: ${error}` : "";
  return noServer(door, `HTTP status ${reply.status}${said}`);
}

function jsonOf(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch {
    // Somebody else's page.
    return undefined;
  }
}

function answerOf(value: unknown): AdminAnswer | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { ok, lines, data } = value as Record<string, unknown>;
  const isAnswer = typeof ok === "boolean" && Array.isArray(lines) &&
    lines.every((line) => typeof line === "string");
  return isAnswer ? { ok, lines, data: data ?? null } : undefined;
}

function noServer({ pid, url }: AdminDoor, reason: string): AdminReply {
  return {
    kind: "no_server",
    reason: `The server of this directory (process ${pid}) does not answer at ${url}: ${reason}`,
  };
}
