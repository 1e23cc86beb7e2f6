import type { LogFields, Logger, LogLevel } from "../src/ports/log.ts";

export interface LogLine {
  readonly level: LogLevel;
  readonly fields: LogFields;
  readonly message: string;
}

/** A logger that keeps what it is given, and the lines it was given. */
export function recordingLogger(): { logger: Logger; lines: LogLine[] } {
  const lines: LogLine[] = [];
  const make = (own: LogFields): Logger => {
    const at = (level: LogLevel) => (fields: LogFields, message: string) => {
      lines.push({ level, fields: { ...own, ...fields }, message });
    };
    return {
      debug: at("debug"),
      info: at("info"),
      warn: at("warn"),
      error: at("error"),
      child: (fields) => make({ ...own, ...fields }),
      setLevel: () => {},
      close: () => {},
    };
  };
  return { logger: make({}), lines };
}
