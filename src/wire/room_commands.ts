import { integerItem, stringBytes } from "./payload.ts";
import { decodeRoomRequest, type RoomRequest } from "./room_settings.ts";

/** What only a client in a room may ask for; `Chat` and `ReadGlobalSaveState` are as in the lobby. */
export type RoomCommand =
  | { readonly command: "QuitRoom" | "AddRobot" | "Ready" | "StartGame" | "Trust" }
  | { readonly command: "KickPlayer"; readonly playerId: number }
  /** `data` is the whole payload: it goes to the others as it came. */
  | RoomRequest & { readonly command: "ChangeRoom"; readonly data: Uint8Array }
  /** `request`: "command,args…" in bytes, since it goes to Lua. */
  | { readonly command: "PushRequest"; readonly request: Uint8Array };

/** Reads a command of a room; undefined when its data is ill-formed or of wrong types. */
export function decodeRoomCommand(
  command: RoomCommand["command"],
  data: Uint8Array,
): RoomCommand | undefined {
  switch (command) {
    case "QuitRoom":
    case "AddRobot":
    case "Ready":
    case "StartGame":
    case "Trust":
      return { command };
    case "KickPlayer": {
      const playerId = integerItem(data);
      return playerId === undefined ? undefined : { command, playerId };
    }
    case "ChangeRoom": {
      const request = decodeRoomRequest(data);
      return request === undefined ? undefined : { command, ...request, data };
    }
    case "PushRequest": {
      const request = stringBytes(data);
      return request === undefined ? undefined : { command, request };
    }
  }
}
