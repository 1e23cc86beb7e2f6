import { readMap, splitArray } from "./cbor_scan.ts";
import { integerItem, stringText } from "./payload.ts";

/** A room's settings: the client's map byte for byte, and the two keys that the server reads. */
export interface RoomSettings {
  /** The CBOR map as it came. */
  readonly bytes: Uint8Array;
  /** "" when absent or not a string; the same for `password`, and no password admits all. */
  readonly gameMode: string;
  readonly password: string;
}

/** What `CreateRoom` and `ChangeRoom` ask for; limits are the lobby's. */
export interface RoomRequest {
  readonly name: string;
  readonly capacity: number;
  readonly timeoutSeconds: number;
  readonly settings: RoomSettings;
}

const ROOM_ITEMS = 4;

/** Reads `[name, capacity, timeout, settings]`; undefined when it is something else. */
export function decodeRoomRequest(data: Uint8Array): RoomRequest | undefined {
  const items = splitArray(data, ROOM_ITEMS);
  if (items?.length !== ROOM_ITEMS) return undefined;
  const name = stringText(items[0]!);
  const capacity = integerItem(items[1]!);
  const timeoutSeconds = integerItem(items[2]!);
  const settings = decodeRoomSettings(items[3]!);
  if (name === undefined || capacity === undefined) return undefined;
  if (timeoutSeconds === undefined || settings === undefined) return undefined;
  return { name, capacity, timeoutSeconds, settings };
}

/** Reads a settings map; undefined when the bytes are not exactly one map. Of equal keys the last
 * counts. */
export function decodeRoomSettings(bytes: Uint8Array): RoomSettings | undefined {
  const found = readMap(bytes, ["gameMode", "password"]);
  if (found === undefined) return undefined;
  return { bytes, gameMode: textOrNone(found.gameMode), password: textOrNone(found.password) };
}

function textOrNone(item: Uint8Array | undefined): string {
  return (item === undefined ? undefined : stringText(item)) ?? "";
}
