import type { Clock } from "../../ports/clock.ts";
import type { Logger } from "../../ports/log.ts";
import type { WorkersPort } from "../../ports/workers.ts";
import type { ListedPackage, PackageFacts } from "./package_facts.ts";
import {
  type ChangeOutcome,
  type ChangeWatch,
  installPackage,
  PackagesChanges,
  removePackage,
  syncPackages,
  upgradePackages,
} from "./packages_changes.ts";
import { PackagesJobs } from "./packages_jobs.ts";
import type { PackagesReply, PackagesRequest } from "./packages_work.ts";

type Failed = { readonly ok: false; readonly reason: string };

/**
 * The packages as the serving thread sees them; all work is done in workers. Jobs are done one
 * after the other, but for the long part of changes: while a package is fetched, the packages can be
 * listed and scanned. Nothing here rejects; a worker that dies, or takes too long, is an answer.
 * `directory` is the data directory, by default the working directory. Who changes anything must
 * hold its lock.
 */
export class PackagesClient {
  readonly #parts: { workers: WorkersPort; clock: Clock; logger: Logger };
  readonly #jobs: PackagesJobs;
  /** For what is fetched. */
  readonly #longJobs: PackagesJobs;
  /** What the last scan knows of files that have not changed since. */
  #known: ArrayBuffer | undefined;
  /** What is being changed, for the reason to refuse another change. */
  #changing: string | undefined;

  constructor(parts: { workers: WorkersPort; clock: Clock; logger: Logger }) {
    this.#parts = parts;
    this.#jobs = new PackagesJobs(parts);
    this.#longJobs = new PackagesJobs(parts);
  }

  /** What the packages are now; also writes `flist.txt`. Only what changed since the last scan is
   * read again. */
  async scan(
    { directory = "." }: { directory?: string } = {},
  ): Promise<{ readonly ok: true; readonly facts: PackageFacts } | Failed> {
    const reply = await this.#jobs.perform(() => {
      const known = this.#known;
      this.#known = undefined;
      const now = this.#parts.clock.now();
      const request = { kind: "scan", directory, now, ...known && { known } } as const;
      return known === undefined ? { request } : { request, transfer: [known] };
    }, {
      answered: (reply) => {
        if (reply.kind === "scanned") this.#known = reply.known;
      },
    });
    if (reply.kind !== "scanned") return failure(reply);
    const { facts } = reply;
    if (facts.troubleCount > 0) {
      const { troubles, troubleCount: count } = facts;
      this.#parts.logger.warn({ count, troubles }, "packages are not all as they should be");
    }
    return { ok: true, facts };
  }

  /** Writes it into packages.db; a scan tells what comes of it. `changed`: whether it was otherwise
   * before. Refused for the core and for packages that are not there. */
  async setEnabled(
    { name, enabled, directory = "." }: { name: string; enabled: boolean; directory?: string },
  ): Promise<{ readonly ok: true; readonly changed: boolean } | Failed> {
    const reply = await this.#perform({ kind: "set_enabled", directory, name, enabled });
    return reply.kind === "enabled_set" ? { ok: true, changed: reply.changed } : failure(reply);
  }

  /** Those of packages.db in its order, then those that are only in `packages/`. */
  async list(
    { directory = "." }: { directory?: string } = {},
  ): Promise<{ readonly ok: true; readonly packages: readonly ListedPackage[] } | Failed> {
    const reply = await this.#perform({ kind: "list", directory });
    return reply.kind === "listed" ? { ok: true, packages: reply.packages } : failure(reply);
  }

  /** Brings to an end what a crash has broken off; to be called when a program takes over the data
   * directory, before the first scan. Lines say what was done. */
  async recover({ directory = "." }: { directory?: string } = {}): Promise<ChangeOutcome> {
    const reply = await this.#perform({ kind: "recover", directory });
    if (reply.kind !== "recovered") return failure(reply);
    for (const line of reply.lines) this.#parts.logger.warn({}, line);
    return { ok: true, lines: reply.lines };
  }

  /** Gets a package from where everybody can, and puts it into `packages/` and packages.db. A scan
   * tells what comes of it, for this and the next three. */
  install({ url, ...options }: { url: string } & ChangeWatch): Promise<ChangeOutcome> {
    return this.#change("install", options, (changes) => installPackage(changes, url));
  }

  /** Takes a package and its row away; refused for the core. */
  remove({ name, ...options }: { name: string } & ChangeWatch): Promise<ChangeOutcome> {
    return this.#change("remove", options, (changes) => removePackage(changes, name));
  }

  /** Brings a package, or all that have an address, to what is at their addresses now. */
  upgrade({ name, ...options }: { name?: string } & ChangeWatch = {}): Promise<ChangeOutcome> {
    return this.#change("upgrade", options, (changes) => upgradePackages(changes, name));
  }

  /** Writes into packages.db which commits the directories are at, and gets what it has and
   * `packages/` lacks. */
  sync(options: ChangeWatch = {}): Promise<ChangeOutcome> {
    return this.#change("sync", options, syncPackages);
  }

  /** Ends the workers; what waits is answered as failed, and what comes later too. */
  close(): void {
    this.#longJobs.close();
    this.#jobs.close();
  }

  /** One at a time: two would be in each other's way, and their order would be anybody's guess. */
  async #change(
    verb: string,
    watch: ChangeWatch,
    call: (changes: PackagesChanges) => Promise<ChangeOutcome>,
  ): Promise<ChangeOutcome> {
    if (this.#changing !== undefined) {
      const reason = `Cannot ${verb} packages while another ${this.#changing} runs`;
      return { ok: false, reason };
    }
    this.#changing = verb;
    try {
      const changes = new PackagesChanges({ jobs: this.#jobs, longJobs: this.#longJobs }, watch);
      return await call(changes);
    } finally {
      this.#changing = undefined;
    }
  }

  #perform(request: PackagesRequest): Promise<PackagesReply> {
    return this.#jobs.perform(() => ({ request }));
  }
}

function failure(reply: PackagesReply): Failed {
  const reason = reply.kind === "failed" ? reply.reason : `unexpected answer ${reply.kind}`;
  return { ok: false, reason };
}
