import type { ListedPackage } from "./package_facts.ts";
import { isForClients, readPackageUrl, whyNoPackageName } from "./package_source.ts";
import type { SurveyedPackage } from "./package_survey.ts";
import { CORE_PACKAGE, type PackageChange } from "./packages_db.ts";
import type { PackagesJobs } from "./packages_jobs.ts";
import type { PackagesProgress } from "./packages_progress.ts";
import type { PackagesReply, PackagesRequest } from "./packages_work.ts";
import type { Prepared, PrepareJob } from "./prepare_package.ts";

/** Who waits for a change. */
export interface ChangeWatch {
  readonly directory?: string;
  /** Hears how far it is, some times a second at most. */
  readonly progress?: (progress: PackagesProgress) => void;
  /** Ends it; what was changed by then stays. */
  readonly signal?: AbortSignal;
}

/** Lines are for people, each a sentence; so is the reason. */
export type ChangeOutcome =
  | { readonly ok: true; readonly lines: readonly string[] }
  | { readonly ok: false; readonly reason: string };

/** A job that did not do what it was for. */
class JobFailed extends Error {}

/** Installs what is at an address. */
export async function installPackage(
  changes: PackagesChanges,
  url: string,
): Promise<ChangeOutcome> {
  const read = readPackageUrl(url);
  if (!read.ok) return read;
  const { name, url: stored } = read.source;
  return await changes.attempt(`Cannot install ${name}`, async () => {
    await changes.begin();
    if ((await changes.list()).some((one) => one.name === name && one.isThere)) {
      throw new JobFailed("it is there already; upgrade it, or remove it first");
    }
    const notes = await changes.put({ name, url: stored }, { mayReplace: false });
    const isOff = (await changes.list()).some((one) => one.name === name && !one.enabled);
    return [
      ...notes,
      ...isOff ? [`Package ${name} is disabled in packages.db, as it was before.`] : [],
      ...isForClients(stored)
        ? []
        : [`Package ${name} comes from this machine: clients have to get it by themselves.`],
    ];
  });
}

/** Removes a package that is in the table, in `packages/`, or both. */
export function removePackage(changes: PackagesChanges, name: string): Promise<ChangeOutcome> {
  return changes.attempt(`Cannot remove ${JSON.stringify(name)}`, async () => {
    if (name === CORE_PACKAGE) throw new JobFailed("it is the game itself");
    const wrong = whyNoPackageName(name);
    if (wrong !== undefined) throw new JobFailed(wrong);
    await changes.begin();
    const found = (await changes.list()).find((one) => one.name === name);
    if (found === undefined) throw new JobFailed("there is no such package");
    await changes.change({ kind: "remove", name }, { mayReplace: true });
    return [`Package ${name} is removed.`];
  });
}

/** Upgrades one package, or all that have an address. */
export async function upgradePackages(
  changes: PackagesChanges,
  name: string | undefined,
): Promise<ChangeOutcome> {
  const what = name === undefined ? "packages" : JSON.stringify(name);
  return await changes.attempt(`Cannot upgrade ${what}`, async () => {
    await changes.begin();
    const listed = await changes.list();
    if (name === undefined) {
      const wanted = listed.filter(({ url, isThere }) => url !== "" && isThere);
      if (wanted.length === 0) return ["There are no packages with an address to upgrade from."];
      return await forEach(changes, wanted, upgradeOne);
    }
    const found = listed.find((one) => one.name === name);
    if (found === undefined) throw new JobFailed("there is no such package");
    if (found.url === "") throw new JobFailed("packages.db has no address for it");
    if (!found.isThere) throw new JobFailed("packages/ lacks it; sync gets it");
    return await upgradeOne(changes, found);
  });
}

function upgradeOne(changes: PackagesChanges, { name, url, hash }: ListedPackage) {
  return changes.put({ name, url, current: hash }, { mayReplace: true });
}

/** Makes packages.db and `packages/` agree. */
export function syncPackages(changes: PackagesChanges): Promise<ChangeOutcome> {
  return changes.attempt("Cannot sync packages", async () => {
    await changes.begin();
    const listed = await changes.list();
    const surveyed = await changes.survey();
    const lines: string[] = [];
    for (const found of surveyed) {
      const row = listed.find((one) => one.name === found.name);
      const change = asRecord(found, row);
      if (row?.hash === change.hash && row.url === change.url) continue;
      await changes.record(change);
      lines.push(`Package ${found.name} is at ${found.hash.slice(0, 10)}: packages.db has it now.`);
    }
    const missing = listed.filter(({ isThere, url }) => !isThere && url !== "");
    lines.push(...await forEach(changes, missing, restoreOne));
    return lines.length > 0 ? lines : ["packages.db and packages/ agree."];
  });
}

function asRecord({ name, hash, url }: SurveyedPackage, row: ListedPackage | undefined) {
  const stored = row?.url ?? "";
  return { kind: "put", name, hash, url: stored === "" ? url : stored } as const;
}

function restoreOne(changes: PackagesChanges, { name, url, hash }: ListedPackage) {
  const wanted = /^[0-9a-f]{40}$/.test(hash) ? { hash } : {};
  return changes.put({ name, url, ...wanted }, { mayReplace: false });
}

/** Does all that can be done; fails with what could not, and says what was. */
async function forEach(
  changes: PackagesChanges,
  packages: readonly ListedPackage[],
  call: (changes: PackagesChanges, one: ListedPackage) => Promise<string[]>,
): Promise<string[]> {
  const lines: string[] = [];
  const faults: string[] = [];
  for (const one of packages) {
    if (changes.isCancelled) {
      faults.push("the rest was cancelled");
      break;
    }
    try {
      lines.push(...await call(changes, one));
    } catch (error) {
      if (!(error instanceof JobFailed)) throw error;
      faults.push(`${one.name}: ${error.message}`);
    }
  }
  if (faults.length === 0) return lines;
  throw new JobFailed([faults.join("; "), ...lines].join(". ").replace(/\.\./g, "."));
}

/** What changes are made of; each rejects with an error whose message is the reason. */
export class PackagesChanges {
  readonly #lines: { jobs: PackagesJobs; longJobs: PackagesJobs };
  readonly #watch: ChangeWatch;
  readonly #directory: string;

  constructor(lines: { jobs: PackagesJobs; longJobs: PackagesJobs }, watch: ChangeWatch) {
    this.#lines = lines;
    this.#watch = watch;
    this.#directory = watch.directory ?? ".";
  }

  get isCancelled(): boolean {
    return this.#watch.signal?.aborted ?? false;
  }

  async attempt(what: string, call: () => Promise<string[]>): Promise<ChangeOutcome> {
    try {
      return { ok: true, lines: await call() };
    } catch (error) {
      if (!(error instanceof JobFailed)) throw error;
      return { ok: false, reason: `${what}: ${error.message}` };
    }
  }

  /** Finishes what an earlier change has left half done. */
  async begin(): Promise<void> {
    await this.#perform({ kind: "recover", directory: this.#directory }, "recovered");
  }

  async list(): Promise<readonly ListedPackage[]> {
    return (await this.#perform({ kind: "list", directory: this.#directory }, "listed")).packages;
  }

  async survey(): Promise<readonly SurveyedPackage[]> {
    const request = { kind: "survey", directory: this.#directory } as const;
    return (await this.#perform(request, "surveyed")).packages;
  }

  async record(change: PackageChange): Promise<void> {
    await this.#perform({ kind: "record", directory: this.#directory, change }, "changed");
  }

  /** Gets a package and puts it in its place. Gives lines for people. */
  async put(
    job: Omit<PrepareJob, "directory">,
    { mayReplace }: { mayReplace: boolean },
  ): Promise<string[]> {
    const { name, url } = job;
    const prepared = await this.#prepare({ directory: this.#directory, ...job });
    const at = prepared.hash === "" ? "" : ` at ${prepared.hash.slice(0, 10)}`;
    if (!prepared.changed) return [`Package ${name} is up to date${at}.`];
    this.#watch.progress?.({ name, phase: "swap", loaded: 0, total: 1 });
    await this.change({ kind: "put", name, url, hash: prepared.hash }, { mayReplace });
    const verb = job.current === undefined ? "installed" : "upgraded";
    return [
      `Package ${name} is ${verb}${at}.`,
      ...prepared.notes.map((note) => `Package ${name}: ${note}.`),
    ];
  }

  async change(change: PackageChange, { mayReplace }: { mayReplace: boolean }): Promise<void> {
    const directory = this.#directory;
    const request = { kind: "change", directory, change, mayReplace } as const;
    try {
      await this.#perform(request, "changed");
    } catch (error) {
      // A worker that died in the middle must not leave the next scan without the package.
      await this.#perform({ kind: "recover", directory }, "recovered").catch(() => {});
      throw error;
    }
  }

  async #prepare(job: PrepareJob): Promise<Prepared> {
    const { progress, signal } = this.#watch;
    const request = { kind: "prepare", ...job } as const;
    const reply = await this.#lines.longJobs.perform(() => ({ request }), { progress, signal });
    return expect(reply, "prepared").prepared;
  }

  /** Short jobs are not cancelled: the change stops before the next. */
  async #perform<Kind extends PackagesReply["kind"]>(
    request: PackagesRequest,
    kind: Kind,
  ): Promise<Extract<PackagesReply, { kind: Kind }>> {
    if (this.isCancelled && request.kind !== "recover") throw new JobFailed("it was cancelled");
    return expect(await this.#lines.jobs.perform(() => ({ request })), kind);
  }
}

function expect<Kind extends PackagesReply["kind"]>(
  reply: PackagesReply,
  kind: Kind,
): Extract<PackagesReply, { kind: Kind }> {
  if (reply.kind === kind) return reply as Extract<PackagesReply, { kind: Kind }>;
  throw new JobFailed(reply.kind === "failed" ? reply.reason : `unexpected answer ${reply.kind}`);
}
