import type { Clock } from "../../ports/clock.ts";
import { PackageError } from "./package_error.ts";
import type { PackagesParts } from "./package_facts.ts";
import { changePackage, recoverPackages, type SwapParts } from "./package_swap.ts";
import { type PackageChange, recordChange } from "./packages_db.ts";
import type { Prepared, PrepareJob } from "./prepare_package.ts";
import type { SurveyedPackage } from "./package_survey.ts";
import type { PackagesProgress } from "./packages_progress.ts";
import { explained } from "./package_facts.ts";

/** What changes the packages themselves; `directory` is the data directory. */
export type ChangeRequest =
  /** Long: gets a package and puts it beside the one that is there. */
  | ({ readonly kind: "prepare" } & PrepareJob)
  /** Short: what lies beside takes its place, or goes away; it is written into packages.db. */
  | {
    readonly kind: "change";
    readonly directory: string;
    readonly change: PackageChange;
    readonly mayReplace: boolean;
  }
  /** Writes into packages.db alone. */
  | { readonly kind: "record"; readonly directory: string; readonly change: PackageChange }
  | { readonly kind: "survey"; readonly directory: string }
  | { readonly kind: "recover"; readonly directory: string };

export type ChangeReply =
  | { readonly kind: "prepared"; readonly prepared: Prepared }
  | { readonly kind: "changed" }
  | { readonly kind: "surveyed"; readonly packages: readonly SurveyedPackage[] }
  | { readonly kind: "recovered"; readonly lines: readonly string[] };

/** What the packages worker has. */
export interface ChangeParts extends PackagesParts {
  readonly clock: Pick<Clock, "after">;
}

/** Does one of them in the packages worker. Git's library is loaded when it is first needed: most
 * jobs are none for it. */
export async function performChange(
  parts: ChangeParts,
  request: ChangeRequest,
  watch: { signal: AbortSignal; tell(progress: PackagesProgress): void },
): Promise<ChangeReply> {
  const { directory } = request;
  switch (request.kind) {
    case "prepare": {
      const { preparePackage } = await import("./prepare_package.ts");
      const pause = (ms: number) => pausing(parts.clock, ms, watch.signal);
      const prepared = await preparePackage({ ...parts, ...watch, pause }, request);
      return { kind: "prepared", prepared };
    }
    case "change":
      await changePackage(swapParts(parts, directory), request.change, request);
      return { kind: "changed" };
    case "record":
      await swapParts(parts, directory).record(request.change);
      return { kind: "changed" };
    case "survey": {
      const { surveyPackages } = await import("./package_survey.ts");
      return { kind: "surveyed", packages: await surveyPackages(parts, directory) };
    }
    case "recover":
      return { kind: "recovered", lines: await recoverPackages(swapParts(parts, directory)) };
  }
}

/** For the reply to a job that was cancelled. */
export function cancelled(): PackageError {
  return new PackageError("it was cancelled");
}

/** Rejects with the signal's reason. */
function pausing(clock: Pick<Clock, "after">, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancel = () => {
      stop();
      reject(signal.reason);
    };
    const stop = clock.after(ms, () => {
      signal.removeEventListener("abort", cancel);
      resolve();
    });
    if (signal.aborted) cancel();
    else signal.addEventListener("abort", cancel, { once: true });
  });
}

function swapParts(parts: PackagesParts, directory: string): SwapParts {
  return {
    files: parts.files,
    git: parts.git.files,
    record: (change) => explained(parts, directory, async (all) => recordChange(all, change)),
    directory,
  };
}
