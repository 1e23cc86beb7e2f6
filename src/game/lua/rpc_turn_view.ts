import { encodeUtf8, equalsAscii } from "../../wire/utf8.ts";
import type { RulesHost, RulesNotice } from "./rpc_rules.ts";

/**
 * What one turn may want done before it counts as a flood: a turn of a real game with 8 seats sends
 * some hundred notices of some hundred bytes.
 */
export const turnLimits = { noticesMax: 50_000, noticeBytesMax: 32 * 1_024 * 1_024 };

/**
 * The server as the rules see it within a turn: the host's facts under what the turn itself has
 * changed, whose notices are only carried out at its end.
 */
export class RulesTurnView {
  readonly host: RulesHost;
  #notices: RulesNotice[] = [];
  #bytes = 0;
  readonly #thinking = new Map<number, boolean>();
  readonly #asked = new Set<number>();
  readonly #sessionData = new Map<number, string>();

  constructor(host: RulesHost) {
    this.host = host;
  }

  /** Remembers what is to be done, and that it is as good as done for the rest of the turn. */
  note(notice: RulesNotice): void {
    this.#bytes += bytesIn(notice);
    // What exceeds the limits is not kept: `flood` tells, and the turn will not be carried out.
    if (this.flood !== undefined) return;
    this.#notices.push(notice);
    if (notice.kind === "set_thinking") this.#thinking.set(notice.connId, notice.thinking);
    else if (notice.kind === "do_request") this.#asked.add(notice.connId);
    else if (notice.kind === "set_session_data") this.#sessionData.set(notice.roomId, notice.json);
  }

  /** Why the turn is one no more; undefined while it is within its limits. */
  get flood(): string | undefined {
    const { noticesMax, noticeBytesMax } = turnLimits;
    if (this.#notices.length >= noticesMax) return `more than ${noticesMax} notices in one turn`;
    return this.#bytes > noticeBytesMax
      ? `more than ${noticeBytesMax} bytes in one turn`
      : undefined;
  }

  hasRoom(roomId: number): boolean {
    return this.host.session(roomId) !== undefined;
  }

  hasPlayer(connId: number): boolean {
    return this.host.thinking(connId) !== undefined;
  }

  hasTask(taskId: number): boolean {
    return this.host.task(taskId) !== undefined;
  }

  thinking(connId: number): boolean | undefined {
    return this.#thinking.get(connId) ?? this.host.thinking(connId);
  }

  /** A question of this very turn has no answer yet, unless it will not be asked at all. */
  reply(connId: number): Uint8Array | undefined {
    const reply = this.host.reply(connId);
    if (reply === undefined || !this.#asked.has(connId)) return reply;
    return equalsAscii(reply, "__cancel") ? reply : encodeUtf8("__notready");
  }

  sessionId(roomId: number): number | undefined {
    return this.host.session(roomId)?.id;
  }

  sessionData(roomId: number): Uint8Array | undefined {
    const data = this.#sessionData.get(roomId) ?? this.host.session(roomId)?.data;
    return data === undefined ? undefined : encodeUtf8(data);
  }

  /** Ends the turn: its notices, in order. The host must carry them out before the next one. */
  take(): readonly RulesNotice[] {
    const notices = this.#notices;
    this.#notices = [];
    this.#bytes = 0;
    this.#thinking.clear();
    this.#asked.clear();
    this.#sessionData.clear();
    return notices;
  }
}

function bytesIn(notice: RulesNotice): number {
  if ("data" in notice) return notice.command.length + notice.data.length;
  if ("json" in notice) return notice.json.length;
  return notice.kind === "log" ? notice.text.length : 0;
}
