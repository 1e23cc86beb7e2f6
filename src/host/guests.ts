import { isLoopback } from "../base/address.ts";
import type { Clock } from "../ports/clock.ts";
import type { TcpConnection } from "../ports/tcp.ts";
import { HostSession } from "./host_session.ts";
import type { GiveBack, Guest, OtherProtocol } from "./other_protocol.ts";
import type { SessionEvent, SessionShared } from "./session_events.ts";
import { SilenceTimer } from "./silence_timer.ts";

/** A connection of the host's port, and who gets its events. */
export type HostConnection = TcpConnection<HostSession | Guest>;

/** Has the connections that the other protocol refused, until they are closed. */
const nobody: Guest = { data() {}, end() {}, drain() {}, closed() {} };

/** Hands connections to the other protocol, and takes back those of late probes. */
export class Guests {
  readonly #other: OtherProtocol;
  readonly #mode: SessionShared["mode"];
  readonly #distant: SilenceTimer<HostConnection>;
  readonly #local: SilenceTimer<HostConnection>;
  readonly #giveBack: GiveBack | undefined;
  readonly #silent: (connection: HostConnection) => void;

  constructor(parts: {
    other: OtherProtocol;
    mode: SessionShared["mode"];
    clock: Clock;
    sniffMs: number;
    sniffLoopbackMs: number;
    /** Nothing came in time. Must not throw. */
    silent(connection: HostConnection): void;
    /** The guest's connection is a probe's, which said these bytes. */
    givenBack(connection: HostConnection, bytes: Uint8Array): void;
  }) {
    const { clock, mode, silent, sniffMs, sniffLoopbackMs } = parts;
    this.#other = parts.other;
    this.#mode = mode;
    this.#silent = silent;
    this.#distant = new SilenceTimer({ clock, delayMs: sniffMs, silent });
    this.#local = new SilenceTimer({ clock, delayMs: sniffLoopbackMs, silent });
    this.#giveBack = mode !== "auto" ? undefined : (given, bytes) => {
      const connection = given as HostConnection;
      const { data } = connection;
      if (data instanceof HostSession || data === nobody) return;
      parts.givenBack(connection, bytes);
    };
  }

  /** A connection has opened: `silent` comes at once, when nothing has come in time, or never. */
  opened(connection: HostConnection): void {
    if (this.#mode === "auto") this.#silenceOf(connection).add(connection);
    else if (this.#mode === "game") this.#silent(connection);
  }

  /** Keeps nothing of a connection. */
  closed(connection: HostConnection): void {
    this.#silenceOf(connection).delete(connection);
  }

  /** Sets whose the connection is; one that is refused is closed. What the guest throws is thrown. */
  adopt(connection: HostConnection, bytes: Uint8Array | undefined): void {
    const giveBack = bytes === undefined ? this.#giveBack : undefined;
    connection.data = this.#other.adopt(connection, { bytes, giveBack }) ?? nobody;
    // It may have said why; it may also have ended the connection itself.
    if (connection.data === nobody) connection.end();
  }

  /** Hands over no more. */
  stop(): void {
    this.#distant.stop();
    this.#local.stop();
  }

  #silenceOf(connection: HostConnection): SilenceTimer<HostConnection> {
    return isLoopback(connection.remoteHost) ? this.#local : this.#distant;
  }
}

/** What happens to a connection, in the words of its guest; the rest is of interest to sessions. */
export function tellGuest(guest: Guest, event: SessionEvent): void {
  if (event.kind === "data") guest.data(event.bytes);
  else if (event.kind === "peer_end") guest.end();
  else if (event.kind === "writable") guest.drain();
}
