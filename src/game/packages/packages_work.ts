import { unreachable } from "../../base/assert.ts";
import type { WorkerScope } from "../../ports/workers.ts";
import type { KnownHashes } from "./package_md5.ts";
import {
  explained,
  type ListedPackage,
  listPackages,
  type PackageFacts,
  type PackagesParts,
  scanPackages,
} from "./package_facts.ts";
import { writeEnabled } from "./packages_db.ts";

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
  | { readonly kind: "list"; readonly directory: string };

export type PackagesReply =
  | { readonly kind: "scanned"; readonly facts: PackageFacts; readonly known: ArrayBuffer }
  /** `changed`: whether it was otherwise before. */
  | { readonly kind: "enabled_set"; readonly changed: boolean }
  | { readonly kind: "listed"; readonly packages: readonly ListedPackage[] }
  /** `reason` is one line. */
  | { readonly kind: "failed"; readonly reason: string };

/** The packages worker: hundreds of files and a database are nothing for a thread that serves. */
export function runPackagesWorker(
  scope: WorkerScope<PackagesRequest, PackagesReply>,
  parts: PackagesParts,
): void {
  scope.onMessage((request) => {
    perform(parts, request).then(
      (reply) => scope.post(reply, reply.kind === "scanned" ? [reply.known] : []),
      (error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        scope.post({ kind: "failed", reason });
      },
    );
  });
}

async function perform(parts: PackagesParts, request: PackagesRequest): Promise<PackagesReply> {
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
