import type { ProgramKind } from "../../client/game_program.ts";
import { GatewayProgram } from "../../gateway_tools/gateway_program.ts";
import { type FrameStep, type Message, opcode, type Script, type Step } from "../case_types.ts";
import type { Subject } from "../play_case.ts";
import { joinBytes } from "../wire_frames.ts";
import type { WirePeer } from "../wire_peer.ts";
import { openWebSocket, settleServer } from "./client_handshake.ts";
import { lacksCompression } from "./compression_probe.ts";
import { echoLimits } from "./echo_limits.ts";

/** The whole program, whose gateway routes everybody to its built-in echo. */
export async function withGatewaySubject(
  kind: ProgramKind,
  use: (subject: Subject) => Promise<void>,
): Promise<void> {
  const config = {
    routes: [{ clientIdPrefix: "", upstream: "echo:" }],
    gateway: {
      maxMessageSize: echoLimits.messageBytesMax,
      outboundBytesMax: echoLimits.outboundBytesMax,
      messagesPerSecond: 0,
      rateLimit: { enabled: false },
      security: { enableCompression: true },
    },
    buffer: { persistFile: "" },
    log: { level: "warn" },
  };
  await GatewayProgram.with({ kind, config }, async (program) => {
    const open = (offer: string) => openWebSocket(program.port, { path: pathOf("probe"), offer });
    await use(new GatewaySubject(`${kind} gateway`, program.port, await lacksCompression(open)));
  });
}

/** What stands around a text, so that it is the data of a JSON message. */
const before = new TextEncoder().encode('{"type":0,"data":"');
const behind = new TextEncoder().encode('"}');

class GatewaySubject implements Subject {
  readonly name: string;
  readonly side = "client";
  readonly lacksCompression: string | undefined;
  readonly #port: number;
  #clients = 0;

  constructor(name: string, port: number, lacksCompression: string | undefined) {
    this.name = name;
    this.#port = port;
    this.lacksCompression = lacksCompression;
  }

  open(offer: string | undefined): Promise<WirePeer> {
    return openWebSocket(this.#port, { path: pathOf(`peer-${++this.#clients}`), offer });
  }

  settle(): Promise<void> {
    return settleServer(this.#port, pathOf(`settle-${++this.#clients}`));
  }

  /** Every text message becomes JSON; its bytes, right or wrong, stay in it as they are. */
  adapt(script: Script): Script {
    const steps: Step[] = [];
    let inText = false;
    let owesBehind = false;
    for (const step of script.steps) {
      if (step.step === "frame" && (step.opcode === opcode.text || isContinuation(step))) {
        const begins = step.opcode === opcode.text;
        inText ||= begins;
        const ends = step.fin && inText;
        // What is not sent yet of this frame comes with a step of its own, and so does the end.
        owesBehind = ends && step.announced !== undefined;
        const payload = !inText ? step.payload : joinBytes([
          begins ? before : new Uint8Array(0),
          escaped(step.payload),
          ends && !owesBehind ? behind : new Uint8Array(0),
        ]);
        const more = owesBehind ? before.length + behind.length : 0;
        steps.push({
          ...step,
          payload,
          ...(step.announced === undefined ? {} : { announced: step.announced + BigInt(more) }),
        });
        if (ends) inText = false;
      } else if (step.step === "bytes" && owesBehind) {
        steps.push({ ...step, payload: joinBytes([step.payload, behind]) });
      } else if (step.step === "deflated" && step.kind === "text") {
        steps.push({ ...step, payload: joinBytes([before, escaped(step.payload), behind]) });
      } else {
        steps.push(step);
      }
    }
    return { ...script, steps };
  }

  read(message: Message): Message {
    if (message.kind === "binary") return message;
    const { data } = JSON.parse(new TextDecoder().decode(message.payload)) as { data?: unknown };
    return { kind: "text", payload: new TextEncoder().encode(String(data)) };
  }
}

/** `raw=1`: binary messages come back as they went. */
function pathOf(clientId: string): string {
  return `/ws?clientId=${clientId}&raw=1`;
}

function isContinuation(step: FrameStep): boolean {
  return step.opcode === opcode.continuation;
}

/** Bytes that JSON wants to be written otherwise, so written; all others as they are. */
function escaped(bytes: Uint8Array): Uint8Array {
  const isSpecial = (byte: number) => byte < 0x20 || byte === 0x22 || byte === 0x5c;
  if (!bytes.some(isSpecial)) return bytes;
  const out: number[] = [];
  for (const byte of bytes) {
    if (!isSpecial(byte)) out.push(byte);
    else out.push(...new TextEncoder().encode(`\\u00${byte.toString(16).padStart(2, "0")}`));
  }
  return Uint8Array.from(out);
}
