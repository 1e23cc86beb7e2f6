/** Reading the configuration on a thread of its own: a file with many rules takes a while. */
import { brokenFile, type Fault } from "./faults.ts";
import type { RouteRule } from "./gateway_config.ts";
import { type LoadInput, type LoadResult, loadSettings } from "./load_settings.ts";
import type { SettingsFiles } from "./read_document.ts";
import type { Settings } from "./settings.ts";

/** Rules that are handed over at once: whoever reads them does so in about a millisecond. */
const rulesAtOnce = 500;

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
  /** Some rules as JSON; "" when there are no more. */
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
    scope.post({ kind: "rules", text: next.length === 0 ? "" : JSON.stringify(next) });
  });
}

/** What the owner of the thread sees of it. */
export interface SettingsThread {
  post(request: SettingsRequest): void;
  /** The answer to the request before; rejects when the thread has failed. */
  reply(): Promise<SettingsReply>;
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
  // Rules that lead to the same place share a list.
  const lists = new Map<string, readonly string[]>();
  for (;;) {
    thread.post({ kind: "rules" });
    const reply = await thread.reply();
    if (reply.kind !== "rules" || reply.text === "") break;
    for (const rule of JSON.parse(reply.text) as RouteRule[]) routes.push(sharing(rule, lists));
  }
  const gateway = { ...settings.gateway, routes };
  return { ok: true, settings: { ...settings, gateway }, path, gamePath, notices };
}

function sharing(rule: RouteRule, lists: Map<string, readonly string[]>): RouteRule {
  const { clientIdPrefix, upstreams, strategy } = rule;
  const [only = ""] = upstreams;
  if (upstreams.length !== 1) return rule;
  const known = lists.get(only);
  if (known === undefined) lists.set(only, upstreams);
  return { clientIdPrefix, upstreams: known ?? upstreams, strategy };
}
