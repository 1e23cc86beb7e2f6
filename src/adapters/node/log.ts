import process from "node:process";
import { pino } from "pino";
import type { LogFields, Logger, LogLevel, LogOptions, LogPort } from "../../ports/log.ts";
import { cutString, loggable } from "./log_fields.ts";
import { rotatingFile } from "./log_file.ts";
import { escapeControls, prettyLine } from "./log_pretty.ts";
import { boundedOutput } from "./output.ts";
import type { WaitWritable } from "./poll.ts";
import type { PromptLine } from "./prompt_line.ts";
import { isTerminal } from "./terminal.ts";

const STDERR = 2;
/** A reader of stderr that stands still may hold up the server so long, then lines are lost. */
const STDERR_WAIT_MS_MAX = 100;

/**
 * Logs through pino, synchronously: a line is written when the call returns. stderr gets the
 * format asked for (colours on a terminal unless NO_COLOR is set), a file always JSON lines with
 * `time` (ISO 8601), `level`, `message` and the fields. No log call throws. What stderr does not
 * take in time is lost, and a later line says how many lines that were; `waitWritable` is needed to
 * keep that bound where stderr is a pipe or a socket. A line typed at `promptLine` stays below.
 */
export function pinoLog(
  parts: { waitWritable?: WaitWritable; promptLine?: PromptLine } = {},
): LogPort {
  const output = boundedOutput(STDERR, {
    waitMsMax: STDERR_WAIT_MS_MAX,
    waitWritable: parts.waitWritable,
  });
  const writeStderr = (text: string): boolean => {
    try {
      if (parts.promptLine === undefined) return output(text);
      return parts.promptLine.around(() => output(text));
    } catch {
      // There is nowhere left to say that stderr itself cannot be written.
      return false;
    }
  };
  return { open: (options) => open(options, writeStderr) };
}

function open(options: LogOptions, writeStderr: (text: string) => boolean): Logger {
  const toStderr = options.stderr ? stderrLines(options, writeStderr) : undefined;
  const file = options.file === undefined ? undefined : rotatingFile({
    ...options.file,
    failed: (error) => void writeStderr(`${error.message}\n`),
  });
  const write = (raw: string) => {
    const line = `${escapeControls(raw.trimEnd())}\n`;
    toStderr?.write(line);
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
      close() {
        toStderr?.tellLost();
        file?.close();
      },
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

/** Lines in the format asked for, and how many did not get through. */
function stderrLines(
  options: LogOptions,
  writeStderr: (text: string) => boolean,
): { write(line: string): void; tellLost(): boolean } {
  const isPretty = options.format === "pretty";
  const isColored = isPretty && isTerminal(STDERR) && (process.env["NO_COLOR"] ?? "") === "";
  const show = (line: string) => isPretty ? prettyLine(line, { isColored }) : line;
  let lost = 0;

  /** True when nothing is left to tell. */
  function tellLost(): boolean {
    if (lost > 0 && writeStderr(show(lostLine(lost)))) lost = 0;
    return lost === 0;
  }

  return {
    write(line) {
      if (!tellLost() || !writeStderr(show(line))) lost++;
    },
    tellLost,
  };
}

function lostLine(lost: number): string {
  const time = new Date().toISOString();
  const message = "log lines were lost, stderr did not take them";
  return `${JSON.stringify({ level: "warn", time, lost, message })}\n`;
}
