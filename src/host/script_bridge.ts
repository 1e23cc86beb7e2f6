/**
 * What the host protocol needs of a Lua script: call its greeting, load it again. Implemented by the
 * embedded Lua in a worker and by a native Lua child; the application chooses.
 */
export interface ScriptBridge {
  /** Calls the script's global `runtime_hello()`. Never rejects. */
  hello(): Promise<HelloResult>;
  /** Loads the script from disk into a fresh state; the old one stays when that fails. Never
   * rejects. */
  reload(): Promise<ReloadResult>;
  /** Ends the worker or child. Calls under way are answered `failed`. */
  close(): void;
}

export type HelloResult =
  | { readonly kind: "ok"; readonly version: string }
  /** No script is set, its file is missing, or it has no such function. */
  | { readonly kind: "missing"; readonly reason: string }
  /** It raised an error, ran too long, used too much memory, or returned no string. One line. */
  | { readonly kind: "failed"; readonly reason: string };

export type ReloadResult =
  /** `changed`: the file's bytes differ from those loaded before. Without a script: false. */
  | { readonly ok: true; readonly changed: boolean }
  | { readonly ok: false; readonly reason: string };
