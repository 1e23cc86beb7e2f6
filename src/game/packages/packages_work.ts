import { unreachable } from "../../base/assert.ts";
import type { WorkerScope } from "../../ports/workers.ts";
import type { KnownHashes } from "./package_md5.ts";
import {
  explained,
  type ListedPackage,
  listPackages,
  type PackageFacts,
  scanPackages,
} from "./package_facts.ts";
import { writeEnabled } from "./packages_db.ts";
import {
  cancelled,
  type ChangeParts,
  type ChangeReply,
  type ChangeRequest,
  performChange,
} from "./packages_change_work.ts";
import type { PackagesProgress } from "./packages_progress.ts";

/** One job; the next comes when it is answered. `directory` is the data directory. */
export type PackagesRequest =
  | {
    readonly kind: "scan";
    readonly directory: string;
    /** Epoch milliseconds. */
    readonly now: number;
    /** What the last scan handed over. */
    readonly known?: ArrayBuffer;
  }
  | {
    readonly kind: "set_enabled";
    readonly directory: string;
    readonly name: string;
    readonly enabled: boolean;
  }
  | { readonly kind: "list"; readonly directory: string }
  | ChangeRequest;

/** Besides jobs: the one that runs is to end as failed, soon and with nothing left of it. */
export type PackagesOrder = PackagesRequest | { readonly kind: "cancel" };

export type PackagesReply =
  | { readonly kind: "scanned"; readonly facts: PackageFacts; readonly known: ArrayBuffer }
  /** `changed`: whether it was otherwise before. */
  | { readonly kind: "enabled_set"; readonly changed: boolean }
  | { readonly kind: "listed"; readonly packages: readonly ListedPackage[] }
  | ChangeReply
  /** `reason` is one line. */
  | { readonly kind: "failed"; readonly reason: string };

/** What a worker says: the answer to its job, and before it how far that is. */
export type PackagesMessage =
  | PackagesReply
  | { readonly kind: "progress"; readonly progress: PackagesProgress };

/** The packages worker: hundreds of files and a database are nothing for a thread that serves, and
 * a repository much less. */
export function runPackagesWorker(
  scope: WorkerScope<PackagesOrder, PackagesMessage>,
  parts: ChangeParts,
): void {
  let running: AbortController | undefined;
  scope.onMessage((order) => {
    if (order.kind === "cancel") {
      running?.abort(cancelled());
      return;
    }
    const current = new AbortController();
    running = current;
    const watch = {
      signal: current.signal,
      tell: (progress: PackagesProgress) => scope.post({ kind: "progress", progress }),
    };
    perform(parts, order, watch).then(
      (reply) => scope.post(reply, reply.kind === "scanned" ? [reply.known] : []),
      (error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        scope.post({ kind: "failed", reason });
      },
    );
  });
}

async function perform(
  parts: ChangeParts,
  request: PackagesRequest,
  watch: { signal: AbortSignal; tell(progress: PackagesProgress): void },
): Promise<PackagesReply> {
  const { directory } = request;
  switch (request.kind) {
    case "scan": {
      const { facts, known } = await scanPackages(parts, {
        directory,
        now: request.now,
        known: opened(request.known, directory),
      });
      return { kind: "scanned", facts, known: packed(known, directory) };
    }
    case "set_enabled": {
      const { name, enabled } = request;
      const listed = await listPackages(parts, directory);
      const isThere = listed.some((one) => one.name === name && one.isThere);
      const result = await explained(
        parts,
        directory,
        (all) => writeEnabled(all, { name, enabled, isThere }),
      );
      return result.ok
        ? { kind: "enabled_set", changed: result.changed }
        : { kind: "failed", reason: result.reason };
    }
    case "list":
      return { kind: "listed", packages: await listPackages(parts, directory) };
    case "prepare":
    case "change":
    case "record":
    case "survey":
    case "recover":
      return await performChange(parts, request, watch);
    default:
      return unreachable(request);
  }
}

/** What one scan knows, for the owner to keep and to give to the next worker unread: handing over
 * a buffer costs the serving thread nothing, where an object of 20,000 files would. */
function packed(known: KnownHashes, directory: string): ArrayBuffer {
  return new TextEncoder().encode(JSON.stringify([directory, ...known])).slice().buffer;
}

/** Nothing when it is of another data directory. */
function opened(known: ArrayBuffer | undefined, directory: string): KnownHashes | undefined {
  if (known === undefined) return undefined;
  const [of, ...entries] = JSON.parse(new TextDecoder().decode(known)) as [
    string,
    ...[string, { stamp: string; md5: string }][],
  ];
  return of === directory ? new Map(entries) : undefined;
}
