import type { Runtime } from "../../src/ports/runtime.ts";
import type { TcpConnection } from "../../src/ports/tcp.ts";
import { figureNames } from "../../src/check/host_figures.ts";

/** What a fake server does with a line: text to send as it is, or one of the ways to be wrong. */
export type PeerAnswer =
  | string
  /** Says nothing and stays. */
  | "silent"
  | { readonly close: true; readonly after?: string }
  | { readonly text: string; readonly delayMs: number };

export interface FakePeer {
  readonly host: "127.0.0.1";
  readonly tcpPort: number;
  readonly udpPort: number;
  /** Lines and datagrams that came, in order. */
  readonly received: readonly string[];
  close(): Promise<void>;
}

/** A TCP and UDP server on free ports that answers as the script says. */
export async function openFakePeer(
  runtime: Runtime,
  script: { tcp: (line: string) => PeerAnswer; udp?: (text: string) => PeerAnswer },
): Promise<FakePeer> {
  const received: string[] = [];
  const open = new Set<TcpConnection<{ text: string }>>();
  const listener = await runtime.tcp.listen<{ text: string }>({
    host: "127.0.0.1",
    port: 0,
    limits: { outboundBytesMax: 1 << 20, lingerMs: 1_000 },
    handlers: {
      open(connection) {
        connection.data = { text: "" };
        open.add(connection);
      },
      data(connection, bytes) {
        const lines = (connection.data.text + new TextDecoder().decode(bytes)).split("\n");
        connection.data.text = lines.pop() ?? "";
        for (const line of lines) {
          received.push(line);
          give(script.tcp(line), (text) => void connection.write(encode(text)), () => {
            connection.end();
          });
        }
      },
      end: (connection) => connection.end(),
      drain: () => {},
      close: (connection) => void open.delete(connection),
    },
  });
  const udp = await runtime.udp.bind({
    host: "127.0.0.1",
    port: 0,
    handlers: {
      message(socket, bytes, host, port) {
        const text = new TextDecoder().decode(bytes).replace(/\n$/, "");
        received.push(text);
        const answer = script.udp?.(text) ?? "silent";
        give(answer, (reply) => void socket.send(encode(reply), host, port), () => {});
      },
      error: () => {},
    },
  });

  function give(answer: PeerAnswer, send: (text: string) => void, close: () => void): void {
    if (answer === "silent") return;
    if (typeof answer === "string") send(answer);
    else if ("close" in answer) {
      if (answer.after !== undefined) send(answer.after);
      close();
    } else {
      runtime.clock.after(answer.delayMs, () => send(answer.text));
    }
  }

  return {
    host: "127.0.0.1",
    tcpPort: listener.port,
    udpPort: udp.port,
    received,
    async close() {
      for (const connection of open) connection.destroy();
      udp.close();
      await listener.close();
    },
  };
}

/** A `__METRICS__` line that is right, with these figures changed. */
export function metricsLine(changed: Readonly<Record<string, unknown>> = {}): string {
  const figures = Object.fromEntries(figureNames.map((name) => [name, 7]));
  return `${JSON.stringify({ ...figures, runtime_name: "fake", ...changed })}\n`;
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
