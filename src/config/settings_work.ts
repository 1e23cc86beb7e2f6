/** Reading the configuration on a thread of its own: a file with many rules takes a while. */
import { brokenFile, type Fault } from "./faults.ts";
import type { RouteRule, UpstreamStrategy } from "./gateway_config.ts";
import { type LoadInput, type LoadResult, loadSettings } from "./load_settings.ts";
import type { SettingsFiles } from "./read_document.ts";
import type { Settings } from "./settings.ts";

/** Rules that are handed over at once: whoever reads them does so in well under a millisecond. */
const rulesAtOnce = 1_000;

/** Rules that lead to the same place, one after the other. As JSON they leave little behind for the
 * collector of garbage, whose work on many rules would be the longest stall of all. */
interface RuleRun {
  readonly upstreams: readonly string[];
  readonly strategy: UpstreamStrategy;
  readonly prefixes: readonly string[];
}

export type SettingsRequest =
  /** First, and once. */
  | { readonly kind: "load"; readonly input: Omit<LoadInput, "files"> }
  /** The next of the rules, after `loaded`. */
  | { readonly kind: "rules" };

export type SettingsReply =
  | { readonly kind: "refused"; readonly faults: readonly Fault[] }
  | {
    readonly kind: "loaded";
    /** Without rules. */
    readonly settings: Settings;
    readonly path: string | undefined;
    readonly gamePath: string | undefined;
    readonly notices: readonly string[];
  }
  /** Some rules, as JSON of runs; "" when there are no more. */
  | { readonly kind: "rules"; readonly text: string };

/** What is needed of the thread's own side. */
export interface SettingsScope {
  post(reply: SettingsReply): void;
  onMessage(receive: (request: SettingsRequest) => void): void;
}

/** The work of the thread. */
export function runSettingsWorker(
  scope: SettingsScope,
  files: SettingsFiles,
): void {
  let rules: readonly RouteRule[] = [];
  let handedOver = 0;
  const load = async (input: Omit<LoadInput, "files">) => {
    const loaded = await loadSettings({ ...input, files });
    if (!loaded.ok) {
      scope.post({ kind: "refused", faults: loaded.faults });
      return;
    }
    const { settings, path, gamePath, notices } = loaded;
    rules = settings.gateway.routes;
    const bare = { ...settings, gateway: { ...settings.gateway, routes: [] } };
    scope.post({ kind: "loaded", settings: bare, path, gamePath, notices });
  };
  scope.onMessage((request) => {
    if (request.kind === "load") {
      load(request.input).catch((error: unknown) => {
        // Nobody waits for a promise here: only this way does the owner hear of it.
        queueMicrotask(() => {
          throw error;
        });
      });
      return;
    }
    const next = rules.slice(handedOver, handedOver + rulesAtOnce);
    handedOver += next.length;
    scope.post({ kind: "rules", text: next.length === 0 ? "" : JSON.stringify(runsOf(next)) });
  });
}

/** What the owner of the thread sees of it. */
export interface SettingsThread {
  post(request: SettingsRequest): void;
  /** The answer to the request before; rejects when the thread has failed. */
  reply(): Promise<SettingsReply>;
  /** Resolves when everything else had its turn: answers may come as fast as they are read. */
  pause(): Promise<void>;
}

/** The same as `loadSettings`, by a thread. What it holds up the caller's own is below 2 ms at once. */
export async function loadSettingsByThread(
  thread: SettingsThread,
  input: Omit<LoadInput, "files">,
): Promise<LoadResult> {
  const { env, flags, configPath } = input;
  // Some environments are no plain objects.
  thread.post({ kind: "load", input: { env: { ...env }, flags, configPath } });
  const loaded = await thread.reply();
  if (loaded.kind === "refused") return { ok: false, faults: loaded.faults };
  if (loaded.kind !== "loaded") {
    return { ok: false, faults: [brokenFile("configuration", "its reader gave a wrong answer")] };
  }
  const { settings, path, gamePath, notices } = loaded;
  const routes: RouteRule[] = [];
  // Rules that lead to the same place share a list, whatever is between them.
  const lists = new Map<string, readonly string[]>();
  for (;;) {
    thread.post({ kind: "rules" });
    const reply = await thread.reply();
    if (reply.kind !== "rules" || reply.text === "") break;
    for (const run of JSON.parse(reply.text) as RuleRun[]) putRules(run, { routes, lists });
    await thread.pause();
  }
  const gateway = { ...settings.gateway, routes };
  return { ok: true, settings: { ...settings, gateway }, path, gamePath, notices };
}

function runsOf(rules: readonly RouteRule[]): RuleRun[] {
  const runs: (RuleRun & { readonly prefixes: string[] })[] = [];
  for (const { clientIdPrefix, upstreams, strategy } of rules) {
    const run = runs.at(-1);
    if (run !== undefined && run.strategy === strategy && isSameList(run.upstreams, upstreams)) {
      run.prefixes.push(clientIdPrefix);
    } else {
      runs.push({ upstreams, strategy, prefixes: [clientIdPrefix] });
    }
  }
  return runs;
}

function putRules(
  { upstreams, strategy, prefixes }: RuleRun,
  { routes, lists }: { routes: RouteRule[]; lists: Map<string, readonly string[]> },
): void {
  const key = JSON.stringify(upstreams);
  const known = lists.get(key);
  if (known === undefined) lists.set(key, upstreams);
  const shared = known ?? upstreams;
  for (const clientIdPrefix of prefixes) {
    routes.push({ clientIdPrefix, upstreams: shared, strategy });
  }
}

function isSameList(some: readonly string[], others: readonly string[]): boolean {
  return some === others ||
    (some.length === others.length && some.every((url, place) => url === others[place]));
}
