import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { RouteRule } from "../../src/config/gateway_config.ts";
import type { Clients } from "../../src/gateway/clients.ts";
import type { Client } from "../../src/gateway/gateway_types.ts";
import type { Link, LinkQueue, LinkState } from "../../src/gateway/link_types.ts";
import { type MessageLog, noSlot, type Slot } from "../../src/gateway/log/message_log_types.ts";
import { UpstreamTarget } from "../../src/gateway/upstream_target.ts";
import { Upstreams } from "../../src/gateway/upstreams.ts";
import type { Clock } from "../../src/ports/clock.ts";
import { runtimeUnderTest } from "../tested_runtime.ts";
import { memoryLog } from "./memory_log.ts";

/** What a link has sent, in order, until the test confirms or loses it. */
class HeldLink implements Link {
  state: LinkState = "closed";
  readonly bufferedBytes = 0;
  reconnects = 0;
  isStopped = false;
  /** Takes what waits as soon as it waits. */
  isReading = true;
  readonly #queue: LinkQueue;
  readonly #sent: (slot: Slot) => void;
  #window: Slot[] = [];

  constructor(queue: LinkQueue, sent: (slot: Slot) => void) {
    this.#queue = queue;
    this.#sent = sent;
  }

  get unconfirmed(): number {
    return this.#window.length;
  }

  start(): void {
    this.state = "open";
  }

  wake(): void {
    while (this.isReading) {
      const slot = this.#queue.take();
      if (slot === noSlot) return;
      this.#window.push(slot);
      this.#sent(slot);
    }
  }

  confirm(count = Infinity): void {
    for (const slot of this.#window.splice(0, count)) this.#queue.confirm(slot);
  }

  /** The connection is lost; what was not confirmed is sent again when it is read again. */
  lose(): void {
    const slots = this.#window;
    this.#window = [];
    this.isReading = false;
    this.#queue.putBack(slots);
  }

  acknowledged(): boolean {
    return false;
  }

  async stop(): Promise<void> {
    this.isStopped = true;
  }
}

/** Upstreams over the real log, whose links the test holds; each message is "client number". */
class Scene {
  readonly links = new Map<string, HeldLink>();
  /** `url client number`, as they were sent. */
  readonly sent: string[] = [];
  readonly faults: string[] = [];
  readonly upstreams: Upstreams;
  readonly #log: MessageLog;
  readonly #clients: Clients;
  readonly #add: (client: Client, body: string) => Slot;
  /** Messages of each client that are not delivered, in order, with where they were sent last. */
  readonly #open = new Map<string, { number: number; at: string | undefined }[]>();
  #count = 0;

  constructor(
    rules: readonly RouteRule[],
    parts: { log: MessageLog; clients: Clients; clock: Clock; add: (m: object) => Slot },
  ) {
    const { log, clients, clock } = parts;
    this.#log = log;
    this.#clients = clients;
    this.#add = (client, body) => parts.add({ client, body });
    const owner = {
      sent: () => {},
      delivered: (slot: Slot) => this.#delivered(slot),
      mayRetry: () => true,
    };
    this.upstreams = new Upstreams(rules, {
      log,
      clients,
      clock,
      make: (what, moves) => {
        const target = new UpstreamTarget(what, { log, clients, owner, moves });
        if (what.url === "") return target;
        const link = new HeldLink(target, (slot) => this.#sent(what.url, slot));
        this.links.set(what.url, link);
        target.connect(link);
        return target;
      },
    });
  }

  static async of(rules: readonly RouteRule[], clock?: Clock): Promise<Scene> {
    const runtime = await runtimeUnderTest();
    const { log, clients, add } = await memoryLog({ size: 100_000 });
    return new Scene(rules, { log, clients, add, clock: clock ?? runtime.clock });
  }

  client(id: string): Client {
    return this.#clients.named(id);
  }

  send(id: string): void {
    const client = this.client(id);
    const upstream = this.upstreams.upstreamOf(client);
    if (upstream === undefined) return;
    this.#count++;
    const open = this.#open.get(id) ?? [];
    open.push({ number: this.#count, at: undefined });
    this.#open.set(id, open);
    const slot = this.#add(client, `${id} ${this.#count}`);
    client.pendingUp++;
    client.upstream = upstream;
    upstream.push(slot);
  }

  get undelivered(): number {
    return [...this.#open.values()].reduce((sum, open) => sum + open.length, 0);
  }

  #sent(url: string, slot: Slot): void {
    const { id, number } = this.#read(slot);
    this.sent.push(`${url} ${id} ${number}`);
    for (const message of this.#open.get(id) ?? []) {
      if (message.number < number) {
        if (message.at !== url) {
          this.faults.push(`${url} ${id} ${number} overtook ${message.number}`);
        }
        continue;
      }
      if (message.number === number) message.at = url;
      // Those behind it are to be sent once more, after it.
      else message.at = undefined;
    }
  }

  #delivered(slot: Slot): void {
    const { id, number } = this.#read(slot);
    const open = this.#open.get(id) ?? [];
    const at = open.findIndex((message) => message.number === number);
    if (at < 0) this.faults.push(`${id} ${number} was delivered twice`);
    open.splice(at, 1);
    const client = this.client(id);
    client.pendingUp--;
    this.#log.release(slot);
  }

  #read(slot: Slot): { id: string; number: number } {
    const [id = "", number] = this.#log.bodyText(slot).split(" ");
    return { id, number: Number(number) };
  }
}

function rule(clientIdPrefix: string, ...upstreams: string[]): RouteRule {
  return { clientIdPrefix, upstreams, strategy: "hash" };
}

describe("Upstreams.replaceRules()", () => {
  it("moves what waits to where the new rules lead, and leaves upstreams that nobody names", async () => {
    const scene = await Scene.of([rule("a", "A"), rule("b", "B")]);
    scene.upstreams.routeOf(scene.client("a1"));
    const a = scene.links.get("A")!;
    a.isReading = false;
    for (let n = 0; n < 3; n++) scene.send("a1");
    scene.send("b1");
    assert.equal(await scene.upstreams.replaceRules([rule("a", "C"), rule("b", "B")]), undefined);
    assert.deepEqual(scene.sent, ["B b1 4", "C a1 1", "C a1 2", "C a1 3"]);
    assert.equal(a.isStopped, true);
    assert.equal(scene.links.get("B")!.isStopped, false);
    assert.equal(scene.upstreams.all().some(({ url }) => url === "A"), false);
    scene.links.get("C")!.confirm();
    scene.links.get("B")!.confirm();
    assert.deepEqual([scene.undelivered, scene.faults], [0, []]);
  });

  it("lets nothing overtake what a link has, whether that is confirmed or comes back", async () => {
    for (const ending of ["confirmed", "lost"] as const) {
      const scene = await Scene.of([rule("", "A")]);
      scene.send("x");
      scene.send("x");
      const a = scene.links.get("A")!;
      a.isReading = false;
      scene.send("x");
      await scene.upstreams.replaceRules([rule("", "B")]);
      scene.send("x");
      assert.deepEqual(scene.sent, ["A x 1", "A x 2"], "A still has two of them");
      assert.equal(a.isStopped, false);
      assert.equal(
        scene.upstreams.serves(
          scene.upstreams.all().find(({ url }) => url === "A")!,
          scene.client("x"),
        ),
        true,
        "A may answer those",
      );
      a.confirm(1);
      if (ending === "confirmed") a.confirm();
      else a.lose();
      await scene.upstreams.replaceRules([rule("", "B")]);
      const again = ending === "lost" ? ["B x 2"] : [];
      assert.deepEqual(scene.sent.slice(2), [...again, "B x 3", "B x 4"]);
      scene.links.get("B")!.confirm();
      assert.deepEqual([scene.undelivered, scene.faults], [0, []]);
      assert.equal(a.isStopped, true);
    }
  });

  it("the count of reconnects keeps those of links that are gone", async () => {
    const scene = await Scene.of([rule("a", "A"), rule("b", "B")]);
    for (const id of ["a", "b"]) scene.upstreams.routeOf(scene.client(id));
    scene.links.get("A")!.reconnects = 3;
    scene.links.get("B")!.reconnects = 2;
    assert.equal(scene.upstreams.reconnects, 5);
    await scene.upstreams.replaceRules([rule("b", "B")]);
    assert.equal(scene.links.get("A")!.isStopped, true);
    assert.equal(scene.upstreams.reconnects, 5);
    await scene.upstreams.replaceRules([rule("a", "A"), rule("b", "B")]);
    scene.upstreams.routeOf(scene.client("a"));
    scene.links.get("A")!.reconnects = 1;
    assert.equal(scene.upstreams.reconnects, 6, "another connection to the same upstream");
  });

  it("keeps messages whose rule is gone, and sends them when there is one again", async () => {
    const scene = await Scene.of([rule("", "A")]);
    scene.upstreams.routeOf(scene.client("x"));
    scene.links.get("A")!.isReading = false;
    scene.send("x");
    await scene.upstreams.replaceRules([rule("other", "B")]);
    assert.equal(scene.upstreams.upstreamOf(scene.client("x")), undefined);
    assert.equal(scene.upstreams.unrouted.queued, 1);
    await scene.upstreams.replaceRules([rule("x", "B")]);
    assert.deepEqual(scene.sent, ["B x 1"]);
    assert.equal(scene.upstreams.unrouted.queued, 0);
  });

  it("dials the new upstreams of clients that are connected, and of nobody else", async () => {
    const scene = await Scene.of([rule("", "A")]);
    scene.client("here").session = {} as Client["session"];
    scene.client("away");
    await scene.upstreams.replaceRules([rule("here", "B"), rule("away", "C")]);
    assert.deepEqual([...scene.links.keys()], ["B"]);
  });

  it("keeps each client's order and every message, whatever comes between (random)", async () => {
    const { clock } = await runtimeUnderTest();
    const urls = ["A", "B", "C"];
    const ids = ["a1", "a2", "b1", "b2", "c"];
    const steps = fc.array(
      fc.oneof(
        { weight: 8, arbitrary: fc.record({ kind: fc.constant("send"), n: fc.nat(4) }) },
        { weight: 3, arbitrary: fc.record({ kind: fc.constant("confirm"), n: fc.nat(2) }) },
        { weight: 2, arbitrary: fc.record({ kind: fc.constant("lose"), n: fc.nat(2) }) },
        { weight: 2, arbitrary: fc.record({ kind: fc.constant("read"), n: fc.nat(2) }) },
        { weight: 2, arbitrary: fc.record({ kind: fc.constant("reload"), n: fc.nat(26) }) },
        { weight: 3, arbitrary: fc.record({ kind: fc.constant("wait"), n: fc.constant(0) }) },
      ),
      { maxLength: 120 },
    );
    const rulesOf = (n: number) => [
      ...n % 3 === 0 ? [] : [rule("a", urls[n % 3]!)],
      ...n % 9 < 3 ? [rule("b", "A", "C")] : [rule("b", urls[Math.floor(n / 3) % 3]!)],
      ...n < 20 ? [rule("", urls[Math.floor(n / 9) % 3]!)] : [],
    ];
    await fc.assert(
      fc.asyncProperty(steps, async (steps) => {
        let time = 0;
        // Each look at it ends a slice.
        const hasty: Clock = {
          ...clock,
          monotonic: () => time += 5,
          after: (_ms, call) => {
            void Promise.resolve().then(call);
            return () => {};
          },
        };
        const scene = await Scene.of(rulesOf(1), hasty);
        const reloads: Promise<unknown>[] = [];
        for (const { kind, n } of steps) {
          const link = scene.links.get(urls[n]!);
          if (kind === "send") { for (let i = 0; i < 40; i++) scene.send(ids[n]!); }
          else if (kind === "confirm") link?.confirm(25);
          else if (kind === "lose") link?.lose();
          else if (kind === "read" && link !== undefined) {
            link.isReading = true;
            link.wake();
          } else if (kind === "reload") {
            reloads.push(scene.upstreams.replaceRules(rulesOf(n)));
          } else {
            for (let turns = 0; turns < 10; turns++) await Promise.resolve();
          }
        }
        await Promise.all(reloads);
        // Everything has a rule at the end, and every upstream reads.
        const last = scene.upstreams.replaceRules([rule("", "A")]);
        let isDone = false;
        void last.then(() => isDone = true);
        for (let round = 0; round < 10_000 && (!isDone || scene.undelivered > 0); round++) {
          for (const link of scene.links.values()) {
            link.isReading = true;
            link.wake();
            link.confirm();
          }
          await new Promise<void>((resolve) => setTimeout(resolve, round < 100 ? 0 : 1));
        }
        assert.deepEqual(scene.faults, []);
        assert.equal(scene.undelivered, 0);
        scene.upstreams.leaveUnnamed();
        await last;
        for (const { url, pending } of scene.upstreams.all()) {
          assert.equal(pending, 0, url);
          assert.ok(url === "" || url === "A", `${url} is left`);
        }
      }),
      { numRuns: 200 },
    );
  });
});
