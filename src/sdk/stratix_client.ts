/**
 * Client of the message gateway for browsers, Electron, Bun, Deno and Node. It imports nothing, so
 * that it can be copied, bundled, or loaded from a gateway at `/sdk/stratix-client.js`.
 *
 * ```ts
 * const client = new StratixClient({ clientId: "client-1", gatewayUrl: "wss://gw.example/ws", acks: true });
 * client.onMessage((message) => console.log(message.data));
 * await client.connect();
 * await client.send("hello"); // resolves when it is safe on the gateway's disk
 * ```
 */

/** Options of a client. Times are milliseconds, sizes bytes. */
export interface StratixConfig {
  /** Who this is: 1–256 bytes of printable text. Decides the route. */
  readonly clientId: string;
  /** `ws:`, `wss:`, `http:` or `https:`; in a page also a path such as `/ws`. Without a path, `/ws` is
   * meant; a query is kept. */
  readonly gatewayUrl: string;
  /** Whether to connect again when the connection is lost. Default true. */
  readonly autoReconnect?: boolean;
  /** Before the n-th attempt to connect again comes a pause of 0 to this × 2^(n−1) ms, evenly
   * random. Default 1,000 ms. */
  readonly reconnectInterval?: number;
  /** The longest of these pauses. Default 30,000 ms. */
  readonly maxReconnectInterval?: number;
  /** Attempts in a row that may fail before it gives up (`gave_up`). Default Infinity. */
  readonly maxReconnectAttempts?: number;
  /** How long an attempt to connect may take. Default 10,000 ms. */
  readonly connectTimeout?: number;
  /** A ping is sent so often, 1,100 ms at least; 0 turns it off. Default 30,000 ms. */
  readonly heartbeatInterval?: number;
  /** With `acks`, `chunks` or `identity`: silence after a ping that counts as a lost connection.
   * Default 10,000 ms. */
  readonly heartbeatTimeout?: number;
  /** `send` resolves when the gateway has the message on its disk, and what was not acknowledged is
   * sent again after a reconnect. Without it, `send` resolves at once. Default false. */
  readonly acks?: boolean;
  /** How long an acknowledgement may take on a living connection before `send` rejects with
   * `ack_timeout`; a gateway that keeps nothing on disk never acknowledges. 0: for ever. Default
   * 30,000 ms. */
  readonly ackTimeout?: number;
  /** Messages that may wait for their acknowledgement on the way; the next ones wait here. Default
   * 256. */
  readonly inFlightMax?: number;
  /** Messages kept here until they are sent (with `acks`: acknowledged); more are refused with
   * `queue_full`. Default 10,000. */
  readonly queueMessagesMax?: number;
  /** Bytes kept here likewise. Default 67,108,864 (64 MiB). */
  readonly queueBytesMax?: number;
  /** Large messages go and come in chunks: binary data over 1 MiB is sent in pieces with a checksum,
   * and larger messages than that are received in pieces. Default false. */
  readonly chunks?: boolean;
  /** Bytes of all messages that may be arriving in chunks at a time. Default 67,108,864 (64 MiB). */
  readonly receiveBytesMax?: number;
  /** Asks for the stored messages on each connect: all that came after `lastMessageId`. Default
   * false. */
  readonly loadHistory?: boolean;
  /** How many stored messages at most. Default: the gateway's, 100. */
  readonly historyLimit?: number;
  /** The last message that is known already, from an earlier run. Default: none. */
  readonly lastMessageId?: string;
  /** Proves the client id by a resume token, without which nobody can connect with that id again:
   * keep it by one of the next three. Default: true when one of them is given. */
  readonly identity?: boolean;
  /** The token of an earlier run. */
  readonly resumeToken?: string;
  /** Called with each new token. */
  readonly onResumeToken?: (token: string) => void;
  /** Where the token is kept, such as `sessionStorage` or `localStorage`. */
  readonly resumeStore?: ResumeStore;
  /** A JWT, or what gets a fresh one: called before each connect, and when the present one has used up
   * four fifths of its time. Default: none. */
  readonly token?: string | (() => string | Promise<string>);
  /** How the token travels in the handshake: in the URL, or as subprotocol `bearer, <token>`, which
   * access logs do not show. Default "query". */
  readonly tokenIn?: "query" | "protocol";
  /** Ends the client for good, like `disconnect()`. Default: none. */
  readonly signal?: AbortSignal;
  /** For runtimes without a global WebSocket: that of the npm package `ws`. Default: the global. */
  readonly WebSocket?: WebSocketConstructor;
}

/** `Storage` of browsers, or anything with its two methods, which may be asynchronous. */
export interface ResumeStore {
  getItem(key: string): string | null | Promise<string | null>;
  setItem(key: string, value: string): unknown;
}

/** The WebSocket of the HTML standard, or one that behaves like it. */
export type WebSocketConstructor = new (url: string, protocols?: string[]) => object;

/** One message as the gateway passes it on; members that the sender added are there too. */
export interface StratixMessage {
  /** 0 text, 1 binary (`data` is base64), 2 control. */
  readonly type: number;
  readonly clientId: string;
  /** "" or absent for a message without an id. */
  readonly messageId: string;
  /** Nanoseconds since 1970, rounded to what a number holds; exact in `MessageInfo.text`. */
  readonly timestamp: number;
  /** Text, or base64; absent in a stored message of which only the facts were kept. */
  readonly data: string;
  readonly contentType?: string;
  readonly compressed?: boolean;
  readonly route?: string;
}

/** What else is known of a message. */
export interface MessageInfo {
  /** It was stored and came before the live ones. */
  readonly isHistory: boolean;
  /** The frame as it came; "" for one that came in binary frames. */
  readonly text: string;
  /** Its bytes, where it came in binary frames: `bytesOf()` need not decode anything then. */
  readonly bytes: Uint8Array | undefined;
}

/** How `send` is to treat a message. */
export interface SendOptions {
  /** Default: a new UUID. The same id and data may be sent again: the gateway takes it once. */
  readonly messageId?: string;
  /** Default "text/plain", for bytes "application/octet-stream". */
  readonly contentType?: string;
  /** 0–9: higher ones overtake what waits for the same upstream. Default 0. */
  readonly priority?: number;
  /** Gives the message up: it is not sent, or not sent again, any more. */
  readonly signal?: AbortSignal;
}

/** Stored messages are complete. */
export interface HistoryEnd {
  readonly total: number;
  readonly oldestMessageId: string | undefined;
  readonly newestMessageId: string | undefined;
  /** `lastMessageId` was not known any more: messages may be missing before the oldest one. */
  readonly gap: boolean;
}

/** How a connection ended. */
export interface Disconnection {
  /** Of the WebSocket; 1006 where it broke off. */
  readonly code: number;
  readonly reason: string;
  /** Milliseconds until the next attempt; undefined when there is none. */
  readonly reconnectMs: number | undefined;
}

export type MessageHandler = (message: StratixMessage, info: MessageInfo) => void;
export type ConnectionHandler = () => void;
export type DisconnectHandler = (how: Disconnection) => void;
export type HistoryHandler = (end: HistoryEnd) => void;
export type ErrorHandler = (error: Error) => void;

/** `waiting`: for the next attempt to connect. */
export type ClientState = "idle" | "connecting" | "open" | "waiting";

/** The client's own codes; those of the gateway's error frames come besides. */
export type StratixErrorCode =
  | "queue_full"
  | "too_big"
  | "replaced"
  | "disconnected"
  | "ack_timeout"
  | "connect_failed"
  | "gave_up"
  | "bad_frame"
  | "bad_transfer"
  | "token_failed"
  | "store_failed"
  | "iterator_full"
  | "duplicate_id"
  | "no_route"
  | "bad_message"
  | (string & Record<never, never>);

/** Everything that a client rejects with or reports, but for what a signal or a handler threw. */
export class StratixError extends Error {
  readonly code: StratixErrorCode;
  /** "" when it is about no message. */
  readonly messageId: string;

  constructor(code: StratixErrorCode, message: string, messageId = "", cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "StratixError";
    this.code = code;
    this.messageId = messageId;
  }
}

/** Bytes of data in one chunk: what the protocol allows. */
const chunkBytes = 1_048_576;
/** Bytes given to the WebSocket that have not left; more would only be held twice. */
const bufferedBytesMax = 8_388_608;
/** How often to look whether they have left: a WebSocket tells nobody. */
const bufferedLookMs = 20;
/** Frames that wait while the checksum of a message before them is worked out. */
const heldFramesMax = 100_000;
/** Messages that an iterator keeps for a reader who is slower than they come. */
const iteratedMessagesMax = 10_000;
/** The gateway answers one ping a second; others it drops, and silence would look like a loss. */
const pingMsMin = 1_100;
/** A connection that held so long has shown that the gateway can be reached. */
const provenMs = 5_000;
/** Pauses after a message was refused for now: the first, and the longest. */
const refusedPauseMs = 250;
const refusedPauseMsMax = 30_000;
/** After a close that says that the client was a nuisance. */
const offencePauseMs = 10_000;
/** A token that cannot be renewed, or is not renewed, is asked for no more often than this. */
const tokenMsMin = 1_000;
/** What a timer can hold. */
const timerMsMax = 2_147_483_647;
/** Bytes of ids in UTF-8. */
const idBytesMax = 256;

const closeCode = { normal: 1000, policy: 1008, tooBig: 1009, replaced: 4409 } as const;
/** Refused for now: the client waits and sends it again. */
const passing: ReadonlySet<string> = new Set([
  "overloaded",
  "memory_pressure",
  "store_unavailable",
  "rate_limited",
  "draining",
  "unknown_transfer",
]);

/** A connection to the gateway that comes back by itself. */
export class StratixClient implements AsyncIterable<StratixMessage> {
  readonly clientId: string;
  readonly #config: StratixConfig;
  readonly #settings: Settings;
  readonly #url: URL;
  readonly #onMessage = new Set<MessageHandler>();
  readonly #onConnect = new Set<ConnectionHandler>();
  readonly #onDisconnect = new Set<DisconnectHandler>();
  readonly #onHistory = new Set<HistoryHandler>();
  readonly #onGap = new Set<HistoryHandler>();
  readonly #onError = new Set<ErrorHandler>();
  readonly #streams = new Set<MessageStream>();
  readonly #outbox = new Outbox();
  readonly #incoming: IncomingTransfer;
  readonly #timers = new Timers();
  /** Frames behind a message whose checksum is being worked out; undefined when none is. */
  #held: (string | ArrayBuffer)[] | undefined;
  #state: ClientState = "idle";
  #socket: Socket | undefined;
  /** Counts connections and attempts: what belongs to an earlier one is not heard any more. */
  #generation = 0;
  #connecting: Deferred | undefined;
  #failures = 0;
  #openedAt = 0;
  #heardAt = 0;
  #pingedAt = -Infinity;
  #isReadingHistory = false;
  #lastMessageId: string;
  #resumeToken: string | undefined;
  #hintMs: number | undefined;
  #refusedMs = 0;
  #refusedAt = 0;
  /** The message that is going out in chunks. */
  #transfer: Transfer | undefined;

  /** Throws TypeError or RangeError for options that cannot be used. */
  constructor(config: StratixConfig) {
    this.#config = config;
    this.clientId = checkedId("clientId", config.clientId);
    this.#settings = settingsOf(config);
    this.#url = gatewayUrlOf(config.gatewayUrl);
    this.#incoming = new IncomingTransfer(this.#settings.receiveBytesMax);
    this.#lastMessageId = config.lastMessageId ?? "";
    this.#resumeToken = config.resumeToken;
    config.signal?.addEventListener("abort", () => this.disconnect(), { once: true });
  }

  /** Whether messages can go out this moment. */
  getConnectionState(): boolean {
    return this.#state === "open";
  }

  get state(): ClientState {
    return this.#state;
  }

  /** Messages that are kept here: not sent yet or, with `acks`, not acknowledged. */
  getQueueSize(): number {
    return this.#outbox.size;
  }

  /** The last message with an id that came, to be given as the option of that name in a later run. */
  get lastMessageId(): string {
    return this.#lastMessageId;
  }

  /** The newest resume token; undefined without one. */
  get resumeToken(): string | undefined {
    return this.#resumeToken;
  }

  /**
   * Resolves when the connection is open; at once when it is. Rejects with `connect_failed` when the
   * first attempt fails, which does not end further ones (`autoReconnect`).
   */
  connect(): Promise<void> {
    const { signal } = this.#config;
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#state === "open") return Promise.resolve();
    if (this.#connecting === undefined) {
      this.#connecting = new Deferred();
      if (this.#state === "idle") {
        this.#failures = 0;
        this.#listenToNetwork(true);
      }
      if (this.#state !== "connecting") this.#attempt();
    }
    return this.#connecting.promise;
  }

  /** Ends the connection and all attempts to make one; no timer is left. What somebody waits for is
   * rejected with `disconnected`; `connect()` may be called again. */
  disconnect(): void {
    const wasOpen = this.#state === "open";
    this.#release(closeCode.normal);
    this.#held = undefined;
    this.#becomeIdle(new StratixError("disconnected", "the client was told to disconnect"));
    for (const stream of this.#streams) stream.end();
    if (wasOpen) this.#emitDisconnect(closeCode.normal, "", undefined);
  }

  /**
   * Sends text, or bytes as a binary message; gives its id. With `acks` it resolves when the gateway
   * has acknowledged the message, and rejects with a `StratixError` when it refused it for good, the
   * queue is full, or the client has ended before; without, it resolves at once, or, for bytes that go
   * in chunks, when all of them have gone. While there is no connection, messages wait. Bytes must not
   * be changed before it resolves.
   */
  send(data: string | ArrayBuffer | ArrayBufferView, options: SendOptions = {}): Promise<string> {
    const { acks, queueMessagesMax, queueBytesMax } = this.#settings;
    const { signal } = options;
    for (const one of [signal, this.#config.signal]) {
      if (one?.aborted) return Promise.reject(one.reason);
    }
    let message: Outgoing;
    try {
      message = this.#encode(data, options);
    } catch (error) {
      return Promise.reject(error);
    }
    const { id } = message;
    const outbox = this.#outbox;
    if (outbox.has(id)) {
      return Promise.reject(new StratixError("duplicate_id", `"${id}" is under way already`, id));
    }
    if (outbox.size >= queueMessagesMax || outbox.bytes + message.bytes > queueBytesMax) {
      const text = `${outbox.size} messages with ${outbox.bytes} bytes wait already (allowed: ` +
        `queueMessagesMax ${queueMessagesMax}, queueBytesMax ${queueBytesMax})`;
      return Promise.reject(new StratixError("queue_full", text, id));
    }
    outbox.add(message);
    const isAwaited = acks || message.whole !== undefined;
    let result = Promise.resolve(id);
    if (isAwaited) result = this.#settled(message, signal);
    // Nobody waits for it, but it may be given up before it is sent.
    else if (signal !== undefined) this.#settled(message, signal).catch(() => {});
    if (message.whole !== undefined) void this.#addChecksum(message, message.whole.bytes);
    this.#pump();
    return result;
  }

  /** Each of these calls the handler from now on; what they return ends that. */
  onMessage(handler: MessageHandler): () => void {
    return subscribe(this.#onMessage, handler);
  }

  onConnect(handler: ConnectionHandler): () => void {
    return subscribe(this.#onConnect, handler);
  }

  onDisconnect(handler: DisconnectHandler): () => void {
    return subscribe(this.#onDisconnect, handler);
  }

  /** All stored messages of this connect have come. */
  onHistory(handler: HistoryHandler): () => void {
    return subscribe(this.#onHistory, handler);
  }

  /** Messages may be missing before the oldest stored one. */
  onGap(handler: HistoryHandler): () => void {
    return subscribe(this.#onGap, handler);
  }

  onError(handler: ErrorHandler): () => void {
    return subscribe(this.#onError, handler);
  }

  /** Messages from now on, for `for await`; ends with `disconnect()` or the signal. Throws
   * `iterator_full` when 10,000 wait for a slow reader. */
  messages(options: { readonly signal?: AbortSignal } = {}): AsyncIterableIterator<StratixMessage> {
    const stream: MessageStream = new MessageStream(() => this.#streams.delete(stream));
    this.#streams.add(stream);
    const { signal } = options;
    if (signal?.aborted || this.#config.signal?.aborted) stream.end();
    else signal?.addEventListener("abort", () => stream.end(), { once: true });
    return stream;
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<StratixMessage> {
    return this.messages();
  }

  #encode(data: string | ArrayBuffer | ArrayBufferView, options: SendOptions): Outgoing {
    const id = options.messageId === undefined ? uuid() : checkedId("messageId", options.messageId);
    const { priority } = options;
    if (priority !== undefined && !(Number.isInteger(priority) && priority >= 0 && priority <= 9)) {
      throw new RangeError(`priority must be a whole number 0–9, got ${priority}`);
    }
    const isText = typeof data === "string";
    const contentType = options.contentType ?? (isText ? "text/plain" : "application/octet-stream");
    const bytes = isText ? undefined : viewOf(data);
    if (bytes !== undefined && this.#settings.chunks && bytes.length > chunkBytes) {
      const whole = { bytes, contentType, ...(priority === undefined ? {} : { priority }) };
      return { id, frame: "", bytes: bytes.length, whole, ...unsent };
    }
    const content = isText ? data : toBase64(bytes ?? new Uint8Array(0));
    // Written by hand: nanoseconds since 1970 do not fit a number.
    const frame = `{"type":${isText ? 0 : 1},"clientId":${JSON.stringify(this.clientId)},` +
      `"messageId":${JSON.stringify(id)},"timestamp":${Date.now()}000000,` +
      `"data":${JSON.stringify(content)},"contentType":${JSON.stringify(contentType)},` +
      `"compressed":false${priority === undefined ? "" : `,"priority":${priority}`}}`;
    return { id, frame, bytes: frame.length, whole: undefined, ...unsent };
  }

  #settled(message: Outgoing, signal: AbortSignal | undefined): Promise<string> {
    return new Promise((resolve, reject) => {
      const abort = () => this.#giveUp(message, signal?.reason);
      signal?.addEventListener("abort", abort, { once: true });
      const over = () => signal?.removeEventListener("abort", abort);
      message.settle = (error) => {
        over();
        if (error === undefined) resolve(message.id);
        else reject(error);
      };
    });
  }

  async #addChecksum(message: Outgoing, whole: Uint8Array): Promise<void> {
    try {
      message.checksum = await sha256(whole);
    } catch (error) {
      const text = "these bytes cannot be read: they are shared, or were taken away";
      this.#outbox.settle(message, new StratixError("bad_message", text, message.id, error));
    }
    this.#pump();
  }

  /** Not wanted any more: what is on its way cannot be called back. */
  #giveUp(message: Outgoing, reason: unknown): void {
    this.#outbox.settle(message, reason);
    // The gateway would keep a place for the rest; it gets all of it, and its answer is ignored.
    if (this.#transfer?.message !== message) this.#pump();
  }

  /** Sends what may go out now. */
  #pump(): void {
    const socket = this.#socket;
    if (this.#state !== "open" || socket === undefined || this.#timers.isSet("refused")) return;
    const { acks, inFlightMax } = this.#settings;
    const outbox = this.#outbox;
    for (;;) {
      if (socket.bufferedAmount > bufferedBytesMax) {
        this.#timers.set("buffered", bufferedLookMs, () => this.#pump());
        return;
      }
      if (this.#transfer !== undefined) {
        this.#sendPiece(socket, this.#transfer);
        continue;
      }
      const message = outbox.next();
      if (message === undefined || (acks && outbox.sent >= inFlightMax)) return;
      if (message.whole === undefined) {
        socket.send(message.frame);
        this.#sent(message);
      } else if (message.checksum === undefined) {
        return;
      } else {
        this.#transfer = { message, whole: message.whole, index: -1 };
      }
    }
  }

  #sendPiece(socket: Socket, transfer: Transfer): void {
    const { message, whole, index } = transfer;
    const { bytes, ...about } = whole;
    const chunkCount = Math.ceil(bytes.length / chunkBytes);
    const messageId = message.id;
    if (index < 0) {
      const start = { messageId, totalSize: bytes.length, chunkCount, ...about };
      socket.send(jsonFrame(1, { ...start, compressed: false }));
    } else if (index < chunkCount) {
      const start = index * chunkBytes;
      socket.send(chunkFrame(messageId, index, bytes.subarray(start, start + chunkBytes)));
    } else {
      socket.send(jsonFrame(3, { messageId, checksum: message.checksum }));
      this.#transfer = undefined;
      this.#sent(message);
      return;
    }
    transfer.index++;
  }

  #sent(message: Outgoing): void {
    const { acks, ackTimeout } = this.#settings;
    if (!acks) {
      this.#outbox.settle(message);
      return;
    }
    this.#outbox.markSent(message, now());
    if (ackTimeout > 0 && !this.#timers.isSet("acks")) this.#watchAcks(ackTimeout);
  }

  #watchAcks(ackTimeout: number): void {
    this.#timers.set("acks", ackTimeout / 4, () => {
      // What has not left yet cannot have been answered.
      if (this.#socket?.bufferedAmount === 0) {
        for (const message of this.#outbox.sentBefore(now() - ackTimeout)) {
          const text = `no acknowledgement came within ${ackTimeout} ms`;
          this.#outbox.settle(message, new StratixError("ack_timeout", text, message.id));
        }
        this.#pump();
      }
      if (this.#outbox.sent > 0 && !this.#timers.isSet("acks")) this.#watchAcks(ackTimeout);
    });
  }

  async #attempt(): Promise<void> {
    const generation = ++this.#generation;
    this.#timers.clear("reconnect");
    this.#state = "connecting";
    const { connectTimeout } = this.#settings;
    const timeout = () => this.#lost(1006, `no connection within ${connectTimeout} ms`);
    this.#timers.set("connect", connectTimeout, timeout);
    try {
      const { url, protocols, token } = await this.#address();
      if (generation !== this.#generation) return;
      const Constructor = this.#config.WebSocket ?? globalWebSocket();
      const socket = new Constructor(url, protocols) as Socket;
      this.#socket = socket;
      socket.binaryType = "arraybuffer";
      socket.onopen = () => this.#opened(token);
      socket.onmessage = ({ data }) => this.#heard(data);
      socket.onclose = ({ code, reason }) => this.#lost(code, reason);
      // A close comes behind it, but not in each version of Node where nothing was open yet.
      socket.onerror = () => {
        if (this.#state === "connecting") this.#lost(1006, "");
      };
    } catch (error) {
      if (generation !== this.#generation) return;
      this.#report(asError(error));
      // A handler may have ended the client.
      if (generation === this.#generation) this.#lost(1006, asError(error).message);
    }
  }

  async #address(): Promise<{ url: string; protocols?: string[]; token: string | undefined }> {
    const { resumeStore, tokenIn } = this.#config;
    const { acks, chunks, identity, loadHistory, historyLimit } = this.#settings;
    const url = new URL(this.#url);
    const query = url.searchParams;
    query.set("clientId", this.clientId);
    if (acks) query.set("ack", "1");
    if (chunks) query.set("chunks", "1");
    if (identity) {
      query.set("v", "2");
      this.#resumeToken ??= await this.#storedToken(resumeStore);
      if (this.#resumeToken !== undefined) query.set("resume", this.#resumeToken);
    }
    if (loadHistory) {
      query.set("loadHistory", "true");
      if (this.#lastMessageId !== "") query.set("lastMessageId", this.#lastMessageId);
      if (historyLimit !== undefined) query.set("limit", String(historyLimit));
    }
    const token = await this.#freshToken();
    if (token !== undefined && tokenIn !== "protocol") query.set("token", token);
    const isProtocol = token !== undefined && tokenIn === "protocol";
    return { url: url.href, token, ...(isProtocol ? { protocols: ["bearer", token] } : {}) };
  }

  async #storedToken(store: ResumeStore | undefined): Promise<string | undefined> {
    try {
      return await store?.getItem(this.#storeKey()) ?? undefined;
    } catch (error) {
      throw new StratixError("store_failed", "cannot read the resume token", "", error);
    }
  }

  /** Of the gateway and the id, so that one store serves many clients. */
  #storeKey(): string {
    return `stratix-resume ${this.#url.host}${this.#url.pathname} ${this.clientId}`;
  }

  async #freshToken(): Promise<string | undefined> {
    const { token } = this.#config;
    if (typeof token !== "function") return token;
    try {
      return await token();
    } catch (error) {
      throw new StratixError("token_failed", "the token callback failed", "", error);
    }
  }

  #opened(token: string | undefined): void {
    this.#timers.clear("connect");
    this.#state = "open";
    this.#openedAt = this.#heardAt = now();
    this.#isReadingHistory = this.#settings.loadHistory;
    if (token !== undefined) this.#renewLater(token);
    this.#beatLater();
    const connecting = this.#connecting;
    this.#connecting = undefined;
    this.#emit(this.#onConnect, (handler) => handler());
    connecting?.resolve();
    this.#pump();
  }

  /** The connection, or the attempt to make one, is over. */
  #lost(code: number, reason: string): void {
    const wasOpen = this.#state === "open";
    this.#release(undefined);
    if (wasOpen && now() - this.#openedAt >= provenMs) this.#failures = 0;
    const end = this.#endAfter(code, reason, wasOpen);
    if (end !== undefined) {
      this.#becomeIdle(end);
      if (wasOpen) this.#emitDisconnect(code, reason, undefined);
      this.#report(end);
      return;
    }
    const delay = this.#delayAfter(code);
    this.#failures++;
    this.#state = "waiting";
    this.#timers.set("reconnect", delay, () => void this.#attempt());
    this.#outbox.sendAgain();
    if (wasOpen) this.#emitDisconnect(code, reason, delay);
    else this.#failFirst(code, reason);
  }

  /** Why there is no way back; undefined while there is one. */
  #endAfter(code: number, reason: string, wasOpen: boolean): StratixError | undefined {
    const { autoReconnect, maxReconnectAttempts } = this.#settings;
    const said = `${code}${reason === "" ? "" : ` ${reason}`}`;
    if (code === closeCode.replaced) {
      return new StratixError("replaced", `another connection has this client id now (${said})`);
    }
    if (code === closeCode.tooBig) {
      return new StratixError("too_big", `a message was larger than the gateway allows (${said})`);
    }
    if (!autoReconnect && !wasOpen) return this.#connectError(code, reason);
    if (!autoReconnect || code === closeCode.normal) {
      return new StratixError("disconnected", `the connection was closed (${said})`);
    }
    if (this.#failures < maxReconnectAttempts) return undefined;
    return new StratixError("gave_up", `${this.#failures} attempts to connect failed (${said})`);
  }

  /** Full jitter, so that clients that were cut off together do not come back together. */
  #delayAfter(code: number): number {
    const hint = this.#hintMs;
    this.#hintMs = undefined;
    if (hint !== undefined) return hint;
    const { reconnectInterval, maxReconnectInterval } = this.#settings;
    const ceiling = Math.min(maxReconnectInterval, reconnectInterval * 2 ** this.#failures);
    const jitter = Math.random() * ceiling;
    // A token that has run out is no offence: the next one opens the door.
    const isOffence = code === closeCode.policy && this.#config.token === undefined;
    return isOffence ? offencePauseMs + jitter : jitter;
  }

  #failFirst(code: number, reason: string): void {
    const error = this.#connectError(code, reason);
    const connecting = this.#connecting;
    this.#connecting = undefined;
    this.#report(error);
    connecting?.reject(error);
  }

  #connectError(code: number, reason: string): StratixError {
    const said = reason === "" ? `close code ${code}` : reason;
    return new StratixError("connect_failed", `cannot connect to ${this.#url.host}: ${said}`);
  }

  #becomeIdle(error: StratixError): void {
    this.#state = "idle";
    this.#listenToNetwork(false);
    for (const message of this.#outbox.all()) {
      // The others have resolved: they go out when there is a connection again.
      const isAwaited = this.#settings.acks || message.whole !== undefined;
      if (!isAwaited) continue;
      this.#outbox.settle(message, new StratixError(error.code, error.message, message.id));
    }
    this.#outbox.sendAgain();
    const connecting = this.#connecting;
    this.#connecting = undefined;
    connecting?.reject(error);
  }

  /** Lets go of the socket: nothing that it says later is heard. */
  #release(code: number | undefined): void {
    this.#generation++;
    const socket = this.#socket;
    this.#socket = undefined;
    this.#transfer = undefined;
    this.#isReadingHistory = false;
    this.#incoming.clear();
    this.#timers.clearAll();
    if (socket === undefined) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    // Closing one that is not open yet counts as an error, which would be thrown without this.
    socket.onerror = () => {};
    socket.close(code);
  }

  #heard(data: unknown): void {
    this.#heardAt = now();
    if (typeof data !== "string" && !(data instanceof ArrayBuffer)) return;
    if (this.#held === undefined) this.#frame(data);
    else if (this.#held.length < heldFramesMax) this.#held.push(data);
    else this.#lost(1006, `over ${heldFramesMax} frames came while a checksum was worked out`);
  }

  #frame(data: string | ArrayBuffer): void {
    if (typeof data !== "string") {
      this.#binary(data);
      return;
    }
    let message: unknown;
    try {
      message = JSON.parse(data);
    } catch (error) {
      this.#report(new StratixError("bad_frame", "a frame was no JSON", "", error));
      return;
    }
    if (typeof message !== "object" || message === null) {
      this.#report(new StratixError("bad_frame", "a frame was no JSON object"));
    } else if (!isControl(message) || !this.#control(message)) {
      this.#deliver(message as StratixMessage, data, undefined);
    }
  }

  #binary(data: ArrayBuffer): void {
    const bytes = new Uint8Array(data);
    const found = this.#incoming.take(bytes);
    if (found === "no chunk") {
      this.#deliver(this.#messageOfBytes(bytes, {}), "", bytes);
    } else if (found instanceof StratixError) {
      this.#report(found);
    } else if (found !== undefined) {
      // What comes behind it must stay behind it.
      this.#held = [];
      void this.#deliverChecked(found, this.#held);
    }
  }

  /** `held` is where what comes behind it is kept meanwhile. */
  async #deliverChecked(arrived: Arrived, held: (string | ArrayBuffer)[]): Promise<void> {
    const { start, bytes, checksum } = arrived;
    const found = checksum === "" ? "" : await sha256(bytes);
    // The client was told to disconnect.
    if (this.#held !== held) return;
    // Without WebCrypto nothing can be said against it.
    if (found === "" || found === checksum) {
      this.#deliver(this.#messageOfBytes(bytes, start), "", bytes);
    } else {
      const text = `the checksum of a message in chunks is ${found}, not ${checksum}`;
      this.#report(new StratixError("bad_transfer", text, String(start.messageId)));
    }
    for (const [at, frame] of held.entries()) {
      if (this.#held === held) this.#frame(frame);
      if (this.#held === held) continue;
      // That was another one in chunks, or a handler has told the client to disconnect.
      for (const rest of held.slice(at + 1)) this.#held?.push(rest);
      return;
    }
    if (this.#held === held) this.#held = undefined;
  }

  /** `start` are the members of the message but its data. */
  #messageOfBytes(bytes: Uint8Array, start: Record<string, unknown>): StratixMessage {
    const isText = start.type === 0;
    let data: string | undefined;
    return {
      clientId: this.clientId,
      messageId: "",
      timestamp: 0,
      ...start,
      type: isText ? 0 : 1,
      // Only for those who ask for it: base64 takes a third more than the bytes.
      get data() {
        return data ??= isText ? decodeText(bytes) : toBase64(bytes);
      },
    };
  }

  #deliver(message: StratixMessage, text: string, bytes: Uint8Array | undefined): void {
    const { messageId } = message;
    if (typeof messageId === "string" && messageId !== "") this.#lastMessageId = messageId;
    const info: MessageInfo = { isHistory: this.#isReadingHistory, text, bytes };
    this.#emit(this.#onMessage, (handler) => handler(message, info));
    for (const stream of this.#streams) stream.push(message);
  }

  /** Whether the frame was for the client itself. */
  #control(frame: ControlFrame): boolean {
    const messageId = typeof frame.messageId === "string" ? frame.messageId : "";
    switch (frame.action) {
      case "ack":
        this.#acknowledged(messageId);
        return true;
      case "error":
        this.#refused(String(frame.code), String(frame.message), messageId);
        return true;
      case "pong":
      case "auth_ok":
        return true;
      case "welcome":
        if (typeof frame.resume === "string") void this.#keepToken(frame.resume);
        return true;
      case "reconnect":
        if (isCount(frame.afterMs)) this.#hintMs = Math.min(frame.afterMs, timerMsMax);
        return true;
      case "history_complete":
        return this.#settings.loadHistory && this.#historyComplete(frame);
      default:
        return false;
    }
  }

  #acknowledged(messageId: string): void {
    const message = this.#outbox.get(messageId);
    if (message === undefined) return;
    if (message.sentAt >= this.#refusedAt) this.#refusedMs = 0;
    this.#outbox.settle(message);
    this.#pump();
  }

  #refused(code: string, text: string, messageId: string): void {
    const message = this.#outbox.get(messageId);
    const isGoingOut = message !== undefined && this.#transfer?.message === message;
    // That answers the end of an earlier try, the start of which had been refused.
    if (isGoingOut && code === "unknown_transfer") return;
    // The gateway has dropped what it had of it.
    if (isGoingOut) this.#transfer = undefined;
    if (message === undefined || (message.sentAt < 0 && !isGoingOut)) {
      this.#report(new StratixError(code, text, messageId));
    } else if (!passing.has(code)) {
      this.#outbox.settle(message, new StratixError(code, text, messageId));
      this.#pump();
    } else {
      this.#outbox.sendLater(message);
      if (this.#timers.isSet("refused")) return;
      this.#refusedMs = Math.min(Math.max(this.#refusedMs * 2, refusedPauseMs), refusedPauseMsMax);
      this.#timers.set("refused", this.#refusedMs, () => {
        this.#refusedAt = now();
        this.#outbox.line();
        this.#pump();
      });
    }
  }

  #historyComplete(frame: ControlFrame): true {
    this.#isReadingHistory = false;
    const end: HistoryEnd = {
      total: isCount(frame.total) ? frame.total : 0,
      oldestMessageId: textOr(frame.oldestMessageId),
      newestMessageId: textOr(frame.newestMessageId),
      gap: frame.gap === true,
    };
    // What was sent by this client stands in the history too, and may be its end.
    if (end.newestMessageId) this.#lastMessageId = end.newestMessageId;
    if (end.gap) this.#emit(this.#onGap, (handler) => handler(end));
    this.#emit(this.#onHistory, (handler) => handler(end));
    return true;
  }

  async #keepToken(token: string): Promise<void> {
    if (token === this.#resumeToken) return;
    this.#resumeToken = token;
    const { onResumeToken, resumeStore } = this.#config;
    try {
      onResumeToken?.(token);
      await resumeStore?.setItem(this.#storeKey(), token);
    } catch (error) {
      this.#report(new StratixError("store_failed", "cannot keep the resume token", "", error));
    }
  }

  /** Asks for the next token before the present one runs out, and shows it on the connection. */
  #renewLater(token: string): void {
    const left = lifetimeMs(token);
    if (typeof this.#config.token !== "function" || left === undefined) return;
    const delay = Math.min(Math.max(left * 0.8, tokenMsMin), timerMsMax);
    this.#timers.set("token", delay, () => void this.#renew(token));
  }

  async #renew(before: string): Promise<void> {
    const generation = this.#generation;
    let token = before;
    try {
      token = await this.#freshToken() ?? before;
    } catch (error) {
      this.#report(asError(error));
    }
    if (generation !== this.#generation) return;
    if (token !== before) {
      this.#socket?.send(JSON.stringify({ type: 2, action: "auth", token }));
    }
    this.#renewLater(token);
  }

  #beatLater(): void {
    const { heartbeatInterval } = this.#settings;
    if (heartbeatInterval === 0) return;
    this.#timers.set("heartbeat", heartbeatInterval, () => {
      this.#beatLater();
      this.#ping();
    });
  }

  /** Asks for a sign of life; without one, the connection is given up. */
  #ping(): void {
    const pingedAt = now();
    if (this.#state !== "open" || pingedAt - this.#pingedAt < pingMsMin) return;
    this.#pingedAt = pingedAt;
    this.#socket?.send('{"type":2,"data":"ping"}');
    const { heartbeatTimeout, isAnswered } = this.#settings;
    if (!isAnswered || this.#timers.isSet("silence")) return;
    this.#timers.set("silence", heartbeatTimeout, () => {
      if (this.#heardAt >= pingedAt) return;
      this.#lost(1006, `nothing came for ${heartbeatTimeout} ms after a ping`);
    });
  }

  /** A page is told when its network is back. */
  #listenToNetwork(listens: boolean): void {
    const page = globalThis as Partial<EventTarget>;
    if (listens) page.addEventListener?.("online", this.#online);
    else page.removeEventListener?.("online", this.#online);
  }

  readonly #online = () => {
    if (this.#state === "waiting") void this.#attempt();
    else this.#ping();
  };

  #emitDisconnect(code: number, reason: string, reconnectMs: number | undefined): void {
    this.#emit(this.#onDisconnect, (handler) => handler({ code, reason, reconnectMs }));
  }

  #report(error: Error): void {
    for (const handler of [...this.#onError]) {
      try {
        handler(error);
      } catch (fault) {
        // Nobody is left to be told but the runtime.
        queueMicrotask(() => {
          throw fault;
        });
      }
    }
  }

  /** A handler that throws keeps no other one from its event. */
  #emit<Handler>(handlers: ReadonlySet<Handler>, call: (handler: Handler) => void): void {
    for (const handler of [...handlers]) {
      try {
        call(handler);
      } catch (error) {
        this.#report(asError(error));
      }
    }
  }
}

/** The bytes of a message: of a binary one those that its base64 stands for. Throws DOMException for
 * what is no base64. */
export function bytesOf(message: StratixMessage, info?: MessageInfo): Uint8Array {
  if (info?.bytes !== undefined) return info.bytes;
  if (message.type !== 1) return new TextEncoder().encode(message.data);
  return Uint8Array.from(atob(message.data), (char) => char.charCodeAt(0));
}

/** What is used of a WebSocket. */
interface Socket {
  binaryType: string;
  readonly bufferedAmount: number;
  onopen: (() => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number; reason: string }) => void) | null;
  onerror: (() => void) | null;
  send(data: string | Uint8Array): void;
  close(code?: number): void;
}

interface ControlFrame {
  readonly type: 2;
  readonly action: string;
  readonly [name: string]: unknown;
}

/** What goes out in chunks. */
interface Whole {
  readonly bytes: Uint8Array;
  readonly contentType: string;
  readonly priority?: number;
}

/** A message on its way out. */
interface Outgoing {
  readonly id: string;
  /** The text frame; "" for one that goes in chunks. */
  readonly frame: string;
  readonly bytes: number;
  /** Goes out in chunks, once its checksum is there. */
  readonly whole: Whole | undefined;
  checksum: string | undefined;
  /** On the present connection; −1: it waits. */
  sentAt: number;
  isSettled: boolean;
  settle: (error?: unknown) => void;
}

interface Transfer {
  readonly message: Outgoing;
  readonly whole: Whole;
  /** Of the next chunk; −1: the start comes next. */
  index: number;
}

const unsent = { checksum: undefined, sentAt: -1, isSettled: false, settle: () => {} };

/** Messages in the order in which they were given, until they are done with. */
class Outbox {
  bytes = 0;
  /** Those on their way. */
  sent = 0;
  readonly #messages = new Map<string, Outgoing>();
  /** Those that wait, and where the next one is; others may stand in between. */
  #waiting: Outgoing[] = [];
  #at = 0;

  get size(): number {
    return this.#messages.size;
  }

  has(id: string): boolean {
    return this.#messages.has(id);
  }

  get(id: string): Outgoing | undefined {
    return this.#messages.get(id);
  }

  all(): Outgoing[] {
    return [...this.#messages.values()];
  }

  add(message: Outgoing): void {
    this.#messages.set(message.id, message);
    this.bytes += message.bytes;
    this.#waiting.push(message);
  }

  next(): Outgoing | undefined {
    for (;;) {
      const message = this.#waiting[this.#at];
      if (message !== undefined && !message.isSettled && message.sentAt < 0) return message;
      if (message === undefined) {
        this.#waiting = [];
        this.#at = 0;
        return undefined;
      }
      this.#skip();
    }
  }

  markSent(message: Outgoing, at: number): void {
    // It may have been given up while it went out.
    if (message.isSettled) return;
    message.sentAt = at;
    this.sent++;
  }

  settle(message: Outgoing, error?: unknown): void {
    if (message.isSettled) return;
    message.isSettled = true;
    this.#messages.delete(message.id);
    this.bytes -= message.bytes;
    if (message.sentAt >= 0) this.sent--;
    message.settle(error);
  }

  /** It takes its old place when the others are lined up. */
  sendLater(message: Outgoing): void {
    if (message.sentAt >= 0) this.sent--;
    message.sentAt = -1;
  }

  /** The connection is gone, and with it all that was on its way. */
  sendAgain(): void {
    for (const message of this.#messages.values()) message.sentAt = -1;
    this.sent = 0;
    this.line();
  }

  /** Puts all that waits in order. */
  line(): void {
    this.#waiting = this.all().filter(({ sentAt }) => sentAt < 0);
    this.#at = 0;
  }

  sentBefore(time: number): Outgoing[] {
    return this.all().filter(({ sentAt }) => sentAt >= 0 && sentAt < time);
  }

  #skip(): void {
    this.#at++;
    // Now and then, so that each costs little.
    if (this.#at < 1_024 || this.#at * 2 < this.#waiting.length) return;
    this.#waiting = this.#waiting.slice(this.#at);
    this.#at = 0;
  }
}

interface Arrived {
  /** The members of the message but its data. */
  readonly start: Record<string, unknown>;
  readonly bytes: Uint8Array;
  readonly checksum: string;
}

interface Arriving {
  readonly start: Record<string, unknown>;
  readonly messageId: string;
  readonly hash: number;
  readonly totalSize: number;
  readonly chunkCount: number;
  readonly checksum: string;
  /** By their index. */
  readonly parts: Map<number, Uint8Array>;
  bytes: number;
}

/** A message that comes in chunks; the gateway sends one after the other. */
class IncomingTransfer {
  readonly #bytesMax: number;
  #open: Arriving | undefined;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  clear(): void {
    this.#open = undefined;
  }

  /** Undefined while nothing is complete; `no chunk` for bytes that are no frame of a transfer. */
  take(frame: Uint8Array): Arrived | StratixError | "no chunk" | undefined {
    if (frame[0] === 2) return this.#chunk(frame);
    const head = frame[0] === 1 || frame[0] === 3 ? jsonAfterKind(frame) : undefined;
    if (head === undefined || typeof head.messageId !== "string") return "no chunk";
    return frame[0] === 1 ? this.#start(head, head.messageId) : this.#end(head, head.messageId);
  }

  #start(head: Record<string, unknown>, id: string): StratixError | "no chunk" | undefined {
    const { totalSize, chunkCount, checksum, ...start } = head;
    if (!isCount(totalSize) || !isCount(chunkCount)) return "no chunk";
    const before = this.#open;
    this.#open = undefined;
    // Every chunk holds something.
    if (chunkCount > totalSize || totalSize > chunkCount * chunkBytes) {
      return transferError(id, `${totalSize} bytes cannot come in ${chunkCount} chunks`);
    }
    if (totalSize > this.#bytesMax) {
      return transferError(id, `${totalSize} bytes are over receiveBytesMax ${this.#bytesMax}`);
    }
    this.#open = {
      start,
      messageId: id,
      hash: hashOf(id),
      totalSize,
      chunkCount,
      checksum: textOr(checksum) ?? "",
      parts: new Map(),
      bytes: 0,
    };
    if (before === undefined) return undefined;
    return transferError(before.messageId, "another message began before its end");
  }

  #chunk(frame: Uint8Array): StratixError | "no chunk" | undefined {
    if (frame.length < chunkHeadBytes) return "no chunk";
    const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
    const index = view.getUint32(1);
    const length = view.getUint32(9);
    if (length !== frame.length - chunkHeadBytes) return "no chunk";
    const arriving = this.#open;
    if (arriving === undefined || view.getUint32(5) !== arriving.hash) {
      return transferError("", "a chunk belongs to no open transfer");
    }
    const isNew = !arriving.parts.has(index);
    if (index >= arriving.chunkCount || (isNew && arriving.bytes + length > arriving.totalSize)) {
      this.#open = undefined;
      return transferError(arriving.messageId, "a chunk was beyond the end");
    }
    if (isNew) {
      arriving.parts.set(index, frame.subarray(chunkHeadBytes));
      arriving.bytes += length;
    }
    return undefined;
  }

  #end(head: Record<string, unknown>, id: string): Arrived | StratixError {
    const arriving = this.#open;
    if (arriving === undefined || arriving.messageId !== id) {
      return transferError(id, "the end belongs to no open transfer");
    }
    this.#open = undefined;
    const { start, parts, totalSize, chunkCount } = arriving;
    const isWhole = arriving.bytes === totalSize && parts.size === chunkCount;
    if (!isWhole) return transferError(id, `${totalSize - arriving.bytes} bytes are missing`);
    const bytes = new Uint8Array(totalSize);
    let at = 0;
    for (let index = 0; index < chunkCount; index++) {
      const part = parts.get(index) ?? new Uint8Array(0);
      bytes.set(part, at);
      at += part.length;
    }
    return { start, bytes, checksum: textOr(head.checksum) || arriving.checksum };
  }
}

/** Messages for one `for await`. */
class MessageStream implements AsyncIterableIterator<StratixMessage> {
  readonly #left: () => void;
  readonly #unread: StratixMessage[] = [];
  readonly #readers: {
    resolve(result: IteratorResult<StratixMessage>): void;
    reject(error: unknown): void;
  }[] = [];
  #end: { error: StratixError | undefined } | undefined;

  constructor(left: () => void) {
    this.#left = left;
  }

  push(message: StratixMessage): void {
    const reader = this.#readers.shift();
    if (reader !== undefined) reader.resolve({ value: message, done: false });
    else if (this.#unread.length < iteratedMessagesMax) this.#unread.push(message);
    else this.#over(new StratixError("iterator_full", `${iteratedMessagesMax} messages wait`));
  }

  end(): void {
    this.#over(undefined);
  }

  next(): Promise<IteratorResult<StratixMessage>> {
    const message = this.#unread.shift();
    if (message !== undefined) return Promise.resolve({ value: message, done: false });
    if (this.#end === undefined) {
      return new Promise((resolve, reject) => this.#readers.push({ resolve, reject }));
    }
    const { error } = this.#end;
    this.#end = { error: undefined };
    if (error !== undefined) return Promise.reject(error);
    return Promise.resolve({ value: undefined, done: true });
  }

  return(): Promise<IteratorResult<StratixMessage>> {
    this.#unread.length = 0;
    this.#over(undefined);
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #over(error: StratixError | undefined): void {
    if (this.#end !== undefined) return;
    this.#end = { error };
    this.#left();
    for (const reader of this.#readers.splice(0)) reader.resolve({ value: undefined, done: true });
  }
}

type TimerName =
  | "connect"
  | "reconnect"
  | "heartbeat"
  | "silence"
  | "acks"
  | "refused"
  | "buffered"
  | "token";

/** One timer of each name. */
class Timers {
  readonly #timers = new Map<TimerName, ReturnType<typeof setTimeout>>();

  isSet(name: TimerName): boolean {
    return this.#timers.has(name);
  }

  set(name: TimerName, ms: number, call: () => void): void {
    this.clear(name);
    const timer = setTimeout(() => {
      this.#timers.delete(name);
      call();
    }, Math.min(ms, timerMsMax));
    this.#timers.set(name, timer);
  }

  clear(name: TimerName): void {
    clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }

  clearAll(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }
}

/** A promise and what settles it; nobody has to wait for it. */
class Deferred {
  readonly promise: Promise<void>;
  resolve: () => void = () => {};
  reject: (error: unknown) => void = () => {};

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }
}

type Settings = ReturnType<typeof settingsOf>;

function settingsOf(config: StratixConfig) {
  const { acks = false, chunks = false, historyLimit } = config;
  const keepsToken = config.resumeStore ?? config.onResumeToken ?? config.resumeToken;
  const { identity = keepsToken !== undefined, loadHistory = false } = config;
  const heartbeat = atLeast(config, "heartbeatInterval", 30_000, 0);
  return {
    acks,
    chunks,
    identity,
    loadHistory,
    historyLimit,
    /** Gets pongs. */
    isAnswered: acks || chunks || identity,
    autoReconnect: config.autoReconnect ?? true,
    reconnectInterval: atLeast(config, "reconnectInterval", 1_000, 1),
    maxReconnectInterval: atLeast(config, "maxReconnectInterval", 30_000, 1),
    maxReconnectAttempts: atLeast(config, "maxReconnectAttempts", Infinity, 0),
    connectTimeout: atLeast(config, "connectTimeout", 10_000, 1),
    heartbeatInterval: heartbeat === 0 ? 0 : Math.min(Math.max(heartbeat, pingMsMin), timerMsMax),
    heartbeatTimeout: atLeast(config, "heartbeatTimeout", 10_000, 1),
    ackTimeout: atLeast(config, "ackTimeout", 30_000, 0),
    inFlightMax: atLeast(config, "inFlightMax", 256, 1),
    queueMessagesMax: atLeast(config, "queueMessagesMax", 10_000, 1),
    queueBytesMax: atLeast(config, "queueBytesMax", 67_108_864, 1),
    receiveBytesMax: atLeast(config, "receiveBytesMax", 67_108_864, 1),
  };
}

function atLeast(
  config: StratixConfig,
  name: keyof StratixConfig,
  fallback: number,
  min: number,
): number {
  const value = config[name] ?? fallback;
  if (typeof value === "number" && value >= min) return value;
  throw new RangeError(`${name} must be a number of at least ${min}, got ${String(value)}`);
}

function checkedId(name: string, id: string): string {
  const bytes = new TextEncoder().encode(id).length;
  if (typeof id === "string" && bytes > 0 && bytes <= idBytesMax) return id;
  throw new RangeError(`${name} must be a text of 1–${idBytesMax} bytes, got ${bytes}`);
}

function gatewayUrlOf(text: string): URL {
  const page = (globalThis as { location?: { href?: string } }).location?.href;
  const url = new URL(text, page);
  // The URL's own setter refuses to turn http into ws in some runtimes.
  const { protocol } = url;
  const scheme = { "http:": "ws:", "https:": "wss:", "ws:": "ws:", "wss:": "wss:" }[protocol];
  if (scheme === undefined) {
    throw new TypeError(`gatewayUrl must be ws:, wss:, http: or https:, got ${protocol}`);
  }
  const path = url.pathname === "/" ? "/ws" : url.pathname;
  return new URL(`${scheme}//${url.host}${path}${url.search}`);
}

function globalWebSocket(): WebSocketConstructor {
  const { WebSocket } = globalThis as { WebSocket?: WebSocketConstructor };
  if (WebSocket !== undefined) return WebSocket;
  throw new TypeError(
    "This runtime has no WebSocket (Node has one from 22 on): give one as option",
  );
}

function subscribe<Handler>(handlers: Set<Handler>, handler: Handler): () => void {
  handlers.add(handler);
  return () => handlers.delete(handler);
}

/** A frame of the gateway itself: upstreams' messages name their client. */
function isControl(message: object): message is ControlFrame {
  const { type, action, clientId } = message as Partial<ControlFrame>;
  return type === 2 && typeof action === "string" && clientId === undefined;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function textOr(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

function now(): number {
  return performance.now();
}

/** A version 4 UUID; pages that were loaded without TLS have no `randomUUID`. */
function uuid(): string {
  if (typeof crypto.randomUUID === "function") return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** In lower-case hex; "" where there is no WebCrypto, as in pages that were loaded without TLS. */
async function sha256(bytes: Uint8Array): Promise<string> {
  const subtle: SubtleCrypto | undefined = crypto.subtle;
  if (subtle === undefined) return "";
  const digest = await subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function viewOf(data: ArrayBuffer | ArrayBufferView): Uint8Array {
  if (ArrayBuffer.isView(data)) {
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  }
  return new Uint8Array(data);
}

/** A BOM at the beginning is a part of the text. */
function decodeText(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}

function toBase64(bytes: Uint8Array): string {
  const native = bytes as { toBase64?: () => string };
  if (native.toBase64 !== undefined) return native.toBase64();
  // As many arguments as every engine takes.
  const step = 32_768;
  let binary = "";
  for (let at = 0; at < bytes.length; at += step) {
    binary += String.fromCharCode(...bytes.subarray(at, at + step));
  }
  return btoa(binary);
}

const chunkHeadBytes = 13;

function chunkFrame(messageId: string, index: number, data: Uint8Array): Uint8Array {
  const frame = new Uint8Array(chunkHeadBytes + data.length);
  const view = new DataView(frame.buffer);
  frame[0] = 2;
  view.setUint32(1, index);
  view.setUint32(5, hashOf(messageId));
  view.setUint32(9, data.length);
  frame.set(data, chunkHeadBytes);
  return frame;
}

function jsonFrame(kind: 1 | 3, value: unknown): Uint8Array {
  return new TextEncoder().encode(String.fromCharCode(kind) + JSON.stringify(value));
}

/** Undefined for what is no JSON object behind the first byte. */
function jsonAfterKind(frame: Uint8Array): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(frame.subarray(1)));
    return typeof value === "object" && value !== null
      ? value as Record<string, unknown>
      : undefined;
  } catch {
    // Any bytes may be a message: then these are one.
    return undefined;
  }
}

/** Of the id's code points: h = h · 31 + c, modulo 2^32. */
function hashOf(id: string): number {
  let hash = 0;
  for (const char of id) hash = (Math.imul(hash, 31) + (char.codePointAt(0) ?? 0)) >>> 0;
  return hash;
}

function transferError(messageId: string, text: string): StratixError {
  return new StratixError("bad_transfer", text, messageId);
}

/** Until a JWT runs out; undefined for one that says nothing of it. */
function lifetimeMs(token: string): number | undefined {
  try {
    const body = (token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/");
    const { exp } = JSON.parse(atob(body)) as { exp?: unknown };
    return typeof exp === "number" ? exp * 1_000 - Date.now() : undefined;
  } catch {
    // The gateway says what is wrong with it.
    return undefined;
  }
}
