/** Structured log. Fields first, then one short sentence; secrets never go in. */
export type LogLevel = "debug" | "info" | "warn" | "error";
export type LogFields = Readonly<Record<string, unknown>>;

export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  /** A logger that adds these fields to each line. */
  child(fields: LogFields): Logger;
  setLevel(level: LogLevel): void;
  /** Writes out what waits and closes its file. */
  close(): void;
}

export interface LogOptions {
  readonly level: LogLevel;
  /** `json`: one object a line; `pretty`: for people at a terminal. */
  readonly format: "json" | "pretty";
  /** Where lines go besides or instead of stderr. */
  readonly file?: { readonly path: string; readonly bytesMax: number; readonly filesMax: number };
  readonly stderr: boolean;
}

export interface LogPort {
  /** Throws FileError when the file cannot be opened. */
  open(options: LogOptions): Logger;
}
