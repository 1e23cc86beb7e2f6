/**
 * The JSON messages of the message gateway, read without making values of them: what the gateway
 * needs of a message is taken out, everything else stays byte for byte as it came.
 */
import { hasAt, JsonMembers, stringIn, tooDeep } from "../base/json_scan.ts";

/** Bytes of a message id in UTF-8. */
export const messageIdBytesMax = 256;

/** 0 text, 1 binary (`data` is base64), 2 control. */
export type MessageType = 0 | 1 | 2;

/** What `readClientMessage` found. One object serves any number of messages. */
export class ClientMessage {
  type: MessageType = 0;
  /** "" for none. */
  messageId = "";
  /** "" for none, and where it is no text. */
  action = "";
  /** A heartbeat: `{"type":2,"data":"ping"}` without an action. */
  isPing = false;
  /** `"ack":true` or `false`; undefined where the message does not say. */
  ack: boolean | undefined = undefined;
  /** 0–9; undefined where the message does not say. */
  priority: number | undefined = undefined;
  /**
   * The members of the object as they came, without its braces and without those that the gateway
   * sets (`clientId`, `timestamp`, `route`, however they are escaped or capitalised); "" when none
   * is left.
   */
  members = "";
  readonly scan: JsonMembers = new JsonMembers();
}

/** What `readUpstreamMessage` found. One object serves any number of messages. */
export class UpstreamMessage {
  /** Whom it is for; never "". */
  clientId = "";
  type: MessageType = 0;
  /** "" for none, like the action. */
  messageId = "";
  action = "";
  /** Where the text of `data` is, its quotes included; both 0 where it is none. */
  dataFrom = 0;
  dataTo = 0;
  readonly scan: JsonMembers = new JsonMembers();
}

/** Names that have a meaning here; none may come twice in a message. */
const nameType = 1 << 0;
const nameMessageId = 1 << 1;
const nameData = 1 << 2;
const nameAction = 1 << 3;
const nameAck = 1 << 4;
const namePriority = 1 << 5;
const nameContentType = 1 << 6;
const nameCompressed = 1 << 7;
const nameClientId = 1 << 8;
const nameOther = 0;
/** A name that the gateway sets. */
const nameOurs = -1;

const quote = 0x22;
const digitZero = 0x30;

/**
 * Reads a client's text frame. Gives undefined, or what is wrong with it in a few words, for its
 * error frame; `into` holds nothing of use then.
 *
 * `type` is one of the literals 0, 1 and 2 (`1.0` would break readers that expect an integer), and 0
 * where it is missing, as it always was. `ack` must be true or false, `priority` a literal 0–9.
 */
export function readClientMessage(text: string, into: ClientMessage): string | undefined {
  const scan = into.scan;
  const fault = readClientMembers(text, into, scan);
  scan.end();
  return fault;
}

function readClientMembers(
  text: string,
  into: ClientMessage,
  scan: JsonMembers,
): string | undefined {
  into.type = 0;
  into.messageId = "";
  into.action = "";
  into.isPing = false;
  into.ack = undefined;
  into.priority = undefined;
  into.members = "";
  if (!scan.begin(text)) return notAnObject;
  let seen = 0;
  let isPingData = false;
  /** Members kept before the last one that was left out, and where the present run of kept ones is. */
  let kept = "";
  let runFrom = -1;
  let runTo = -1;
  let step = scan.next();
  for (; step === 1; step = scan.next()) {
    const name = nameOf(text, scan, true);
    if (name === nameOurs) {
      if (runFrom >= 0) kept = joined(kept, text.slice(runFrom, runTo));
      runFrom = -1;
      continue;
    }
    if (runFrom < 0) runFrom = scan.nameFrom;
    runTo = scan.valueTo;
    if (name === nameOther) continue;
    if ((seen & name) !== 0) return twice(text, scan);
    seen |= name;
    const from = scan.valueFrom;
    const to = scan.valueTo;
    switch (name) {
      case nameType: {
        const type = digitAt(text, from, to);
        if (type < 0 || type > 2) return badType;
        into.type = type as MessageType;
        break;
      }
      case nameMessageId: {
        if (text.charCodeAt(from) !== quote) return badMessageId;
        const id = stringIn(text, from, to);
        if (isLongerThan(id, messageIdBytesMax)) return badMessageId;
        into.messageId = id;
        break;
      }
      case nameData:
        if (text.charCodeAt(from) !== quote) return badData;
        // Escaped letters take six characters each.
        isPingData = to - from <= 26 && stringIn(text, from, to) === "ping";
        break;
      case nameAction:
        if (text.charCodeAt(from) === quote) into.action = stringIn(text, from, to);
        break;
      case nameAck:
        if (hasAt(text, from, "true")) into.ack = true;
        else if (hasAt(text, from, "false")) into.ack = false;
        else return badAck;
        break;
      case namePriority: {
        const priority = digitAt(text, from, to);
        if (priority < 0) return badPriority;
        into.priority = priority;
        break;
      }
    }
  }
  if (step !== 0) return faultOf(step);
  into.isPing = isPingData && into.type === 2 && into.action === "";
  if (runFrom >= 0) into.members = joined(kept, text.slice(runFrom, runTo));
  else into.members = kept;
  return undefined;
}

/**
 * Reads a text frame of an upstream, which goes on unchanged. Gives undefined, or what is wrong with
 * it in a few words. What it needs is a `clientId`; `null` for a text is as if it were not there.
 */
export function readUpstreamMessage(text: string, into: UpstreamMessage): string | undefined {
  const scan = into.scan;
  const fault = readUpstreamMembers(text, into, scan);
  scan.end();
  return fault;
}

function readUpstreamMembers(
  text: string,
  into: UpstreamMessage,
  scan: JsonMembers,
): string | undefined {
  into.clientId = "";
  into.type = 0;
  into.messageId = "";
  into.action = "";
  into.dataFrom = 0;
  into.dataTo = 0;
  if (!scan.begin(text)) return notAnObject;
  let seen = 0;
  let step = scan.next();
  for (; step === 1; step = scan.next()) {
    const name = nameOf(text, scan, false);
    if (name === nameOther) continue;
    if ((seen & name) !== 0) return twice(text, scan);
    seen |= name;
    const from = scan.valueFrom;
    const to = scan.valueTo;
    const isText = text.charCodeAt(from) === quote;
    switch (name) {
      case nameClientId:
        if (!isText) return badClientId;
        into.clientId = stringIn(text, from, to);
        break;
      case nameType: {
        const type = digitAt(text, from, to);
        if (type < 0 || type > 2) return badType;
        into.type = type as MessageType;
        break;
      }
      case nameMessageId: {
        if (!isText) {
          if (hasAt(text, from, "null")) break;
          return badMessageId;
        }
        const id = stringIn(text, from, to);
        if (isLongerThan(id, messageIdBytesMax)) return badMessageId;
        into.messageId = id;
        break;
      }
      case nameData:
        if (!isText) break;
        into.dataFrom = from;
        into.dataTo = to;
        break;
      case nameAction:
        if (isText) into.action = stringIn(text, from, to);
        break;
    }
  }
  if (step !== 0) return faultOf(step);
  return into.clientId === "" ? badClientId : undefined;
}

/** The `messageId` in members that `readClientMessage` gave out; "" for none. */
export function messageIdInMembers(members: string, into: ClientMessage): string {
  return readClientMessage(`{${members}}`, into) === undefined ? into.messageId : "";
}

const notAnObject = "it is no JSON object";
const badType = "type must be 0, 1 or 2";
const badMessageId = `messageId must be a text of at most ${messageIdBytesMax} bytes`;
const badData = "data must be a text";
const badAck = "ack must be true or false";
const badPriority = "priority must be a whole number, 0–9";
const badClientId = "clientId must be a text that is not empty";

function faultOf(step: number): string {
  return step === tooDeep ? "it is nested too deeply" : "it is not valid JSON";
}

function twice(text: string, scan: JsonMembers): string {
  return `${stringIn(text, scan.nameFrom, scan.nameTo)} comes twice`;
}

function joined(before: string, members: string): string {
  return before === "" ? members : before + "," + members;
}

/** The value of a single digit; -1 for anything else. */
function digitAt(text: string, from: number, to: number): number {
  if (to - from !== 1) return -1;
  const digit = text.charCodeAt(from) - digitZero;
  return digit >= 0 && digit <= 9 ? digit : -1;
}

function isLongerThan(text: string, bytesMax: number): boolean {
  if (text.length * 3 <= bytesMax) return false;
  if (text.length > bytesMax) return true;
  let bytes = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at);
    // A lone surrogate takes three bytes as U+FFFD; the two of a pair take four.
    bytes += char < 0x80 ? 1 : char < 0x800 ? 2 : isPairAt(text, at) ? (at++, 4) : 3;
  }
  return bytes > bytesMax;
}

function isPairAt(text: string, at: number): boolean {
  return (text.charCodeAt(at) & 0xfc00) === 0xd800 && (text.charCodeAt(at + 1) & 0xfc00) === 0xdc00;
}

/**
 * Which name a member has. Those that the gateway sets are known in any capitals, as old upstreams
 * read them, but only for `fromClient`; there they are `nameOurs`.
 */
function nameOf(text: string, scan: JsonMembers, fromClient: boolean): number {
  if (scan.isNamePlain) return plainNameAt(text, scan.nameFrom, scan.nameTo, fromClient);
  const plain = stringIn(text, scan.nameFrom, scan.nameTo);
  if (fromClient) {
    // U+017F is an S to readers that ignore case.
    const folded = plain.replaceAll("ſ", "s");
    if (plainNameAt(`"${folded}"`, 0, folded.length + 2, true) === nameOurs) return nameOurs;
  }
  return plainNameAt(`"${plain}"`, 0, plain.length + 2, fromClient);
}

function plainNameAt(text: string, from: number, to: number, fromClient: boolean): number {
  const at = from + 1;
  switch (to - from - 2) {
    case 3:
      return hasAt(text, at, "ack") ? nameAck : nameOther;
    case 4:
      if (hasAt(text, at, "type")) return nameType;
      return hasAt(text, at, "data") ? nameData : nameOther;
    case 5:
      return fromClient && isLetters(text, at, "route") ? nameOurs : nameOther;
    case 6:
      return hasAt(text, at, "action") ? nameAction : nameOther;
    case 8:
      if (fromClient) {
        if (isLetters(text, at, "clientid")) return nameOurs;
      } else if (hasAt(text, at, "clientId")) return nameClientId;
      return hasAt(text, at, "priority") ? namePriority : nameOther;
    case 9:
      if (hasAt(text, at, "messageId")) return nameMessageId;
      return fromClient && isLetters(text, at, "timestamp") ? nameOurs : nameOther;
    case 10:
      return hasAt(text, at, "compressed") ? nameCompressed : nameOther;
    case 11:
      return hasAt(text, at, "contentType") ? nameContentType : nameOther;
    default:
      return nameOther;
  }
}

/** Whether these lower-case letters stand there, in any capitals. */
function isLetters(text: string, at: number, letters: string): boolean {
  for (let index = 0; index < letters.length; index++) {
    if ((text.charCodeAt(at + index) | 0x20) !== letters.charCodeAt(index)) return false;
  }
  return true;
}
