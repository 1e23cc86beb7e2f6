import { JsonMembers, stringIn } from "../../base/json_scan.ts";
import { encodeUtf8 } from "../../wire/utf8.ts";

/** A longer member is left out with the data: metadata is meant to be small. */
const memberUnitsMax = 1_024;
const membersUnitsMax = 4_096;

/** Those that readers of a message tell it by; they are bounded anyway. */
const isNeeded: ReadonlySet<string> = new Set(["type", "messageId", "clientId"]);

/**
 * What is kept of a message that is too large: its members without `data`, and `size`, the bytes of
 * the whole. `text` is a JSON object with its braces, and so is what comes back.
 */
export function metadataOf(text: string): string {
  const scan = new JsonMembers();
  const kept: string[] = [];
  let units = 0;
  if (scan.begin(text)) {
    while (scan.next() === 1) {
      const name = stringIn(text, scan.nameFrom, scan.nameTo);
      const length = scan.valueTo - scan.nameFrom;
      if (name === "data" || name === "size") continue;
      if (!isNeeded.has(name)) {
        if (length > memberUnitsMax || units + length > membersUnitsMax) continue;
        units += length;
      }
      kept.push(text.slice(scan.nameFrom, scan.valueTo));
    }
  }
  scan.end();
  kept.push(`"size":${encodeUtf8(text).length}`);
  return `{${kept.join(",")}}`;
}

/** Whether the UTF-8 of a text has more bytes than that. */
export function isLargerThan(text: string, bytesMax: number): boolean {
  if (text.length * 3 <= bytesMax) return false;
  return text.length > bytesMax || encodeUtf8(text).length > bytesMax;
}
