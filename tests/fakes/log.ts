import type { LogFields, Logger, LogLevel, LogPort } from "../../src/ports/log.ts";

export interface LogLine {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
}

/** A log that keeps its lines for the test to read. */
export interface FakeLog extends LogPort {
  readonly lines: readonly LogLine[];
  /** One ready to use, of level `debug`. */
  readonly logger: Logger;
}

const levels: readonly LogLevel[] = ["debug", "info", "warn", "error"];

export function fakeLog(): FakeLog {
  const lines: LogLine[] = [];

  function open(first: LogLevel): Logger {
    let lowest = first;
    const withFields = (own: LogFields): Logger => {
      const at = (level: LogLevel) => (fields: LogFields, message: string) => {
        if (levels.indexOf(level) < levels.indexOf(lowest)) return;
        lines.push({ level, message, fields: { ...own, ...fields } });
      };
      return {
        debug: at("debug"),
        info: at("info"),
        warn: at("warn"),
        error: at("error"),
        child: (fields) => withFields({ ...own, ...fields }),
        setLevel(level) {
          lowest = level;
        },
        close() {},
      };
    };
    return withFields({});
  }

  return { lines, logger: open("debug"), open: (options) => open(options.level) };
}
