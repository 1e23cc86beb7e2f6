import type { ChangeOutcome, PackagesChange } from "../admin/operated_game.ts";
import type { PackagesClient } from "../game/packages/packages_client.ts";
import type { PackagesProgress } from "../game/packages/packages_progress.ts";

/** Does one change of the packages; whoever orders it looks at them afterwards. Never rejects. */
export async function carryOutChange(
  client: PackagesClient,
  change: PackagesChange,
  watch: { progress(progress: PackagesProgress): void; readonly signal?: AbortSignal },
): Promise<ChangeOutcome> {
  switch (change.kind) {
    case "install":
      return await client.install({ ...watch, url: change.url });
    case "remove":
      return await client.remove({ ...watch, name: change.name });
    case "upgrade":
      return await client.upgrade({
        ...watch,
        ...change.name !== undefined && { name: change.name },
      });
    case "sync":
      return await client.sync(watch);
    case "enable":
    case "disable": {
      const { name, kind } = change;
      const set = await client.setEnabled({ name, enabled: kind === "enable" });
      if (!set.ok) return set;
      const line = `Package ${name} is ${kind}d${set.changed ? "" : " already"}.`;
      return { ok: true, lines: [line] };
    }
  }
}
