import type { Message, Script } from "../case_types.ts";
import type { Subject } from "../play_case.ts";
import type { WirePeer } from "../wire_peer.ts";
import { ChildProgram, runtimeCommand, type RuntimeName } from "./child_program.ts";
import { openWebSocket, settleServer } from "./client_handshake.ts";
import { lacksCompression } from "./compression_probe.ts";

/** The WebSocket server of an adapter: an echo on the HTTP port of that runtime. */
export async function withServerSubject(
  runtime: RuntimeName,
  use: (subject: Subject) => Promise<void>,
): Promise<void> {
  const name = `${runtime} server`;
  const program = new ChildProgram(name, runtimeCommand(runtime, "./echo_server_main.ts"));
  try {
    const port = Number(await program.line("port "));
    const open = (offer?: string) => openWebSocket(port, { path: "/echo", offer });
    await use(new ServerSubject(name, port, await lacksCompression(open)));
  } finally {
    await program.stop();
  }
}

class ServerSubject implements Subject {
  readonly name: string;
  readonly side = "client";
  readonly lacksCompression: string | undefined;
  readonly #port: number;

  constructor(name: string, port: number, lacksCompression: string | undefined) {
    this.name = name;
    this.#port = port;
    this.lacksCompression = lacksCompression;
  }

  open(offer: string | undefined): Promise<WirePeer> {
    return openWebSocket(this.#port, { path: "/echo", offer });
  }

  settle(): Promise<void> {
    return settleServer(this.#port, "/echo");
  }

  adapt(script: Script): Script {
    return script;
  }

  read(message: Message): Message {
    return message;
  }
}
