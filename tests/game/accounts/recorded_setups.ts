import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { SetupClaim } from "../../../src/game/accounts/login_decision.ts";

/** One connection of a recorded session. */
export interface RecordedLogin {
  /** The last note before it. */
  readonly note: string;
  /** The `Setup` that was sent, when it was an array of five strings. */
  readonly claim: SetupClaim | undefined;
  /** What the original answered first after it (or at once): command and bare text. */
  readonly answer: { readonly command: string; readonly text: string } | undefined;
  /** All commands that the original sent after the greeting. */
  readonly commands: readonly string[];
}

/** The md5 of the packages of the server that was recorded. */
export const recordedMd5 = "1472a5d0de9b704a281027e348f8b6d7";

const folder = new URL("../../../../shared/golden/freekill-asio/", import.meta.url);

/** Why tests against recordings are skipped; false when they are there. */
export const noRecordings: string | false = existsSync(fileURLToPath(folder))
  ? false
  : "the recordings of the original server are not beside this checkout";

interface Line {
  dir: string;
  conn?: string;
  event?: string;
  text?: string;
  hex?: string;
  decoded?: { requestId: number; type: number; command: string; dataDiag: string } | null;
}

/** The connections of a trace, in their order. */
export function recordedLogins(trace: string): RecordedLogin[] {
  const text = readFileSync(fileURLToPath(new URL(`${trace}.jsonl`, folder)), "utf8");
  const lines = text.split("\n").filter((line) => line !== "").map((line) =>
    JSON.parse(line) as Line
  );
  const logins: { note: string; sent: Line[]; got: Line[] }[] = [];
  const open = new Map<string, { note: string; sent: Line[]; got: Line[] }>();
  let note = "";
  for (const line of lines) {
    if (line.dir === "note") note = line.text ?? "";
    if (line.event === "connected") {
      const login = { note, sent: [], got: [] };
      open.set(line.conn ?? "", login);
      logins.push(login);
    }
    const login = open.get(line.conn ?? "");
    if (line.dir === "c2s") login?.sent.push(line);
    if (line.dir === "s2c" && line.decoded?.command !== "NetworkDelayTest") login?.got.push(line);
  }
  return logins.map(({ note, sent, got }) => ({
    note,
    claim: claimOf(sent[0]),
    answer: answerOf(got[0]),
    commands: got.map(({ decoded }) => decoded?.command ?? ""),
  }));
}

function claimOf(line: Line | undefined): SetupClaim | undefined {
  const packet = line?.decoded;
  if (packet?.command !== "Setup" || packet.type !== 0x412 || packet.requestId !== -2) {
    return undefined;
  }
  if (line?.hex?.startsWith("84") !== true) return undefined; // A packet of six items.
  const items = [...packet.dataDiag.matchAll(/"((?:[^"\\]|\\.)*)"|h'([0-9a-f]*)'|'([^']*)'/g)];
  const [name, cipher, md5, version, uuid] = items.map(([, text, hex, bytes]) =>
    hex !== undefined
      ? new Uint8Array(Buffer.from(hex, "hex"))
      : text !== undefined
      ? JSON.parse(`"${text}"`) as string
      : bytes ?? ""
  );
  if (items.length !== 5) return undefined;
  return {
    name: String(name),
    cipher: cipher instanceof Uint8Array ? cipher : new TextEncoder().encode(cipher),
    md5: String(md5),
    version: String(version),
    uuid: String(uuid),
  };
}

function answerOf(line: Line | undefined): RecordedLogin["answer"] {
  const packet = line?.decoded;
  if (packet === null || packet === undefined) return undefined;
  const raw = /^raw (".*")$/s.exec(packet.dataDiag)?.[1];
  return { command: packet.command, text: raw === undefined ? "" : JSON.parse(raw) };
}
