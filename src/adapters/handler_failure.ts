/** The longest message that is shown. */
const MESSAGE_LENGTH_MAX = 500;

/**
 * What an adapter does with what a handler threw when nobody else wants it: one line on stderr,
 * `<what happened>: <message>`, without the stack, which would tell where the program was built.
 */
export function reportHandlerFailure(whatHappened: string, error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  console.error(`${whatHappened}: ${oneLine(message)}`);
}

function oneLine(message: string): string {
  // deno-lint-ignore no-control-regex -- they are what must not get through to a terminal
  return message.replace(/[\x00-\x1f\x7f-\x9f]+/g, " ").trim().slice(0, MESSAGE_LENGTH_MAX);
}
