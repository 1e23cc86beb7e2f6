import { BindError } from "../../src/ports/bind_error.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type {
  TcpConnection,
  TcpHandlers,
  TcpLimits,
  TcpListener,
  TcpPort,
} from "../../src/ports/tcp.ts";
import type { UdpHandlers, UdpPort, UdpSocket } from "../../src/ports/udp.ts";
import { FakeConnection, type FakeEnd, type Wire } from "./fake_tcp_connection.ts";

/** The first of the ports that a machine chooses by itself. */
const EPHEMERAL_PORT_FIRST = 40_000;

/** What IPv4 can carry: 65,535 less its own header (20) and UDP's (8). */
const DATAGRAM_BYTES_MAX = 65_507;

/**
 * A network in memory. Nothing happens within the caller's turn: each event (an accept, a segment,
 * a FIN, a datagram) runs in a microtask of its own, in the order in which it was caused, so a run
 * repeats exactly. Time (lingering, timeouts) is the given clock's.
 */
export class FakeNetwork {
  readonly #machines: FakeMachine[] = [];
  readonly #wire: Wire;
  readonly #events: (() => void)[] = [];
  #running = false;

  constructor(options: {
    clock: Clock;
    handlerFailed?: (error: unknown) => void;
    windowBytes?: number;
    segmentBytes?: number | (() => number);
    travel?: Wire["travel"];
  }) {
    const { segmentBytes = 16_384 } = options;
    this.#wire = {
      clock: options.clock,
      windowBytes: options.windowBytes ?? 65_536,
      segmentBytes: typeof segmentBytes === "number" ? () => segmentBytes : segmentBytes,
      travel: options.travel,
      schedule: (event) => this.#schedule(event),
      handlerFailed: options.handlerFailed ?? ((error) => {
        throw error;
      }),
    };
  }

  /** A new machine that has these addresses, besides its own 127.0.0.1 and ::1. */
  machine(...hosts: string[]): FakeMachine {
    const machine: FakeMachine = new FakeMachine(
      this.#wire,
      hosts,
      (host) => this.#find(machine, host),
    );
    this.#machines.push(machine);
    return machine;
  }

  /** Resolves when nothing is on the way any more. */
  async idle(): Promise<void> {
    while (this.#running) await Promise.resolve();
  }

  #find(from: FakeMachine, host: string): FakeMachine | undefined {
    return from.has(host) ? from : this.#machines.find((machine) => machine.hosts.includes(host));
  }

  #schedule(event: () => void): void {
    this.#events.push(event);
    if (this.#running) return;
    this.#running = true;
    queueMicrotask(() => this.#runNext());
  }

  #runNext(): void {
    const event = this.#events.shift();
    if (event === undefined) {
      this.#running = false;
      return;
    }
    queueMicrotask(() => this.#runNext());
    event();
  }
}

interface ListenOptions<T> {
  host: string;
  port: number;
  limits: TcpLimits;
  handlers: TcpHandlers<T>;
}

interface Listening {
  readonly host: string;
  /** The listener's side of a new connection. */
  accept(remoteHost: string, remotePort: number): FakeConnection<unknown>;
}

/** One computer of a `FakeNetwork`, with its ports for TCP and UDP. */
export class FakeMachine {
  readonly tcp: TcpPort;
  readonly udp: UdpPort;
  readonly hosts: readonly string[];
  readonly #wire: Wire;
  readonly #find: (host: string) => FakeMachine | undefined;
  readonly #listening = new PortTable<Listening>("tcp");
  readonly #bound = new PortTable<FakeUdpSocket>("udp");
  readonly #connections = new Set<FakeConnection<unknown>>();

  constructor(wire: Wire, hosts: string[], find: (host: string) => FakeMachine | undefined) {
    this.#wire = wire;
    this.hosts = hosts;
    this.#find = find;
    this.tcp = {
      listen: async (options) => this.#listen(options),
      connect: (options) => this.#connect(options),
    };
    this.udp = { bind: async (options) => this.#bind(options) };
  }

  has(host: string): boolean {
    return host === "127.0.0.1" || host === "::1" || this.hosts.includes(host);
  }

  /** Connections of this machine that have not closed: for tests that nothing is left behind. */
  get openConnections(): number {
    for (const connection of this.#connections) {
      if (connection.closed) this.#connections.delete(connection);
    }
    return this.#connections.size;
  }

  #listen<T>(options: ListenOptions<T>): TcpListener {
    const { host, limits, handlers } = options;
    const listening: Listening = {
      host,
      accept: (remoteHost, remotePort) =>
        this.#connection({ limits, handlers, remoteHost, remotePort }),
    };
    const port = this.#listening.add(listening, { port: options.port, machine: this });
    return { host, port, close: async () => this.#listening.remove(listening, port) };
  }

  #connect<T>(options: ListenOptions<T> & { timeoutMs: number }): Promise<TcpConnection<T>> {
    const { host, port, timeoutMs, limits, handlers } = options;
    return new Promise((resolve, reject) => {
      const fail = (code: string, what: string) => {
        const message = `Cannot connect to ${host} port ${port}: ${what}`;
        reject(Object.assign(new Error(message), { code }));
      };
      const target = this.#find(host);
      if (target === undefined) {
        const late = () => fail("ETIMEDOUT", `no answer within ${timeoutMs} ms`);
        return void this.#wire.clock.after(timeoutMs, late);
      }
      this.#wire.schedule(() => {
        const listening = target.#listening.find(host, port);
        if (listening === undefined) return fail("ECONNREFUSED", "connection refused");
        const ours = this.#connection({ limits, handlers, remoteHost: host, remotePort: port });
        const theirs = listening.accept(this.#sourceFor(host), this.#listening.unusedPort());
        ours.peer = theirs;
        theirs.peer = ours;
        theirs.open();
        const failure = ours.open();
        if (failure === null) resolve(ours);
        else reject(failure.error);
      });
    });
  }

  #connection<T>(end: FakeEnd<T>): FakeConnection<T> {
    const connection = new FakeConnection(this.#wire, end);
    this.#connections.add(connection);
    return connection;
  }

  #bind(options: { host: string; port: number; handlers: UdpHandlers }): UdpSocket {
    const socket: FakeUdpSocket = new FakeUdpSocket(options, {
      send: (bytes, host, port) => this.#sendDatagram(socket, { bytes, host, port }),
      close: () => this.#bound.remove(socket, socket.port),
      handlerFailed: this.#wire.handlerFailed,
    });
    socket.port = this.#bound.add(socket, { port: options.port, machine: this });
    return socket;
  }

  #sendDatagram(
    from: FakeUdpSocket,
    { bytes, host, port }: { bytes: Uint8Array; host: string; port: number },
  ): void {
    const copy = bytes.slice();
    const source = from.host === "::" || from.host === "0.0.0.0"
      ? this.#sourceFor(host)
      : from.host;
    this.#wire.schedule(() => {
      // Nobody there: lost, as datagrams are.
      const target = this.#find(host);
      if (target !== undefined) target.#bound.find(host, port)?.receive(copy, source, from.port);
    });
  }

  /** The address that a peer at `host` sees us at. */
  #sourceFor(host: string): string {
    if (this.has(host)) return host;
    const sameFamily = this.hosts.find((own) => own.includes(":") === host.includes(":"));
    return sameFamily ?? "127.0.0.1";
  }
}

interface UdpOfMachine {
  send(bytes: Uint8Array, host: string, port: number): void;
  close(): void;
  handlerFailed(error: unknown): void;
}

class FakeUdpSocket implements UdpSocket {
  readonly host: string;
  port = 0;
  readonly #handlers: UdpHandlers;
  readonly #machine: UdpOfMachine;
  #closed = false;

  constructor(
    options: { host: string; handlers: UdpHandlers },
    machine: UdpOfMachine,
  ) {
    this.host = options.host;
    this.#handlers = options.handlers;
    this.#machine = machine;
  }

  send(bytes: Uint8Array, host: string, port: number): boolean {
    if (this.#closed || port === 0 || bytes.length > DATAGRAM_BYTES_MAX) return false;
    this.#machine.send(bytes, host, port);
    return true;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#machine.close();
  }

  receive(bytes: Uint8Array, host: string, port: number): void {
    if (this.#closed) return;
    try {
      this.#handlers.message(this, bytes, host, port);
    } catch (error) {
      this.#machine.handlerFailed(error);
    }
  }
}

/** Who holds which port of one machine, and at which of its addresses. */
class PortTable<Holder extends { readonly host: string }> {
  readonly #protocol: "tcp" | "udp";
  readonly #holders = new Map<number, Holder[]>();
  #portNext = EPHEMERAL_PORT_FIRST;

  constructor(protocol: "tcp" | "udp") {
    this.#protocol = protocol;
  }

  /** Answers the port, a chosen one for 0. Throws `BindError`. */
  add(holder: Holder, { port, machine }: { port: number; machine: FakeMachine }): number {
    const { host } = holder;
    const refuse = (code: string) => new BindError({ protocol: this.#protocol, host, port, code });
    if (host !== "::" && host !== "0.0.0.0" && !machine.has(host)) throw refuse("EADDRNOTAVAIL");
    const chosen = port === 0 ? this.unusedPort() : port;
    const holders = this.#holders.get(chosen) ?? [];
    if (holders.some((other) => takes(other.host, host) || takes(host, other.host))) {
      throw refuse("EADDRINUSE");
    }
    this.#holders.set(chosen, [...holders, holder]);
    return chosen;
  }

  remove(holder: Holder, port: number): void {
    const others = (this.#holders.get(port) ?? []).filter((other) => other !== holder);
    if (others.length === 0) this.#holders.delete(port);
    else this.#holders.set(port, others);
  }

  find(host: string, port: number): Holder | undefined {
    return this.#holders.get(port)?.find((holder) => takes(holder.host, host));
  }

  unusedPort(): number {
    while (this.#holders.has(this.#portNext)) this.#portNext += 1;
    return this.#portNext++;
  }
}

/** Whether what is bound to `bound` gets what is sent to `host`; `::` takes IPv4 too. */
function takes(bound: string, host: string): boolean {
  return bound === host || bound === "::" || (bound === "0.0.0.0" && !host.includes(":"));
}
