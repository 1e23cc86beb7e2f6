import { readMap, splitArray } from "./cbor_scan.ts";
import { integerItem, stringText } from "./payload.ts";
import { decodeRoomRequest, type RoomRequest } from "./room_settings.ts";

/** What a client in the lobby may ask for. */
export type LobbyCommand =
  | { readonly command: "UpdateAvatar"; readonly avatar: string }
  | {
    readonly command: "UpdatePassword";
    readonly oldPassword: string;
    readonly newPassword: string;
  }
  | RoomRequest & { readonly command: "CreateRoom" }
  | {
    readonly command: "EnterRoom" | "ObserveRoom";
    readonly roomId: number;
    readonly password: string;
  }
  | { readonly command: "RefreshRoomList" }
  /** `data`: the CBOR of the second item, for Lua. */
  | { readonly command: "LobbyTask"; readonly taskType: string; readonly data: Uint8Array }
  | ChatCommand
  | { readonly command: "ReadGlobalSaveState"; readonly key: string };

/** A chat of the lobby (type 1) or a room (type 2). */
export interface ChatCommand {
  readonly command: "Chat";
  readonly type: number;
  readonly msg: string;
}

/** Reads a command of the lobby; undefined when its data is ill-formed or of wrong types. */
export function decodeLobbyCommand(
  command: LobbyCommand["command"],
  data: Uint8Array,
): LobbyCommand | undefined {
  switch (command) {
    case "UpdateAvatar": {
      const avatar = stringText(data);
      return avatar === undefined ? undefined : { command, avatar };
    }
    case "UpdatePassword": {
      const [oldPassword, newPassword] = pair(data).map(stringText);
      if (oldPassword === undefined || newPassword === undefined) return undefined;
      return { command, oldPassword, newPassword };
    }
    case "CreateRoom": {
      const request = decodeRoomRequest(data);
      return request === undefined ? undefined : { command, ...request };
    }
    case "EnterRoom":
    case "ObserveRoom":
      return decodeEntering(command, data);
    case "RefreshRoomList":
      return { command };
    case "LobbyTask": {
      const [type, task] = pair(data);
      const taskType = type === undefined ? undefined : stringText(type);
      if (taskType === undefined || task === undefined) return undefined;
      return { command, taskType, data: task };
    }
    case "Chat":
      return decodeChat(data);
    case "ReadGlobalSaveState": {
      const key = stringText(data);
      return key === undefined ? undefined : { command, key };
    }
  }
}

function decodeEntering(
  command: "EnterRoom" | "ObserveRoom",
  data: Uint8Array,
): LobbyCommand | undefined {
  const [id, secret] = pair(data);
  if (id === undefined || secret === undefined) return undefined;
  const roomId = integerItem(id);
  const password = stringText(secret);
  if (roomId === undefined || password === undefined) return undefined;
  return { command, roomId, password };
}

/** `{type, msg}`: an absent type is 1, an absent text is empty. */
function decodeChat(data: Uint8Array): ChatCommand | undefined {
  const found = readMap(data, ["type", "msg"]);
  if (found === undefined) return undefined;
  const type = found.type === undefined ? 1 : integerItem(found.type);
  const msg = found.msg === undefined ? "" : stringText(found.msg);
  return type === undefined || msg === undefined ? undefined : { command: "Chat", type, msg };
}

/** The two items of an array of exactly two; nothing otherwise. */
function pair(data: Uint8Array): readonly Uint8Array[] {
  const items = splitArray(data, 2);
  return items?.length === 2 ? items : [];
}
