/**
 * Something that runs one script: the embedded Lua in a worker, or a native Lua in a child process.
 * Nothing here rejects; calls are answered in the order they were made, and all of them at `close`.
 */
export interface ScriptHost {
  /** Runs the script in a fresh state, which takes the old one's place when that went well. */
  load(script: LoadedScript): Promise<ScriptOutcome>;
  /** Calls `runtime_hello()` of the script loaded last. */
  hello(): Promise<ScriptOutcome>;
  /** Ends the worker or child. */
  close(): void;
}

export interface LoadedScript {
  /** Lua text, as `prepareScript` gives it. */
  readonly source: Uint8Array;
  /** For messages: the file's own name, without its folder. */
  readonly name: string;
}

/** `text`: the version for `ok` of `hello`, else the reason; raw, see `oneLine`. */
export interface ScriptOutcome {
  readonly outcome: "ok" | "missing" | "failed";
  readonly text: string;
}

/** What both kinds of hosts are made from. */
export interface ScriptHostOptions {
  readonly turnMs: number;
  readonly memoryMb: number;
  /** What one print() of the script wrote; may hold anything, see `oneLine`. */
  printed(text: string): void;
}
