import type { Deviation } from "./recording_script.ts";

const ofTextAndBytes = "text and byte strings are accepted alike";
const outsideLimits = "every refusal of CreateRoom says so, and makes no room";
const padding =
  "a wrong cipher and a wrong password get one answer, or the text is a padding oracle";
const noPacket = "what cannot be a packet closes the connection at once, without a word";
const livesOn = "a payload of wrong types costs its packet, not the connection";
const noLoss = "no packet is lost, however it was cut";
const guest = "a guest neither kicks nor starts";

const refusedRoom = 'A < ErrorMsg raw "unk error"';
const onOrder = "the scripted rules end games and kick on order";

/** Nothing answered, or the connection went on: now it is closed. */
function closes(trace: string, conn: string, [from, to]: readonly [number, number]): Deviation {
  return { trace, from, to, why: noPacket, instead: [`${conn} closed`] };
}

/** The same where the recorded server forgot nobody who was dead to it. */
function numbers(conn: string, line: number): Deviation {
  const why = "connections that are closed are no longer counted";
  return one("wrong_types", line, why, [`${conn} < UpdatePlayerNum [1, 1]`]);
}

function one(trace: string, line: number, why: string, instead: Deviation["instead"]): Deviation {
  return { trace, from: line, to: line, why, instead };
}

/** Where this server differs from the recorded one on purpose (see `Deviation`). */
export const deviations: readonly Deviation[] = [
  one("bad_setup", 69, padding, ['S8 < ErrorDlg raw "username or password error"']),
  one("bad_setup", 77, padding, ['S9 < ErrorDlg raw "username or password error"']),
  {
    ...one(
      "bad_setup",
      117,
      "a device that is not clean is refused with a word, and not left waiting",
      [
        'S14 < ErrorDlg raw "you have been banned!"',
        "S14 closed",
      ],
    ),
    to: 119,
  },
  closes("bad_setup", "S16", [136, 138]),

  one("duplicate_login", 22, "an account counts once", ["A2 < UpdatePlayerNum [1, 1]"]),
  one("update_avatar", 16, ofTextAndBytes, [16, 'A < UpdateAvatar raw "zhangfei"']),
  one("update_avatar", 23, ofTextAndBytes, [
    'A < Setup [15, "gudg3uA", "zhangfei", 1795291782308]',
  ]),
  {
    ...one("lobby_chat", 35, "a chat is cut between characters", [cutChat("B"), cutChat("A")]),
    to: 36,
  },

  one("create_room", 23, outsideLimits, [23, refusedRoom]),
  one("create_room", 27, ofTextAndBytes, [
    27,
    'A < EnterRoom [4, 15, {"gameMode": "aaa_role_mode", "roomName": "x", "password": "", ' +
    '"_game": {"generalNum": 3, "generalTimeout": 15, "luckTime": 0, "enableFreeAssign": false, ' +
    '"enableDeputy": false}, "_mode": {}, "disabledPack": [], "disabledGenerals": []}]',
    "A < RoomOwner [21]",
    "A < UpdateGameData [21, 0, 0, 0]",
    14,
    15,
    16,
    17,
  ]),
  one("create_room", 29, outsideLimits, [29, refusedRoom]),
  one("create_room", 32, outsideLimits, [refusedRoom]),
  { ...one("create_room", 34, "settings that are no map are wrong types", [34]), to: 43 },
  { ...one("create_room", 56, outsideLimits, [56, refusedRoom]), to: 65 },
  one("create_room", 68, "no room stays behind", ["A < UpdateRoomList []"]),

  one("waiting_room", 79, guest, [79, "A > KickPlayer -3"]),
  one("guest_rights", 56, guest, [56, "A > QuitRoom"]),
  one("guest_rights", 92, guest, [
    92,
    "D > Ready",
    ...["B", "D", "E"].map((conn) => `${conn} < ReadyChanged [47, true]`),
    "E > Ready",
    ...["B", "D", "E"].map((conn) => `${conn} < ReadyChanged [48, true]`),
    "B > StartGame",
  ]),

  { ...one("guest_rights", 735, "a running game knows no readiness", []), to: 740 },

  one("partial_frames", 10, noLoss, [10, "A < UpdateRoomList []"]),
  one("partial_frames", 15, noLoss, [
    15,
    'A < ServerMessage raw "gufa90X logged in"',
    'X < Setup [50, "gufa90X", "liubei", 1795291867054]',
    'X < SetServerSettings ["Welcome!", [], ["AddRobot", "ChangeRoom"]]',
    "X < AddTotalGameTime [50, 0]",
    "X < EnterLobby null",
    "X < UpdatePlayerNum [2, 2]",
    "A < UpdatePlayerNum [2, 2]",
  ]),
  one("several_frames", 25, noLoss, [
    25,
    'A < Chat {"msg": "m3", "sender": 30, "type": 1, "userName": "gudvt8A"}',
  ]),

  one("wrong_types", 11, livesOn, [11, "T0 < UpdateRoomList []"]),
  one("wrong_types", 28, livesOn, [28, "T1 < UpdateRoomList []"]),
  one("wrong_types", 44, ofTextAndBytes, [
    44,
    'T2 < Chat {"msg": "bytes", "sender": 73, "type": 1, "userName": "gufzzyT2"}',
  ]),
  one("wrong_types", 45, livesOn, [45, "T2 < UpdateRoomList []"]),
  one("wrong_types", 62, livesOn, [62, "T3 < UpdateRoomList []"]),
  one("wrong_types", 79, livesOn, [79, "T4 < UpdateRoomList []"]),
  {
    ...one("wrong_types", 96, "broken zlib data costs its packet", [
      97,
      "T5 < UpdateRoomList []",
      99,
    ]),
    to: 100,
  },
  numbers("T1", 23),
  numbers("T2", 40),
  numbers("T3", 57),
  numbers("T4", 74),
  numbers("T5", 91),
  numbers("T6", 110),
  numbers("T7", 126),
  numbers("T8", 143),
  numbers("T9", 159),
  numbers("T10", 175),
  one("wrong_types", 161, outsideLimits, [161, 'T9 < ErrorMsg raw "unk error"']),

  one("heartbeat", 41, "the recording ends before the numbers come", [
    "A < UpdatePlayerNum [1, 1]",
  ]),

  closes("malformed", "M0", [5, 11]),
  closes("malformed", "M3", [33, 34]),
  closes("malformed", "M4", [42, 48]),
  closes("malformed", "M5", [56, 62]),
  closes("malformed", "M6", [70, 76]),
  closes("malformed", "M7", [84, 90]),
  closes("malformed", "M8", [98, 104]),
  closes("malformed", "M9", [112, 113]),
  closes("malformed", "M10", [121, 122]),
  closes("malformed", "M11", [130, 136]),
  closes("malformed", "M12", [144, 150]),
  closes("malformed", "M13", [158, 159]),
  closes("malformed", "M14", [167, 168]),
  closes("malformed", "L0", [189, 191]),
  closes("malformed", "L3", [231, 232]),
  closes("malformed", "L4", [246, 248]),
  closes("malformed", "L5", [262, 264]),
  closes("malformed", "L6", [278, 280]),
  closes("malformed", "L7", [294, 296]),
  closes("malformed", "L8", [310, 312]),
  closes("malformed", "L9", [326, 327]),
  closes("malformed", "L10", [341, 342]),
  closes("malformed", "L11", [356, 358]),

  closes("garbage_10mb", "G", [5, 5]),
  closes("garbage_10mb", "G", [20, 20]),
  closes("garbage_10mb", "G", [29, 29]),
];

/**
 * What the rules said in recorded games, said by the scripted ones: without a real core, games end on
 * order, and results are not theirs to give.
 */
export const scriptedGames: readonly Deviation[] = [
  one("game_cancel_2p", 2643, onOrder, [...gameEnds("B"), 2643]),
  one("game_over_replay", 1048, onOrder, [...gameEnds("A"), 1048]),
  one("game_over_replay", 1733, onOrder, [...gameEnds("A"), 1733]),
  one("game_timeout", 237, onOrder, ['A > PushRequest "kick"', 237]),
  one("game_timeout", 327, onOrder, [...gameEnds("B"), 327]),
  one("game_trust", 1346, onOrder, [...gameEnds("A"), 1346]),
];

/** What depends on who is dealt which role: who misses requests first, for one. */
export const realGames: readonly Deviation[] = [
  { ...one("game_timeout", 237, "either may be the one whose turns come first", []), to: 337 },
];

function cutChat(conn: string): string {
  const chat = { msg: "a".repeat(299), sender: 13, type: 1, userName: "guddekA" };
  return `${conn} < Chat ${JSON.stringify(chat).replaceAll(/([:,])(?=["\d])/g, "$1 ")}`;
}

/** The first room of a program has the id 1. */
function gameEnds(conn: string): string[] {
  return [
    "notify,GameOver,over",
    // Ends the game too, so that all of its end is one event.
    "call,Room_decreaseRefCount,1",
  ].map((order) => `${conn} > PushRequest "${order}"`);
}
