import { encodeCbor } from "../../src/wire/cbor_encode.ts";
import { encodeClientNotification, encodePacket } from "../../src/wire/packet.ts";
import type { Dice } from "./dice.ts";

/** Bytes that are no packet and cost the connection, or a packet that is to be ignored. */
export function someGarbage(dice: Dice, kind: "no_packet" | "ignored"): Uint8Array {
  const notify = encodeClientNotification;
  const none = new Uint8Array(0);
  const choices = kind === "no_packet"
    ? [
      Uint8Array.of(0x60),
      Uint8Array.of(0x83, 0x01, 0x02, 0x03),
      Uint8Array.of(0x9f),
      Uint8Array.of(0x84, 0x21, 0x19, 0x04, 0x12, 0x5a, 0x40, 0, 0, 0),
      Uint8Array.of(0x84, 0xfb, 0, 0, 0, 0, 0, 0, 0, 0),
      new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"),
    ]
    : [
      notify("NoSuchCommand", none),
      notify("CreateRoom", encodeCbor([1, 2, 3])),
      notify("EnterRoom", Uint8Array.of(0x82, 0x01)),
      notify("Chat", Uint8Array.of(0xff)),
      notify("KickPlayer", encodeCbor("1; DROP TABLE userinfo")),
      notify("UpdateAvatar", encodeCbor("a".repeat(300))),
      encodePacket({ requestId: 1, type: 0x112, command: "Ready", data: none }),
      encodePacket({ requestId: -2, type: 0x1412, command: "Chat", data: Uint8Array.of(1, 2) }),
      encodePacket({ requestId: 99, type: 0x212, command: "", data: none }),
    ];
  return dice.one(choices)!;
}
