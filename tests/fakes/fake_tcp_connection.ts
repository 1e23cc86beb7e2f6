import { OutboundBuffer } from "../../src/base/outbound_buffer.ts";
import type { TcpCloseReason, TcpConnection, TcpHandlers, TcpLimits } from "../../src/ports/tcp.ts";
import type { Clock } from "../../src/ports/clock.ts";

/** What a fake connection needs of its network. */
export interface Wire {
  readonly clock: Clock;
  /** Bytes that a side may have on the way before its peer reads them. */
  readonly windowBytes: number;
  /** The most that arrives in the next `data` event. */
  segmentBytes(): number;
  /**
   * Asked once for each side of a connection: how long what is sent to it is on the way each time, in
   * milliseconds. Bytes keep their order; connections overtake each other. Without it no time passes.
   */
  readonly travel?: (() => () => number) | undefined;
  /** Runs `event` after all events scheduled before it, never within the caller's turn. */
  schedule(event: () => void): void;
  handlerFailed(error: unknown): void;
}

export interface FakeEnd<T> {
  limits: TcpLimits;
  handlers: TcpHandlers<T>;
  remoteHost: string;
  remotePort: number;
}

/** One side of a connection within a `FakeNetwork`; what it sends arrives at `peer`. */
export class FakeConnection<T> implements TcpConnection<T> {
  data!: T;
  readonly remoteHost: string;
  readonly remotePort: number;
  /** Set by the network before either side opens. */
  peer!: FakeConnection<unknown>;
  closed = false;
  readonly #wire: Wire;
  readonly #limits: TcpLimits;
  readonly #handlers: TcpHandlers<T>;
  /** Sent by the peer and not yet read. */
  readonly #arrived: Uint8Array[] = [];
  #arrivedBytes = 0;
  #finArrived = false;
  #finSeen = false;
  #finSent = false;
  #readScheduled = false;
  #waiting: OutboundBuffer | null = null;
  #reason: TcpCloseReason | null = null;
  #cancelLinger: (() => void) | null = null;
  #paused = false;
  #endCalled = false;
  #isCut = false;
  readonly #travelMs: (() => number) | undefined;

  constructor(wire: Wire, end: FakeEnd<T>) {
    this.#wire = wire;
    this.#travelMs = wire.travel?.();
    this.#limits = end.limits;
    this.#handlers = end.handlers;
    this.remoteHost = end.remoteHost;
    this.remotePort = end.remotePort;
  }

  get bufferedBytes(): number {
    return this.#waiting?.length ?? 0;
  }

  /** Bytes that the peer's network has taken and this side has not read. */
  get unreadBytes(): number {
    return this.#arrivedBytes;
  }

  /** The cable is cut: nothing arrives at either side any more, and neither is told. */
  cut(): void {
    this.#isCut = true;
    this.peer.#isCut = true;
  }

  /** Something on the way resets the connection: both sides see an error. */
  fail(): void {
    for (const side of [this, this.peer]) this.#wire.schedule(() => side.#receiveReset());
  }

  write(bytes: Uint8Array): boolean {
    if (this.closed || this.#endCalled) return false;
    const taken = this.#waiting === null ? this.#transmit(bytes) : 0;
    if (taken === bytes.length) return true;
    this.#waiting ??= new OutboundBuffer(this.#limits.outboundBytesMax);
    if (!this.#waiting.push(bytes, taken)) this.#abort("slow_consumer");
    return false;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#scheduleRead();
  }

  end(): void {
    if (this.closed || this.#endCalled) return;
    this.#endCalled = true;
    this.#reason ??= "local";
    this.#cancelLinger = this.#wire.clock.after(this.#limits.lingerMs, () => {
      this.#abort("local");
    });
    this.#scheduleRead();
    if (this.#waiting === null) this.#sendFin();
  }

  destroy(): void {
    if (this.closed) return;
    // As a kernel does: what was not read makes it a reset, else the peer sees an orderly end.
    if (this.#arrivedBytes > 0) return this.#abort("local");
    this.#close("local");
    this.peer.#receiveFin();
  }

  /** Tells the owner that it is open. Answers what the owner threw, if it did. */
  open(): { error: unknown } | null {
    try {
      this.#handlers.open(this);
      return null;
    } catch (error) {
      this.closed = true;
      this.#wire.handlerFailed(error);
      this.#wire.schedule(() => this.peer.#receiveReset());
      return { error };
    }
  }

  #transmit(bytes: Uint8Array): number {
    if (this.peer.closed) {
      this.#wire.schedule(() => this.#receiveReset());
      return bytes.length;
    }
    const taken = Math.min(bytes.length, this.#wire.windowBytes - this.peer.#arrivedBytes);
    if (taken > 0) {
      this.peer.#arrived.push(bytes.slice(0, taken));
      this.peer.#arrivedBytes += taken;
      this.peer.#scheduleRead();
    }
    return taken;
  }

  #sendFin(): void {
    this.#finSent = true;
    this.peer.#receiveFin();
    if (this.#finSeen) this.#close("remote");
  }

  #receiveFin(): void {
    this.#finArrived = true;
    this.#scheduleRead();
  }

  #receiveReset(): void {
    if (!this.closed && !this.#isCut) this.#close("error");
  }

  #scheduleRead(mayTravel: "travels" | "is_here" = "travels"): void {
    if (this.#readScheduled) return;
    this.#readScheduled = true;
    const read = () => {
      this.#readScheduled = false;
      this.#read();
    };
    if (this.#travelMs === undefined || mayTravel === "is_here") this.#wire.schedule(read);
    else this.#wire.clock.after(this.#travelMs(), () => this.#wire.schedule(read));
  }

  /** One segment or the FIN per turn, so that events of several connections interleave. */
  #read(): void {
    if (this.closed || this.#isCut || (this.#paused && !this.#endCalled)) return;
    const first = this.#arrived.shift();
    if (first !== undefined) {
      const segment = first.subarray(0, this.#wire.segmentBytes());
      if (segment.length < first.length) this.#arrived.unshift(first.subarray(segment.length));
      this.#arrivedBytes -= segment.length;
      this.#scheduleRead("is_here");
      this.#wire.schedule(() => this.peer.#windowOpened());
      if (!this.#paused) this.#call(() => this.#handlers.data(this, segment));
      // They were valid only during the call: who kept them is to notice.
      segment.fill(0xee);
    } else if (this.#finArrived && !this.#finSeen) {
      this.#finSeen = true;
      this.#reason ??= "remote";
      if (this.#finSent) this.#close("remote");
      else if (!this.#endCalled) this.#call(() => this.#handlers.end(this));
    }
  }

  #windowOpened(): void {
    const waiting = this.#waiting;
    if (this.closed || waiting === null) return;
    waiting.drop(this.#transmit(waiting.peek()));
    if (waiting.length > 0) return;
    this.#waiting = null;
    if (this.#endCalled) this.#sendFin();
    else this.#call(() => this.#handlers.drain(this));
  }

  #abort(reason: TcpCloseReason): void {
    if (this.closed) return;
    if (reason === "slow_consumer") this.#reason = reason;
    this.#close(reason);
    this.#wire.schedule(() => this.peer.#receiveReset());
  }

  #close(reason: TcpCloseReason): void {
    this.closed = true;
    this.#waiting = null;
    this.#arrived.length = 0;
    this.#arrivedBytes = 0;
    this.#cancelLinger?.();
    const first = this.#reason ?? reason;
    this.#wire.schedule(() => {
      try {
        this.#handlers.close(this, first);
      } catch (error) {
        this.#wire.handlerFailed(error);
      }
    });
  }

  #call(handler: () => void): void {
    try {
      handler();
    } catch (error) {
      this.#wire.handlerFailed(error);
      this.destroy();
    }
  }
}
