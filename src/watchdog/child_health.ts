/** Probes of a child that is not healthy yet come this often, so that readiness shows at once. */
export const firstProbesIntervalMs = 500;

/** What the reason is before the first probe. */
export const notProbed = "not probed yet";

export interface HealthSettings {
  readonly healthIntervalMs: number;
  /** Failed probes do not count until the child is this old. */
  readonly startGraceMs: number;
  /** How often the service manager wants to hear of a healthy child; undefined: not at all. */
  readonly keepAliveMs: number | undefined;
}

/** What is to be done now about a child's health. */
export type HealthDuty =
  | { readonly kind: "probe"; readonly probe: number }
  | { readonly kind: "keep_alive" }
  | { readonly kind: "failed"; readonly reason: string };

/**
 * When one child is to be probed and what came of it. One probe at a time, the first as soon as the
 * child says that it listens: until then whoever answers at its port is somebody else, so a child
 * that says nothing fails after the grace time without being probed.
 */
export class ChildHealth {
  readonly startedAt: number;
  readonly #settings: HealthSettings;
  #probes: number;
  #ready = false;
  #wasHealthy = false;
  #ok = false;
  #reason = notProbed;
  #failureStreak = 0;
  #probeStartedAt: number | undefined;
  #probeAt: number;
  /** Set while the last probe was good. */
  #keepAliveAt: number | undefined;

  /** `probesBefore`: how many probes other children had, so that numbers are never used twice. */
  constructor(settings: HealthSettings, start: { now: number; probesBefore: number }) {
    this.#settings = settings;
    this.startedAt = start.now;
    this.#probes = start.probesBefore;
    this.#probeAt = start.now + Math.max(settings.startGraceMs, settings.healthIntervalMs);
  }

  /** The child said that it listens. */
  get ready(): boolean {
    return this.#ready;
  }

  /** It answered a probe at least once. */
  get wasHealthy(): boolean {
    return this.#wasHealthy;
  }

  get ok(): boolean {
    return this.#ok;
  }

  /** Of the last outcome, one line. */
  get reason(): string {
    return this.#reason;
  }

  /** Failed probes in a row after the grace time. */
  get failureStreak(): number {
    return this.#failureStreak;
  }

  get probes(): number {
    return this.#probes;
  }

  /** When `due` has something to say. */
  get nextAt(): number {
    const probeAt = this.#probeStartedAt === undefined ? this.#probeAt : Infinity;
    return Math.min(probeAt, this.#keepAliveAt ?? Infinity);
  }

  inGrace(now: number): boolean {
    return now - this.startedAt < this.#settings.startGraceMs;
  }

  /** From now on the child is probed, at once for the first time. */
  becameReady(now: number): void {
    if (this.#ready) return;
    this.#ready = true;
    this.#probeAt = now;
  }

  /** Call it again until it says undefined. */
  due(now: number): HealthDuty | undefined {
    if (this.#keepAliveAt !== undefined && now >= this.#keepAliveAt) return this.#keepAlive(now);
    if (this.#probeStartedAt !== undefined || now < this.#probeAt) return undefined;
    if (this.#ready) {
      this.#probeStartedAt = now;
      return { kind: "probe", probe: ++this.#probes };
    }
    this.#probeAt = now + Math.max(this.#settings.healthIntervalMs, 1);
    const age = Math.round((now - this.startedAt) / 1_000);
    const reason = `the server has not said that it is ready for ${age} s`;
    this.#failed(reason, now);
    return { kind: "failed", reason };
  }

  /** The outcome of a probe; false for one that is not under way. */
  probed(result: { probe: number; ok: boolean; reason: string }, now: number): boolean {
    if (this.#probeStartedAt === undefined || result.probe !== this.#probes) return false;
    const { healthIntervalMs } = this.#settings;
    const eager = !result.ok && !this.#wasHealthy && this.inGrace(now);
    const interval = eager ? Math.min(firstProbesIntervalMs, healthIntervalMs) : healthIntervalMs;
    this.#probeAt = Math.max(this.#probeStartedAt + interval, now + 1);
    this.#probeStartedAt = undefined;
    if (!result.ok) {
      this.#failed(result.reason, now);
      return true;
    }
    this.#ok = true;
    this.#reason = result.reason;
    this.#failureStreak = 0;
    this.#wasHealthy = true;
    // At each good probe too, so that a hang is mended before the service manager loses patience.
    if (this.#settings.keepAliveMs !== undefined) this.#keepAliveAt = now;
    return true;
  }

  #failed(reason: string, now: number): void {
    this.#ok = false;
    this.#reason = reason;
    this.#keepAliveAt = undefined;
    if (!this.inGrace(now)) this.#failureStreak++;
  }

  #keepAlive(now: number): HealthDuty {
    this.#keepAliveAt = now + (this.#settings.keepAliveMs ?? Infinity);
    return { kind: "keep_alive" };
  }
}
