import type { Clock } from "../../ports/clock.ts";
import { FileError, type FilesPort } from "../../ports/files.ts";
import type { Logger } from "../../ports/log.ts";
import type { ScriptHost, ScriptHostOptions, ScriptOutcome } from "./script_host.ts";
import { scriptLimits } from "./script_sandbox.ts";
import { oneLine, prepareScript, reasonLine, scriptName } from "./script_text.ts";

/** The script is loaded so long after the start, if nobody asks sooner: the start itself must be
 * quick, and a fault in the script should show in the log before the first probe comes. */
const warmUpMs = 300;
/** A script that could not be loaded is not tried again at each call. */
const retryMs = 1_000;
/** Printed lines a minute that reach the log; a script that is called often may print each time. */
const printedLinesPerMinute = 300;
const minuteMs = 60_000;
/** Different warnings a minute; a script may give another reason each time. */
const warningsPerMinute = 10;

/** The answer to a greeting; `version` and `reason` are single lines. */
export type HelloAnswer =
  | { readonly kind: "ok"; readonly version: string }
  | { readonly kind: "missing"; readonly reason: string }
  | { readonly kind: "failed"; readonly reason: string };

export type ReloadAnswer =
  | { readonly ok: true; readonly changed: boolean }
  | { readonly ok: false; readonly reason: string };

export interface ScriptRunnerOptions {
  readonly files: FilesPort;
  readonly clock: Clock;
  readonly logger: Logger;
  /** "" for none: then no host is ever opened. */
  readonly scriptPath: string;
  readonly turnMs: number;
  readonly memoryMb: number;
  openHost(options: ScriptHostOptions): ScriptHost;
}

/**
 * The file side of a script: finds it, loads it late, loads it again, tells whether it changed. Opens
 * its host at the first need.
 */
export class ScriptRunner {
  readonly #options: ScriptRunnerOptions;
  readonly #name: string;
  readonly #cancelWarmUp: () => void;
  #host: ScriptHost | undefined;
  /** The file's bytes behind the state that answers now. */
  #loadedFile: Uint8Array | undefined;
  #lastFault: { readonly answer: ScriptOutcome; readonly at: number } | undefined;
  /** Loads run one after the other. */
  #loading: Promise<ScriptOutcome> | undefined;
  #lastReload: Promise<unknown> = Promise.resolve();
  #warned = { windowStart: -Infinity, told: new Set<string>() };
  #printed = { windowStart: -Infinity, lines: 0 };
  #closed = false;

  constructor(options: ScriptRunnerOptions) {
    this.#options = options;
    this.#name = scriptName(options.scriptPath);
    this.#cancelWarmUp = options.scriptPath === ""
      ? () => {}
      : options.clock.after(warmUpMs, () => void this.#ensureLoaded());
  }

  /** Calls `runtime_hello()`. Never rejects. */
  async hello(): Promise<HelloAnswer> {
    // A greeting behind a reload is for the new script.
    await this.#lastReload;
    const loaded = await this.#ensureLoaded();
    const answer = loaded.outcome === "ok" ? await this.#openHost().hello() : loaded;
    if (answer.outcome === "ok") return { kind: "ok", version: oneLine(answer.text) };
    const reason = reasonLine(answer.text);
    const isToldAlready = loaded.outcome !== "ok" && this.#options.scriptPath !== "";
    if (!isToldAlready) this.#warn(reason, "The script did not greet");
    return { kind: answer.outcome, reason };
  }

  /** Loads the file again; the state before stays when that fails. Never rejects. */
  reload(): Promise<ReloadAnswer> {
    const reloaded = this.#lastReload.then(() => this.#reload());
    this.#lastReload = reloaded;
    return reloaded;
  }

  close(): void {
    this.#closed = true;
    this.#cancelWarmUp();
    this.#host?.close();
  }

  async #reload(): Promise<ReloadAnswer> {
    if (this.#options.scriptPath === "") return { ok: true, changed: false };
    // What the file held at the start counts as loaded, even if nobody has asked for it yet.
    await this.#ensureLoaded();
    while (this.#loading !== undefined) await this.#loading;
    const before = this.#loadedFile;
    const answer = await this.#load();
    if (answer.outcome !== "ok") return { ok: false, reason: reasonLine(answer.text) };
    const after = this.#loadedFile;
    return { ok: true, changed: before === undefined || !sameBytes(before, after) };
  }

  async #ensureLoaded(): Promise<ScriptOutcome> {
    if (this.#options.scriptPath === "") return { outcome: "missing", text: "no script is set" };
    if (this.#loadedFile !== undefined) return { outcome: "ok", text: "" };
    if (this.#loading !== undefined) return await this.#loading;
    const fault = this.#lastFault;
    if (fault !== undefined && this.#options.clock.monotonic() - fault.at < retryMs) {
      return fault.answer;
    }
    return await this.#load();
  }

  /** All who wait for a load get the same promise: their calls then keep their order. */
  #load(): Promise<ScriptOutcome> {
    this.#cancelWarmUp();
    this.#loading ??= this.#loadOnce().finally(() => this.#loading = undefined);
    return this.#loading;
  }

  async #loadOnce(): Promise<ScriptOutcome> {
    const answer = await this.#readAndLoad();
    if (answer.outcome === "ok") {
      this.#lastFault = undefined;
    } else {
      this.#lastFault = { answer, at: this.#options.clock.monotonic() };
      this.#warn(reasonLine(answer.text), "The script was not loaded");
    }
    return answer;
  }

  async #readAndLoad(): Promise<ScriptOutcome> {
    const file = await this.#readFile();
    if (!(file instanceof Uint8Array)) return file;
    const answer = await this.#openHost().load({ source: prepareScript(file), name: this.#name });
    if (answer.outcome === "ok") this.#loadedFile = file;
    return answer;
  }

  async #readFile(): Promise<Uint8Array | ScriptOutcome> {
    const { files, scriptPath } = this.#options;
    const bytesMax = scriptLimits.scriptBytesMax;
    try {
      const info = await files.info(scriptPath);
      if (info === undefined) return { outcome: "missing", text: "the script's file is missing" };
      if (info.kind !== "file") return { outcome: "failed", text: "the script is not a file" };
      if (info.bytes > bytesMax) {
        const text = `the script has ${info.bytes} bytes, at most ${bytesMax} are allowed`;
        return { outcome: "failed", text };
      }
      return await files.read(scriptPath, { bytesMax });
    } catch (fault) {
      const why = fault instanceof FileError ? fault.code : String(fault);
      return { outcome: "failed", text: `the script cannot be read: ${why}` };
    }
  }

  #openHost(): ScriptHost {
    this.#host ??= this.#options.openHost({
      turnMs: this.#options.turnMs,
      memoryMb: this.#options.memoryMb,
      printed: (text) => this.#print(text),
    });
    if (this.#closed) this.#host.close();
    return this.#host;
  }

  /** Each thing once a minute: probes come often. */
  #warn(reason: string, message: string): void {
    const now = this.#options.clock.monotonic();
    const isOver = now - this.#warned.windowStart >= minuteMs;
    if (isOver) this.#warned = { windowStart: now, told: new Set() };
    const { told } = this.#warned;
    const line = `${message}: ${reason}`;
    if (this.#closed || told.has(line) || told.size >= warningsPerMinute) return;
    told.add(line);
    this.#options.logger.warn({ script: this.#name, reason }, message);
  }

  #print(text: string): void {
    const now = this.#options.clock.monotonic();
    if (now - this.#printed.windowStart >= minuteMs) this.#printed = { windowStart: now, lines: 0 };
    this.#printed.lines++;
    const { logger } = this.#options;
    const fields = { script: this.#name };
    if (this.#printed.lines <= printedLinesPerMinute) {
      logger.info({ ...fields, text: oneLine(text) }, "The script printed");
    } else if (this.#printed.lines === printedLinesPerMinute + 1) {
      logger.warn(fields, "The script prints too much: its lines are dropped for up to a minute");
    }
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array | undefined): boolean {
  return b !== undefined && a.length === b.length && a.every((byte, index) => byte === b[index]);
}
