import type { BufferConfig, GatewayConfig } from "../config/gateway_config.ts";
import { crc32 } from "../base/crc32.ts";
import type { Clock } from "../ports/clock.ts";
import { ackFrame, binaryMembers, errorFrame, pongFrame } from "../wire/gateway_frames.ts";
import { ClientMessage, readClientMessage } from "../wire/gateway_message.ts";
import { encodeUtf8 } from "../wire/utf8.ts";
import { AckQueue } from "./ack_queue.ts";
import type { Clients } from "./clients.ts";
import { type DedupWindow, hashMessageId } from "./dedup_window.ts";
import type { Downstream } from "./downstream.ts";
import { RecentLatency } from "./gateway_counters.ts";
import type {
  Client,
  ClientSession,
  GatewayCore,
  GatewayCounters,
  GatewayErrorCode,
} from "./gateway_types.ts";
import { type MessageLog, noSlot, type Slot } from "./log/message_log_types.ts";
import type { MemoryAccount } from "./memory_account.ts";
import type { StampClock } from "./stamp_clock.ts";
import { isOnLink, type TargetOwner } from "./upstream_target.ts";
import type { Upstreams } from "./upstreams.ts";

/** From here on a message counts as large. */
const largeBytesMin = 65_536;
/** One in so many messages tells how long its way took: reading the clock for each would cost more
 * than the rest of the bookkeeping. A power of two. */
const sampleEvery = 16;
/** A client's heartbeats are answered once in this time; the known SDK sends up to 900 a second. */
const pongMsMin = 1_000;
/** Messages looked at for one that may be dropped, or in one round for expired ones: those that are
 * on a link are passed over, and a link holds no more than its window. */
const lookedAtMax = 100_000;

export interface MessageGatewayParts {
  readonly config: GatewayConfig;
  readonly clock: Clock;
  readonly counters: GatewayCounters;
  readonly memory: MemoryAccount;
  readonly clients: Clients;
  readonly log: MessageLog;
  readonly known: DedupWindow;
  readonly upstreams: Upstreams;
  readonly downstream: Downstream;
  readonly stamp: StampClock;
}

/** What clients send: into the log, on to the upstream of each, and acknowledged when it is safe. */
export class MessageGateway implements GatewayCore, TargetOwner {
  readonly ackLatency: RecentLatency = new RecentLatency();
  readonly forwardLatency: RecentLatency = new RecentLatency();
  readonly #parts: MessageGatewayParts;
  readonly #buffer: BufferConfig;
  readonly #counters: GatewayCounters;
  readonly #log: MessageLog;
  readonly #clients: Clients;
  readonly #stamp: StampClock;
  readonly #message = new ClientMessage();
  readonly #acks = new AckQueue();
  /** Everything appended up to here is durable. */
  #committed = 0;
  #isDraining = false;

  constructor(parts: MessageGatewayParts) {
    this.#parts = parts;
    this.#buffer = parts.config.buffer;
    this.#counters = parts.counters;
    this.#log = parts.log;
    this.#clients = parts.clients;
    this.#stamp = parts.stamp;
  }

  /** Acknowledgements that wait for the disk. */
  get acksWaiting(): number {
    return this.#acks.size;
  }

  /** From now on new messages are answered `draining`. */
  startDraining(): void {
    this.#isDraining = true;
  }

  clientNamed(id: string): Client {
    return this.#clients.named(id);
  }

  clientWithId(id: string): Client | undefined {
    return this.#clients.get(id);
  }

  joined(session: ClientSession): void {
    // Its upstream may have something for it before it says anything itself.
    this.#parts.upstreams.routeOf(session.client);
    this.#parts.downstream.sendWaiting(session.client);
  }

  left(session: ClientSession): void {
    this.#clients.tidy(session.client);
  }

  drained(session: ClientSession): void {
    this.#parts.downstream.sendWaiting(session.client);
  }

  text(session: ClientSession, text: string): void {
    const message = this.#message;
    const fault = readClientMessage(text, message);
    if (fault !== undefined) {
      this.#refuse(session, "bad_message", fault);
    } else if (message.isPing) {
      this.#answerPing(session);
    } else if (message.type === 2 && message.action === "auth") {
      this.#refuse(session, "bad_message", "no tokens are in use here");
    } else {
      const wantsAck = message.messageId !== "" && (message.ack ?? session.wantsAcks);
      this.#take(session, {
        members: message.members,
        messageId: message.messageId,
        priority: Math.min(message.priority ?? 0, session.priorityMax),
        wantsAck: wantsAck && this.#log.isDurable,
      });
    }
  }

  binary(session: ClientSession, bytes: Uint8Array): void {
    const members = binaryMembers(bytes);
    this.#take(session, { members, messageId: "", priority: 0, wantsAck: false });
  }

  /** The log says that everything up to here is safe. */
  committed(sequence: number): void {
    this.#committed = sequence;
    const now = this.#parts.clock.monotonic();
    this.#acks.takeThrough(sequence, (asker, messageId, takenAtMs) => {
      this.ackLatency.add(now - takenAtMs);
      this.#acknowledge(asker, messageId);
    });
  }

  /** The log could not write these: nobody is told that they are safe, and a repetition is taken. */
  notStored(_from: number, through: number): void {
    this.#acks.takeThrough(through, ({ client }, messageId) => {
      this.#parts.known.forget(client.index, hashMessageId(messageId));
      this.#counters.messagesFailed++;
      const { session } = client;
      if (session?.isModern) session.send(errorFrame("store_unavailable", storeFails, messageId));
    });
  }

  sent(slot: Slot): void {
    // A message that has to be sent again is still one.
    if (this.#log.tries(slot) > 0) return;
    const count = ++this.#counters.messagesSent;
    this.#counters.bytesSent += this.#log.bodyBytes(slot);
    if ((count & (sampleEvery - 1)) === 0) {
      const { clock } = this.#parts;
      const takenAt = this.#log.stampMs(slot) + this.#log.stampNs(slot) / 1e6;
      this.forwardLatency.add(Math.max(0, clock.now() - takenAt));
    }
  }

  delivered(slot: Slot): void {
    const client = this.#clients.at(this.#log.clientIndex(slot));
    this.#log.release(slot);
    this.#forgetPending(client);
  }

  mayRetry(slot: Slot): boolean {
    const log = this.#log;
    const tries = log.tries(slot);
    if (this.#buffer.retries > 0 && tries >= this.#buffer.retries) {
      this.#giveUp(slot, "retries");
      return false;
    }
    if (tries < triesMax) log.setTries(slot, tries + 1);
    return true;
  }

  /** Gives up what has waited for too long. To be called about once a second. */
  expire(): void {
    const { ttlSeconds } = this.#buffer;
    const log = this.#log;
    const now = this.#parts.clock.now();
    const upBefore = ttlSeconds === 0 ? -Infinity : now - ttlSeconds * 1_000;
    const downBefore = now - this.#parts.config.waiting.ttlSeconds * 1_000;
    const newest = Math.max(upBefore, downBefore);
    let slot = log.oldest;
    for (let looked = 0; looked < lookedAtMax && slot !== noSlot; looked++) {
      const stamp = log.stampMs(slot);
      if (stamp >= newest) break;
      const newer = log.newer(slot);
      if (log.isUp(slot)) {
        if (stamp < upBefore && !isOnLink(log, slot)) {
          this.#parts.upstreams.at(log.place(slot)).remove(slot);
          this.#giveUp(slot, "expired");
        }
      } else if (stamp < downBefore) {
        this.#counters.expired++;
        this.#parts.downstream.drop(slot);
      }
      slot = newer;
    }
  }

  #take(session: ClientSession, message: TakenMessage): void {
    const { upstreams, memory } = this.#parts;
    const { client } = session;
    const { messageId, members } = message;
    const bytes = members.length;
    if (this.#isDraining) {
      this.#refuse(session, "draining", "the gateway is stopping", messageId);
      return;
    }
    const upstream = upstreams.upstreamOf(client);
    if (upstream === undefined) {
      this.#refuse(session, "no_route", "no route for this client", messageId);
      return;
    }
    if (!memory.admits(bytes)) {
      this.#refuse(session, "memory_pressure", "too much is waiting here", messageId);
      return;
    }
    if (bytes > largeBytesMin) {
      this.#counters.largeMessages++;
      this.#counters.largeMessageBytes += bytes;
    }
    if (message.wantsAck && this.#log.trouble !== undefined) {
      this.#refuse(session, "store_unavailable", storeFails, messageId);
      return;
    }
    if (message.wantsAck && this.#isRepetition(session, message)) return;
    const slot = this.#append(client, message);
    if (slot === noSlot) {
      this.#refuse(session, "overloaded", "the buffer is full", messageId);
      return;
    }
    if (message.wantsAck) this.#remember(session, slot, messageId);
    client.pendingUp++;
    client.upstream = upstream;
    upstream.push(slot);
  }

  #append(client: Client, message: TakenMessage): Slot {
    const stamp = this.#stamp;
    stamp.take();
    const entry = {
      client,
      direction: "up",
      messageId: message.messageId,
      ackAsked: message.wantsAck,
      priority: message.priority,
      stampMs: stamp.ms,
      stampNs: stamp.ns,
      body: message.members,
    } as const;
    for (;;) {
      const slot = this.#log.append(entry);
      if (slot !== noSlot) return slot;
      if (this.#buffer.overflow === "reject" || !this.#dropOldest()) return noSlot;
    }
  }

  /** Whether the gateway has a message with this id of this client already; then it is answered. */
  #isRepetition(session: ClientSession, { messageId, members }: TakenMessage): boolean {
    const { known, clock } = this.#parts;
    const { client } = session;
    const nowMs = clock.monotonic();
    const { low, high } = hashMessageId(messageId);
    if (!known.has(client.index, { low, high, nowMs })) return false;
    const body = encodeUtf8(members);
    const key = { low, high, bodyCrc: crc32(body), bodyBytes: body.length, nowMs };
    const found = known.look(client.index, key);
    if (found.kind === "new") return false;
    if (found.kind === "different") {
      this.#refuse(session, "duplicate_id", "another message had this id", messageId);
      return true;
    }
    this.#counters.duplicatesDropped++;
    if (found.sequence <= this.#committed) this.#acknowledge(session, messageId);
    else this.#acks.push(found.sequence, session, { id: messageId, takenAtMs: nowMs });
    return true;
  }

  /** From now on a repetition of the message is known; it is acknowledged when it is durable. */
  #remember(session: ClientSession, slot: Slot, messageId: string): void {
    const log = this.#log;
    const { client } = session;
    const { known, clock } = this.#parts;
    const takenAtMs = clock.monotonic();
    const sequence = log.sequence(slot);
    const key = {
      low: log.idLow(slot),
      high: log.idHigh(slot),
      bodyCrc: log.bodyCrc(slot),
      bodyBytes: log.bodyBytes(slot),
      nowMs: takenAtMs,
    };
    if (known.add(client.index, key, sequence)) client.knownIds++;
    this.#acks.push(sequence, session, { id: messageId, takenAtMs });
  }

  /** Tells the client's present connection; one that knows nothing of acknowledgements only if it
   * asked for this one itself. */
  #acknowledge(asker: ClientSession, messageId: string): void {
    const { session } = asker.client;
    if (session === undefined || (session !== asker && !session.isModern)) return;
    session.send(ackFrame(messageId));
    this.#counters.acksSent++;
  }

  #answerPing(session: ClientSession): void {
    session.exemptPing();
    const now = this.#parts.clock.monotonic();
    const { client } = session;
    if (!session.isModern || now - client.pongAtMs < pongMsMin) {
      this.#counters.pingsDropped++;
      return;
    }
    client.pongAtMs = now;
    this.#stamp.take();
    session.send(pongFrame(this.#stamp.ms, this.#stamp.ns));
  }

  /** A message that waited for too long, or was sent too often; it is in no queue any more. */
  #giveUp(slot: Slot, reason: "expired" | "retries" | "overflow"): void {
    const log = this.#log;
    const client = this.#clients.at(log.clientIndex(slot));
    if (reason === "overflow") this.#counters.droppedOldest++;
    else this.#counters.expired++;
    if (log.isAckAsked(slot)) log.bury(slot, reason);
    else log.release(slot);
    this.#forgetPending(client);
  }

  /** Makes room for one more message; false when all of them are under way. */
  #dropOldest(): boolean {
    const log = this.#log;
    let slot = log.oldest;
    for (let looked = 0; looked < lookedAtMax && slot !== noSlot; looked++) {
      if (!log.isUp(slot)) {
        this.#counters.droppedOldest++;
        this.#parts.downstream.drop(slot);
        return true;
      }
      if (!isOnLink(log, slot)) {
        this.#parts.upstreams.at(log.place(slot)).remove(slot);
        this.#giveUp(slot, "overflow");
        return true;
      }
      slot = log.newer(slot);
    }
    return false;
  }

  #forgetPending(client: Client): void {
    client.pendingUp--;
    if (client.pendingUp === 0 && client.session === undefined) this.#clients.tidy(client);
  }

  #refuse(
    session: ClientSession,
    code: GatewayErrorCode,
    text: string,
    messageId = "",
  ): void {
    this.#counters.messagesFailed++;
    if (session.isModern) session.send(errorFrame(code, text, messageId));
  }
}

/** What `tries` of a message can count. */
const triesMax = 255;

const storeFails = "nothing can be stored now";

interface TakenMessage {
  readonly members: string;
  readonly messageId: string;
  readonly priority: number;
  readonly wantsAck: boolean;
}
