import type { BufferConfig, GatewayConfig } from "../config/gateway_config.ts";
import type { Clock } from "../ports/clock.ts";
import type { CryptoPort } from "../ports/crypto.ts";
import { binaryMembers, errorFrame, pongFrame } from "../wire/gateway_frames.ts";
import { ClientMessage, readClientMessage } from "../wire/gateway_message.ts";
import { Acknowledgements, storeFails } from "./acknowledgements.ts";
import { ClientTransfers, type WholeMessage } from "./client_transfers.ts";
import type { Clients } from "./clients.ts";
import type { DedupWindow } from "./dedup_window.ts";
import { Disposal } from "./disposal.ts";
import type { Downstream } from "./downstream.ts";
import type { MessageHistory } from "./history/message_history.ts";
import { RecentLatency } from "./gateway_counters.ts";
import type {
  Client,
  ClientSession,
  GatewayCore,
  GatewayCounters,
  GatewayErrorCode,
} from "./gateway_types.ts";
import type { MessageBody } from "./log/message_body.ts";
import { type MessageLog, noSlot, type Slot } from "./log/message_log_types.ts";
import type { MemoryAccount } from "./memory_account.ts";
import type { StampClock } from "./stamp_clock.ts";
import type { TargetOwner } from "./upstream_target.ts";
import type { Upstreams } from "./upstreams.ts";

/** From here on a message counts as large. */
const largeBytesMin = 65_536;
/** One in so many messages tells how long its way took: reading the clock for each would cost more
 * than the rest of the bookkeeping. A power of two. */
const sampleEvery = 16;
/** A client's heartbeats are answered once in this time; the known SDK sends up to 900 a second. */
const pongMsMin = 1_000;
export interface MessageGatewayParts {
  readonly config: GatewayConfig;
  readonly clock: Clock;
  readonly crypto: CryptoPort;
  readonly counters: GatewayCounters;
  readonly memory: MemoryAccount;
  readonly clients: Clients;
  readonly log: MessageLog;
  readonly known: DedupWindow;
  readonly upstreams: Upstreams;
  readonly downstream: Downstream;
  readonly history: MessageHistory;
  readonly stamp: StampClock;
}

/** What clients send: into the log, on to the upstream of each, and acknowledged when it is safe. */
export class MessageGateway implements GatewayCore, TargetOwner {
  readonly acknowledgements: Acknowledgements;
  readonly disposal: Disposal;
  readonly transfers: ClientTransfers;
  readonly forwardLatency: RecentLatency = new RecentLatency();
  readonly #parts: MessageGatewayParts;
  #buffer: BufferConfig;
  readonly #counters: GatewayCounters;
  readonly #log: MessageLog;
  readonly #clients: Clients;
  readonly #stamp: StampClock;
  readonly #history: MessageHistory;
  readonly #message = new ClientMessage();
  #isDraining = false;

  constructor(parts: MessageGatewayParts) {
    this.#parts = parts;
    this.#buffer = parts.config.buffer;
    this.#counters = parts.counters;
    this.#log = parts.log;
    this.#clients = parts.clients;
    this.#stamp = parts.stamp;
    this.#history = parts.history;
    this.acknowledgements = new Acknowledgements(parts);
    this.disposal = new Disposal(parts);
    this.transfers = new ClientTransfers({
      ...parts,
      maxMessageSize: parts.config.maxMessageSize,
      refuse: (session, { code, text, messageId }) => this.#refuse(session, code, text, messageId),
    });
  }

  /** From now on new messages are answered `draining`. */
  startDraining(): void {
    this.#isDraining = true;
  }

  /** What can change while it runs. */
  configure(config: GatewayConfig): void {
    // What the buffer holds is settled at the start.
    this.#buffer = { ...this.#buffer, overflow: config.buffer.overflow };
    this.disposal.configure(config);
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
    this.#parts.downstream.replays.joined(session);
  }

  left(session: ClientSession): void {
    this.transfers.left(session);
    this.#parts.downstream.left(session);
    this.#parts.downstream.replays.left(session);
    this.#clients.tidy(session.client);
  }

  /** Drops large messages that nothing more comes of. To be called about once a second. */
  expireTransfers(): void {
    this.transfers.expire();
    this.#parts.downstream.transfers.expire();
  }

  drained(session: ClientSession): void {
    this.#parts.downstream.drained(session);
  }

  text(session: ClientSession, text: string): void {
    const message = this.#message;
    const fault = readClientMessage(text, message);
    if (fault !== undefined) {
      this.#refuse(session, "bad_message", fault);
    } else if (message.isPing) {
      this.#answerPing(session);
    } else if (message.type === 2 && message.action === "auth") {
      if (!session.authenticate(text)) {
        this.#refuse(session, "bad_message", "no tokens are in use here");
      }
    } else if (message.type === 2 && message.action === "ack") {
      // Sent back by an upstream that never acknowledges, it would pass for an acknowledgement.
      this.#refuse(session, "bad_message", "acknowledgements are for upstreams to send");
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
    const whole = this.transfers.frame(session, bytes);
    if (whole === "other") {
      const members = binaryMembers(bytes);
      this.#take(session, { members, messageId: "", priority: 0, wantsAck: false });
    } else if (whole !== undefined) {
      this.#takeWhole(session, whole);
    }
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
    this.disposal.forgetPending(client);
  }

  mayRetry(slot: Slot): boolean {
    return this.disposal.mayRetry(slot);
  }

  #takeWhole(session: ClientSession, whole: WholeMessage): void {
    const { start, body } = whole;
    const { messageId, ack, priority } = start;
    const wantsAck = messageId !== "" && (ack ?? session.wantsAcks);
    this.#take(session, {
      members: body,
      metadata: `"type":1${start.members === "" ? "" : `,${start.members}`}`,
      messageId,
      priority: Math.min(priority, session.priorityMax),
      wantsAck: wantsAck && this.#log.isDurable,
    });
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
    // What came in chunks was admitted when it was announced.
    if (typeof members === "string" && !memory.admits(bytes)) {
      this.#refuse(session, "memory_pressure", "too much is waiting here", messageId);
      return;
    }
    if (bytes > largeBytesMin) {
      this.#counters.largeMessages++;
      this.#counters.largeMessageBytes += bytes;
    }
    if (message.wantsAck) {
      const repetition = this.acknowledgements.repetition(session, messageId, members);
      if (repetition === "same") return;
      if (repetition === "different") {
        this.#refuse(session, "duplicate_id", "another message had this id", messageId);
        return;
      }
      if (this.#log.trouble !== undefined) {
        this.#refuse(session, "store_unavailable", storeFails, messageId);
        return;
      }
    }
    const slot = this.#append(client, message);
    if (slot === noSlot) {
      this.#refuse(session, "overloaded", "the buffer is full", messageId);
      return;
    }
    if (message.wantsAck) this.acknowledgements.remember(session, slot, messageId);
    if (messageId !== "" && this.#history.isEnabled) this.#note(client, message);
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
    // All that waits would be dropped for one that has no room even then.
    if (entry.body.length > this.#buffer.maxBytes) return noSlot;
    for (;;) {
      const slot = this.#log.append(entry);
      if (slot !== noSlot) return slot;
      if (this.#buffer.overflow === "reject" || !this.disposal.dropOldest()) return noSlot;
    }
  }

  /** Puts a message into the history, with the stamp that it was given just now. */
  #note(client: Client, { members, messageId, metadata }: TakenMessage): void {
    const text = typeof members === "string" ? members : members.memory.subarray(members.from);
    const { ms: stampMs, ns: stampNs } = this.#stamp;
    this.#history.add({
      clientId: client.id,
      isUp: true,
      messageId,
      stampMs,
      stampNs,
      text,
      ...(metadata === undefined ? {} : { metadata }),
    });
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

interface TakenMessage {
  readonly members: string | MessageBody;
  /** Of a body in bytes: its members without the data. */
  readonly metadata?: string;
  readonly messageId: string;
  readonly priority: number;
  readonly wantsAck: boolean;
}
