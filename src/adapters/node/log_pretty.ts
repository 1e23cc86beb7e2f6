/**
 * One JSON log line as people at a terminal read it: time, level, message, then `key=value`.
 * Nothing in it can move the cursor or start a line of its own.
 */
export function prettyLine(json: string, options: { isColored: boolean }): string {
  const { time, level, message, ...fields } = JSON.parse(json) as Record<string, unknown>;
  const paint = (code: number, text: string) =>
    options.isColored ? `\x1b[${code}m${text}\x1b[0m` : text;
  const clock = String(time).slice(11, 23);
  const name = String(level);
  const parts = [
    paint(2, clock),
    paint(levelColors[name] ?? 0, name.toUpperCase().padEnd(5)),
    escapeControls(String(message ?? "")),
    ...Object.entries(fields).map(([key, value]) =>
      `${paint(2, `${escapeControls(key)}=`)}${showValue(value)}`
    ),
  ];
  return `${parts.join(" ")}\n`;
}

/** Escapes what a terminal or a line-reading program would act upon: control characters, Unicode
 * line ends, marks that turn the writing direction. Safe inside JSON strings. */
export function escapeControls(text: string): string {
  return text.replace(unsafe, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

const unsafe =
  // deno-lint-ignore no-control-regex
  /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

const levelColors: Readonly<Record<string, number>> = { debug: 36, info: 32, warn: 33, error: 31 };

/** Bare where it is one plain word, else as JSON. */
function showValue(value: unknown): string {
  if (typeof value === "string" && /^[^\s"=\\]+$/.test(value)) return escapeControls(value);
  return escapeControls(JSON.stringify(value));
}
