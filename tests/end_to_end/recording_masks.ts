import type { Step } from "./recording_script.ts";

/** A packet from the server, recorded or just now. */
export interface Heard {
  readonly type: number;
  readonly command: string;
  readonly diag: string;
  /** Of the recording; see `ExpectedStep`. */
  readonly line?: number;
  readonly turn?: number;
}

/** What is compared, and where the recording has it. */
export interface Compared {
  readonly text: string;
  readonly line: number | undefined;
}

/** Commands of the server itself; everything else in a game comes from the rules. */
const hostCommands = new Set(
  ("NetworkDelayTest Setup SetServerSettings AddTotalGameTime EnterLobby UpdatePlayerNum " +
    "ServerMessage AddPlayer RemovePlayer ReadyChanged RoomOwner NetStateChanged UpdateGameData " +
    "ErrorMsg ErrorDlg Chat EnterRoom ChangeRoom UpdateRoomList UpdateAvatar UpdatePackage " +
    "UpdatePassword Heartbeat").split(" "),
);

/** Of the rules, when a game begins and ends; what they say besides is theirs. */
const landmarks = new Set(["StartGame", "GameOver"]);

/** Their data begins with a player's id. */
const aboutPlayers = new Set(
  ("Setup AddTotalGameTime AddPlayer UpdateGameData RoomOwner ReadyChanged RemovePlayer " +
    "NetStateChanged ChangeSelf").split(" "),
);

/** Names for the ids of players, so that two servers which number them differently can be compared. */
export class Names {
  readonly #byId = new Map<number, string>();
  readonly #ids = new Map<string, number>();
  #robots = 0;

  /** Learns from packets that introduce a player. */
  learn({ command, diag }: Pick<Heard, "command" | "diag">): void {
    if (command !== "Setup" && command !== "AddPlayer") return;
    const [, digits = "", name = ""] = /^\[(-?\d+)_?, ["']([^"']*)["']/.exec(diag) ?? [];
    if (digits === "" || this.#byId.has(Number(digits))) return;
    const known = Number(digits) < 0 ? `robot ${++this.#robots}` : name;
    this.#byId.set(Number(digits), known);
    this.#ids.set(known, Number(digits));
  }

  nameOf(id: number): string | undefined {
    return this.#byId.get(id);
  }

  idOf(name: string): number | undefined {
    return this.#ids.get(name);
  }

  /** The diagnosis with ids as `<name>`. */
  mask(diag: string, command: string): string {
    const put = (text: string, before: string, id: string, after: string) => {
      const name = this.#byId.get(Number(id));
      return name === undefined ? text : `${before}<${name}>${after}`;
    };
    if (command === "Chat") return diag.replace(/("sender": )(\d+)()/, put);
    if (!aboutPlayers.has(command)) return diag;
    return diag.replace(/^(\[?)(-?\d+)()/, put).replace(/("COMP-)(-\d+)(")/, put);
  }
}

export interface MaskOptions {
  readonly names: Names;
  /** Heartbeats are compared too. */
  readonly heartbeats: boolean;
  /** The names in a warning about one address for many, where the recorded one shows rubbish. */
  readonly sameAddress: string;
  /** Whether notices that come twice are to count once: the original doubles some. */
  readonly mergeDoubled: boolean;
}

/**
 * Brings what one connection heard into the form in which recorded and present must be equal. Left
 * out are the rules' own words and numbers of players other than a newcomer's; masked are ids, the
 * clock, the key, lists of packages, and seconds played.
 */
export function comparable(heard: readonly Heard[], options: MaskOptions): Compared[] {
  const kept: Compared[] = [];
  const values = new Map<string, string>();
  let before = "";
  let turn: number | undefined;
  for (const each of heard) {
    const { command } = each;
    if (each.turn !== turn) values.clear();
    turn = each.turn;
    const previous = before;
    if (command === "UpdatePlayerNum" && previous !== "EnterLobby") continue;
    if (command === "Heartbeat" && !options.heartbeats) continue;
    // The rules say it too; the server alone says it behind the numbers.
    if (command === "ChangeSelf" ? previous !== "UpdatePlayerNum" : !isCompared(command)) continue;
    before = command;
    const text = `${each.type.toString(16)} ${command} ${masked(each, previous, options)}`;
    if (command === "ReadyChanged" || command === "RoomOwner") {
      const [, whose = ""] = /<([^>]*)>/.exec(text) ?? [];
      const key = command === "RoomOwner" ? command : `${command} ${whose}`;
      if (options.mergeDoubled && values.get(key) === text) continue;
      values.set(key, text);
    } else {
      values.clear();
    }
    kept.push({ text, line: each.line });
  }
  return sortedComings(kept);
}

/** The last numbers of lobby and server, if this connection was in the lobby in the end. */
export function lastNumbers(heard: readonly Heard[]): string | undefined {
  const last = (command: string) => heard.findLastIndex((each) => each.command === command);
  if (last("EnterLobby") < last("EnterRoom")) return undefined;
  return heard.findLast(({ command }) => command === "UpdatePlayerNum")?.diag;
}

/** What all sides learned of players from a whole recording. */
export function namesOf(steps: readonly Step[]): Names {
  const names = new Names();
  for (const step of steps) if (step.kind === "expected") names.learn(step);
  return names;
}

/** Whether it is the rules' word, which no two games have in common. */
export function isOfRules(command: string): boolean {
  return !isCompared(command);
}

function isCompared(command: string): boolean {
  return hostCommands.has(command) || landmarks.has(command);
}

function masked({ command, diag }: Heard, previous: string, options: MaskOptions): string {
  if (landmarks.has(command)) return "…";
  const text = options.names.mask(diag, command);
  switch (command) {
    case "NetworkDelayTest":
      return text.replace(
        /^'-----BEGIN RSA PUBLIC KEY-----\\n([A-Za-z0-9+/=\\]+)-----END RSA PUBLIC KEY-----\\n'$/,
        (_, key: string) => `key of ${key.length} characters`,
      );
    case "Setup":
      return text.replace(/, 1\d{12}\]$/, ", now]");
    case "AddTotalGameTime":
      return previous === "SetServerSettings" ? text : text.replace(/, \d+\]$/, ", seconds]");
    case "UpdateRoomList":
      return text.replaceAll(/\[(\d+), "/g, '[id, "');
    case "UpdatePackage":
      return text.replace(
        /^\[(\{"hash": "[0-9a-f]*", "name": "[^"]*", "url": "[^"]*"\}(, )?)*\]$/,
        "[…]",
      );
    case "ServerMessage":
      return text.replace(
        /(\*WARN\* Same IP address: )\[.*\\u0000.*\]/,
        `$1[${options.sameAddress}]`,
      );
  }
  return text;
}

/** Who comes and goes at the same moment has no order. */
function sortedComings(all: readonly Compared[]): Compared[] {
  const sorted: Compared[] = [];
  let run: Compared[] = [];
  const byText = (one: Compared, other: Compared) => one.text < other.text ? -1 : 1;
  for (const each of all) {
    if (/ logged (in|out)"$/.test(each.text)) {
      run.push(each);
      continue;
    }
    sorted.push(...run.sort(byText), each);
    run = [];
  }
  return [...sorted, ...run.sort(byText)];
}
