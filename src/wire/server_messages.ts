/** States of a seat, as `NetStateChanged` spells them. */
export const playerStates = ["online", "trust", "run", "leave", "robot", "offline"] as const;
export type PlayerState = (typeof playerStates)[number];

/** One line of `UpdateRoomList`. */
export interface RoomListEntry {
  readonly id: number;
  readonly name: string;
  readonly gameMode: string;
  readonly players: number;
  readonly capacity: number;
  readonly hasPassword: boolean;
  readonly outdated: boolean;
}

/** One line of `UpdatePackage`. */
export interface PackageEntry {
  readonly hash: string;
  readonly name: string;
  readonly url: string;
}

/**
 * Everything that the server tells a client of its own accord, one member for each command and form
 * (game server, "Greeting and login", "Lobby commands", "Room commands").
 */
export type ServerMessage =
  /** `publicKey`: PEM of PKCS#1 with its final newline. */
  | { readonly command: "NetworkDelayTest"; readonly publicKey: string }
  | SetupAtLogin
  | SetupAfterObserving
  | {
    readonly command: "SetServerSettings";
    readonly motd: string;
    readonly hiddenPacks: readonly string[];
    readonly enabledFeatures: readonly string[];
  }
  /** At login the total, after a game the increment. */
  | { readonly command: "AddTotalGameTime"; readonly id: number; readonly seconds: number }
  | { readonly command: "EnterLobby" }
  | { readonly command: "UpdatePlayerNum"; readonly inLobby: number; readonly online: number }
  | { readonly command: "UpdateRoomList"; readonly rooms: readonly RoomListEntry[] }
  /** `userName` goes with a chat of the lobby (type 1), not with a room's (type 2). */
  | {
    readonly command: "Chat";
    readonly sender: number;
    readonly type: number;
    readonly msg: string;
    readonly userName?: string;
  }
  /** `settings`: the CBOR map as its creator sent it. */
  | {
    readonly command: "EnterRoom";
    readonly capacity: number;
    readonly timeoutSeconds: number;
    readonly settings: Uint8Array;
  }
  /** `strings`: text to those already present, bytes in the newcomer's list. */
  | {
    readonly command: "AddPlayer";
    readonly strings: "text" | "bytes";
    readonly id: number;
    readonly name: string;
    readonly avatar: string;
    readonly ready: boolean;
    readonly totalGameTimeSeconds: number;
  }
  | { readonly command: "RemovePlayer"; readonly id: number }
  | { readonly command: "RoomOwner"; readonly id: number }
  | { readonly command: "ReadyChanged"; readonly id: number; readonly ready: boolean }
  | {
    readonly command: "UpdateGameData";
    readonly id: number;
    readonly total: number;
    readonly win: number;
    readonly run: number;
  }
  | { readonly command: "NetStateChanged"; readonly id: number; readonly state: PlayerState }
  | { readonly command: "ChangeSelf"; readonly id: number }
  /** `data`: what the owner sent, unchanged. */
  | { readonly command: "ChangeRoom"; readonly data: Uint8Array }
  /** `text` may be made by `dialogText`. */
  | { readonly command: "ErrorDlg"; readonly text: string }
  | { readonly command: "ErrorMsg"; readonly text: string }
  | { readonly command: "ServerMessage"; readonly text: string }
  | { readonly command: "UpdateAvatar"; readonly avatar: string }
  | { readonly command: "UpdatePassword"; readonly changed: boolean }
  | { readonly command: "UpdatePackage"; readonly packages: readonly PackageEntry[] }
  | { readonly command: "Heartbeat" }
  /** `json`: the saved text, `{}` when there is none. */
  | { readonly command: "ReadGlobalSaveState"; readonly json: string }
  /** A notice of the server's own in the game's log; keys and texts go out as byte strings. */
  | {
    readonly command: "GameLog";
    readonly log: Readonly<Record<string, string | number | boolean>>;
  }
  /** What the rules send: `name` is the command, `data` as Lua encoded it (empty becomes null). */
  | { readonly command: "raw"; readonly name: string; readonly data: Uint8Array };

/** Four items with text. */
export interface SetupAtLogin {
  readonly command: "Setup";
  readonly id: number;
  readonly name: string;
  readonly avatar: string;
  /** Epoch milliseconds. */
  readonly nowMs: number;
}

/** Three items with byte strings: the client is itself again. */
export interface SetupAfterObserving {
  readonly command: "Setup";
  readonly id: number;
  readonly name: string;
  readonly avatar: string;
  readonly nowMs?: undefined;
}

/** The notice that a running game is on an old version of the packages. */
export const roomOutdatedNotice: ServerMessage = {
  command: "GameLog",
  log: { type: "#RoomOutdated", toast: true },
};

/** A text for `ErrorDlg` with values that the client puts into its translation: a JSON array. */
export function dialogText(template: string, ...values: readonly string[]): string {
  return JSON.stringify([template, ...values]);
}
