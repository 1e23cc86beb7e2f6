import { scriptLimits } from "./script_sandbox.ts";

/**
 * The Lua text of a script file: without a UTF-8 byte order mark and, as `lua` does, without a first
 * line that starts with `#` (its end of line stays, so that lines keep their numbers).
 */
export function prepareScript(file: Uint8Array): Uint8Array {
  const hasMark = file[0] === 0xef && file[1] === 0xbb && file[2] === 0xbf;
  const text = hasMark ? file.subarray(3) : file;
  if (text[0] !== 0x23) return text;
  const end = text.indexOf(0x0a);
  return end < 0 ? new Uint8Array(0) : text.subarray(end);
}

/** The last part of a path, for messages: a script must not learn where the server lives, nor tell. */
export function scriptName(path: string): string {
  return oneLine(path.split(/[\\/]/).at(-1) || "script");
}

/** Text from a script made fit for a protocol of lines: control characters and line separators
 * become spaces, bytes that are no UTF-8 were replaced already. */
export function oneLine(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, " ").trimEnd();
}

/** The same, short enough for a reason. */
export function reasonLine(text: string): string {
  const line = oneLine(text).replace(/ {2,}/g, " ");
  return line.length > scriptLimits.reasonBytesMax
    ? `${line.slice(0, scriptLimits.reasonBytesMax)}…`
    : line;
}
