import { ProbeFailure } from "../check/probe_failure.ts";
import { TcpClient } from "../check/tcp_client.ts";
import type { Clock } from "../ports/clock.ts";
import type { TcpPort } from "../ports/tcp.ts";
import type { AdminAnswer } from "./admin_answer.ts";
import type { AdminDoor } from "./admin_files.ts";

/** Longer than any command takes; the server cuts a silent connection at about this, too. */
const answerMsMax = 30_000;

/** Ten thousand players are 2 MB. */
const answerBytesMax = 67_108_864;
/** What is read at once, well below what a client keeps unread. */
const pieceBytes = 65_536;

/** What came of asking a server. */
export type AdminReply =
  | { readonly kind: "answer"; readonly answer: AdminAnswer }
  /** Nobody there speaks for the server whose door this is; one line. */
  | { readonly kind: "no_server"; readonly reason: string };

/**
 * Posts a command to a server. HTTP over a plain connection and not by `fetch`, which would hand
 * the token to the proxy that the environment names. Never rejects for the server's faults.
 */
export async function askAdmin(
  ports: { readonly tcp: TcpPort; readonly clock: Clock },
  door: AdminDoor & { readonly url: string },
  command: string,
): Promise<AdminReply> {
  const url = new URL(door.url);
  const body = new TextEncoder().encode(JSON.stringify({ command }));
  const head = [
    `POST ${url.pathname} HTTP/1.1`,
    `Host: ${url.host}`,
    `Authorization: Bearer ${door.token}`,
    "Content-Type: application/json",
    `Content-Length: ${body.length}`,
    "Connection: close",
    "",
    "",
  ].join("\r\n");
  const target = {
    host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: Number(url.port || "80"),
    timeoutMs: answerMsMax,
  };
  try {
    const client = await TcpClient.open(ports, target);
    try {
      client.send(head);
      client.send(body);
      return await readReply(client, door);
    } finally {
      client.close();
    }
  } catch (error) {
    if (!(error instanceof ProbeFailure)) throw error;
    return noServer(door, error.message);
  }
}

async function readReply(client: TcpClient, door: AdminDoor): Promise<AdminReply> {
  const head = new TextDecoder().decode(await client.readThrough("\r\n\r\n"));
  const status = Number(/^HTTP\/1\.\d (\d{3})/.exec(head)?.[1] ?? "0");
  const isChunked = /^transfer-encoding:\s*chunked\s*$/im.test(head);
  const length = /^content-length:\s*(\d{1,12})\s*$/im.exec(head)?.[1];
  const value = jsonOf(
    isChunked ? await readChunks(client) : await readBytes(client, Number(length ?? "0")),
  );
  const answer = status === 200 ? answerOf(value) : undefined;
  if (answer !== undefined) return { kind: "answer", answer };
  const error = (value as { error?: unknown } | undefined)?.error;
  const said = typeof error === "string" ? `: ${error}` : "";
  return noServer(door, `HTTP status ${status}${said}`);
}

/** RFC 9112 §7.1, without trailers. */
async function readChunks(client: TcpClient): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for (;;) {
    const line = (await client.readLine("size of a chunk")).trim();
    const size = /^[0-9a-f]{1,6}/i.exec(line)?.[0];
    if (size === undefined) throw new ProbeFailure("The answer has a chunk without a size");
    const bytes = parseInt(size, 16);
    if (bytes === 0) return joined(chunks);
    const before = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    chunks.push(await readBytes(client, bytes, before));
    await client.readLine("end of a chunk");
  }
}

/** Exactly so many; `before` of the same answer have come. */
async function readBytes(client: TcpClient, count: number, before = 0): Promise<Uint8Array> {
  if (before + count > answerBytesMax) {
    throw new ProbeFailure(`The answer has more than ${answerBytesMax} bytes`);
  }
  const pieces: Uint8Array[] = [];
  for (let left = count; left > 0; left -= pieceBytes) {
    pieces.push(await client.readBytes(Math.min(left, pieceBytes)));
  }
  return joined(pieces);
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
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
