/**
 * An upstream as a process of its own, which can be stopped and killed: `upstream_main.ts ANSWER
 * RECORD_FILE [PORT]`. Prints its port when it listens; appends `clientId messageId` to the file for
 * each message.
 */
import { appendFileSync } from "node:fs";
import process from "node:process";
import { type UpstreamAnswer, UpstreamServer } from "./upstream_server.ts";

const [answer = "echo", recordFile = "", port = "0"] = process.argv.slice(2);

const upstream = await UpstreamServer.listen({
  answer: answer as UpstreamAnswer,
  port: Number(port),
  onArrival: ({ clientId, messageId }) => appendFileSync(recordFile, `${clientId} ${messageId}\n`),
});
console.log(`upstream_ready port=${upstream.port}`);
