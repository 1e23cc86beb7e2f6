// Client of the message gateway. Made from src/sdk/stratix_client.ts; MIT license.
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
export type StratixErrorCode = "queue_full" | "too_big" | "replaced" | "disconnected" | "ack_timeout" | "connect_failed" | "gave_up" | "bad_frame" | "bad_transfer" | "token_failed" | "store_failed" | "iterator_full" | "duplicate_id" | "no_route" | "bad_message" | (string & Record<never, never>);
/** Everything that a client rejects with or reports, but for what a signal or a handler threw. */
export declare class StratixError extends Error {
    readonly code: StratixErrorCode;
    /** "" when it is about no message. */
    readonly messageId: string;
    constructor(code: StratixErrorCode, message: string, messageId?: string, cause?: unknown);
}
/** A connection to the gateway that comes back by itself. */
export declare class StratixClient implements AsyncIterable<StratixMessage> {
    #private;
    readonly clientId: string;
    /** Throws TypeError or RangeError for options that cannot be used. */
    constructor(config: StratixConfig);
    /** Whether messages can go out this moment. */
    getConnectionState(): boolean;
    get state(): ClientState;
    /** Messages that are kept here: not sent yet or, with `acks`, not acknowledged. */
    getQueueSize(): number;
    /** The last message with an id that came, to be given as the option of that name in a later run. */
    get lastMessageId(): string;
    /** The newest resume token; undefined without one. */
    get resumeToken(): string | undefined;
    /**
     * Resolves when the connection is open; at once when it is. Rejects with `connect_failed` when the
     * first attempt fails, which does not end further ones (`autoReconnect`).
     */
    connect(): Promise<void>;
    /** Ends the connection and all attempts to make one; no timer is left. What somebody waits for is
     * rejected with `disconnected`; `connect()` may be called again. */
    disconnect(): void;
    /**
     * Sends text, or bytes as a binary message; gives its id. With `acks` it resolves when the gateway
     * has acknowledged the message, and rejects with a `StratixError` when it refused it for good, the
     * queue is full, or the client has ended before; without, it resolves at once, or, for bytes that go
     * in chunks, when all of them have gone. While there is no connection, messages wait. Bytes must not
     * be changed before it resolves.
     */
    send(data: string | ArrayBuffer | ArrayBufferView, options?: SendOptions): Promise<string>;
    /** Each of these calls the handler from now on; what they return ends that. */
    onMessage(handler: MessageHandler): () => void;
    onConnect(handler: ConnectionHandler): () => void;
    onDisconnect(handler: DisconnectHandler): () => void;
    /** All stored messages of this connect have come. */
    onHistory(handler: HistoryHandler): () => void;
    /** Messages may be missing before the oldest stored one. */
    onGap(handler: HistoryHandler): () => void;
    onError(handler: ErrorHandler): () => void;
    /** Messages from now on, for `for await`; ends with `disconnect()` or the signal. Throws
     * `iterator_full` when 10,000 wait for a slow reader. */
    messages(options?: {
        readonly signal?: AbortSignal;
    }): AsyncIterableIterator<StratixMessage>;
    [Symbol.asyncIterator](): AsyncIterableIterator<StratixMessage>;
}
/** The bytes of a message: of a binary one those that its base64 stands for. Throws DOMException for
 * what is no base64. */
export declare function bytesOf(message: StratixMessage, info?: MessageInfo): Uint8Array;
