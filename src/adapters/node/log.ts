import process from "node:process";
import { pino } from "pino";
import type { LogFields, Logger, LogLevel, LogOptions, LogPort } from "../../ports/log.ts";
import { cutString, loggable } from "./log_fields.ts";
import { rotatingFile } from "./log_file.ts";
import { escapeControls, prettyLine } from "./log_pretty.ts";
import { writeAll } from "./output.ts";
import { isTerminal } from "./terminal.ts";

const STDERR = 2;
/** A reader of stderr that stands still may hold up the server so long, then lines are lost. */
const STDERR_WAIT_MS_MAX = 100;

/**
 * Logs through pino, synchronously: a line is written when the call returns. stderr gets the
 * format asked for (colours on a terminal unless NO_COLOR is set), a file always JSON lines with
 * `time` (ISO 8601), `level`, `message` and the fields. No log call throws.
 */
export function pinoLog(): LogPort {
  return { open };
}

function open(options: LogOptions): Logger {
  const toStderr = stderrWriter(options);
  const file = options.file === undefined ? undefined : rotatingFile({
    ...options.file,
    failed: (error) => writeStderr(`${error.message}\n`),
  });
  const write = (raw: string) => {
    const line = `${escapeControls(raw.trimEnd())}\n`;
    toStderr?.(line);
    file?.write(line);
  };
  const sink = pino({
    level: options.level,
    base: undefined,
    messageKey: "message",
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  }, { write });

  function logger(own: Readonly<Record<string, unknown>>): Logger {
    const at = (level: LogLevel) => (fields: LogFields, message: string) => {
      if (!sink.isLevelEnabled(level)) return;
      sink[level]({ ...own, ...shownFields(fields) }, cutString(message));
    };
    return {
      debug: at("debug"),
      info: at("info"),
      warn: at("warn"),
      error: at("error"),
      child: (fields) => logger({ ...own, ...shownFields(fields) }),
      setLevel(level) {
        sink.level = level;
      },
      close: () => file?.close(),
    };
  }
  return logger({});
}

/** A getter among the fields may throw; the line must come all the same. */
function shownFields(fields: LogFields): Record<string, unknown> {
  try {
    return loggable(fields);
  } catch (error) {
    return { log_fields_failed: String(error) };
  }
}

function stderrWriter(options: LogOptions): ((line: string) => void) | undefined {
  if (!options.stderr) return undefined;
  if (options.format === "json") return writeStderr;
  const isColored = isTerminal(STDERR) && (process.env["NO_COLOR"] ?? "") === "";
  return (line) => writeStderr(prettyLine(line, { isColored }));
}

function writeStderr(text: string): void {
  try {
    writeAll(STDERR, Buffer.from(text), STDERR_WAIT_MS_MAX);
  } catch {
    // There is nowhere left to say that stderr itself cannot be written.
  }
}
