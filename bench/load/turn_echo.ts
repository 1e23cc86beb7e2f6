/** A worker that answers each message with the one that was given to it for that turn. */
import { workerScope } from "../../src/adapters/node/workers.ts";

const answers: unknown[] = [];

const scope = workerScope<{ answers?: unknown[]; turn?: number }, unknown>();
scope.onMessage(({ answers: given, turn }) => {
  if (given !== undefined) answers.push(...given);
  scope.post(turn === undefined ? "ready" : answers[turn]);
});
