import type { Clock } from "../ports/clock.ts";
import type { TcpConnection, TcpPort } from "../ports/tcp.ts";
import type { UdpPort, UdpSocket } from "../ports/udp.ts";

/** A right reply is a few bytes; whoever sends more than this speaks another protocol. */
const replyBytesMax = 4_096;

/** A few short lines leave at once; the limits only bound a peer that behaves strangely. */
const limits = { outboundBytesMax: 65_536, lingerMs: 100 } as const;

export interface Answer {
  /** Somebody accepted the connection (TCP only). */
  readonly connected: boolean;
  /** The connection was refused or closed; the peer did not merely stay silent (TCP only). */
  readonly closed: boolean;
  /** Whole lines without their line ends, at most as many as were asked for. */
  readonly replies: readonly string[];
  /** Why there are fewer replies than asked for; undefined when there are enough. */
  readonly failure: string | undefined;
}

/** Sends lines over a new connection and collects that many reply lines. Never rejects. */
export function askTcp(
  ports: { tcp: TcpPort; clock: Clock },
  what: {
    host: string;
    port: number;
    timeoutMs: number;
    lines: readonly string[];
    replies: number;
  },
): Promise<Answer> {
  const { host, port, timeoutMs } = what;
  return new Promise((resolve) => {
    let connection: TcpConnection<undefined> | undefined;
    let text = "";
    let isDone = false;
    const decoder = new TextDecoder();
    const replies = () => text.split("\n").slice(0, -1).map((line) => line.replace(/\r$/, ""));
    const finish = (failure?: string, how?: "closed") => {
      if (isDone) return;
      isDone = true;
      cancel();
      const connected = connection !== undefined;
      const closed = how === "closed";
      resolve({ connected, closed, replies: replies().slice(0, what.replies), failure });
      connection?.destroy();
    };
    const cancel = ports.clock.after(timeoutMs, () => finish(`no reply within ${timeoutMs} ms`));
    ports.tcp.connect<undefined>({
      host,
      port,
      timeoutMs,
      limits,
      handlers: {
        open(opened) {
          opened.data = undefined;
          connection = opened;
          // The connection came after the time was up.
          if (isDone) return opened.destroy();
          opened.write(new TextEncoder().encode(what.lines.map((line) => `${line}\n`).join("")));
        },
        data(_, bytes) {
          text += decoder.decode(bytes, { stream: true });
          if (replies().length >= what.replies) finish();
          else if (text.length > replyBytesMax) finish("it speaks another protocol");
        },
        end: () => finish("the connection was closed without a reply", "closed"),
        drain: () => {},
        close: () => finish("the connection broke off", "closed"),
      },
    }).catch((error: unknown) =>
      finish(explain(error), isClosing(codeOf(error)) ? "closed" : undefined)
    );
  });
}

/** Sends one datagram, and once more at half time since datagrams get lost. Never rejects. */
export function askUdp(
  ports: { udp: UdpPort; clock: Clock },
  what: { host: string; port: number; timeoutMs: number; text: string },
): Promise<Answer> {
  const { host, port, timeoutMs } = what;
  const request = new TextEncoder().encode(`${what.text}\n`);
  return new Promise((resolve) => {
    let socket: UdpSocket | undefined;
    let isDone = false;
    let failure = `no reply within ${timeoutMs} ms`;
    const finish = (reply?: string) => {
      if (isDone) return;
      isDone = true;
      cancelEnd();
      cancelRepeat();
      socket?.close();
      const replies = reply === undefined ? [] : [reply];
      resolve({
        connected: false,
        closed: false,
        replies,
        failure: reply === undefined ? failure : undefined,
      });
    };
    const cancelEnd = ports.clock.after(timeoutMs, () => finish());
    const cancelRepeat = ports.clock.after(
      Math.ceil(timeoutMs / 2),
      () => socket?.send(request, host, port),
    );
    ports.udp.bind({
      host: host.includes(":") ? "::" : "0.0.0.0",
      port: 0,
      handlers: {
        message(_, bytes, _from, fromPort) {
          if (fromPort !== port || bytes.length > replyBytesMax) return;
          finish(new TextDecoder().decode(bytes).replace(/\r?\n$/, ""));
        },
        error(_, error) {
          failure = explain(error);
        },
      },
    }).then((bound) => {
      socket = bound;
      if (isDone) return bound.close();
      bound.send(request, host, port);
    }, (error: unknown) => {
      failure = explain(error);
      finish();
    });
  });
}

function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = codeOf(error);
  switch (code) {
    case "ECONNREFUSED":
      return "nobody listens (ECONNREFUSED)";
    case "ETIMEDOUT":
      return "no connection in time (ETIMEDOUT)";
    default:
      return typeof code === "string" ? code : error.message.split("\n", 1)[0] ?? "unknown cause";
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

function isClosing(code: unknown): boolean {
  return code === "ECONNREFUSED" || code === "ECONNRESET";
}
