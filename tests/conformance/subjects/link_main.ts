/**
 * The gateway's link to an upstream on the runtime that runs this, as a client of a server that tests
 * it. Takes the lines `dial <url>` (a new link, which sends every message back: a text as it is,
 * bytes as `binary:` and base64; it stops when its connection ended) and `sync <word>`, which is
 * answered by `synced <word>`.
 */
import process from "node:process";
import { createInterface } from "node:readline";
import { type LinkOwner, type LinkQueue } from "../../../src/gateway/link_types.ts";
import { UpstreamLink } from "../../../src/gateway/upstream_link.ts";
import { runtimeUnderTest } from "../../tested_runtime.ts";
import { EchoQueue } from "./echo_queue.ts";
import { echoLimits } from "./echo_limits.ts";

const { tcp, clock, random, crypto, log } = await runtimeUnderTest();
const logger = log.open({ level: "error", format: "pretty", stderr: true });

function dial(url: string): void {
  const queue = new EchoQueue();
  const owner: LinkOwner = {
    text: (text) => echo(text),
    binary: (bytes) => echo(`binary:${Buffer.from(bytes).toString("base64")}`),
    changed: (state, end) => {
      if (state !== "dialing" && state !== "open" && end !== undefined) void link.stop();
    },
  };
  const link = new UpstreamLink({
    url,
    queue: queue satisfies LinkQueue,
    owner,
    tcp,
    clock,
    random,
    crypto,
    logger,
    upstreamAck: "none",
    messageBytesMax: echoLimits.messageBytesMax,
  });
  function echo(text: string): void {
    queue.push(text);
    link.wake();
  }
  link.start();
}

const input = createInterface({ input: process.stdin });
input.on("line", (line) => {
  const [order, word = ""] = line.split(" ");
  if (order === "dial") dial(word);
  else if (order === "sync") console.log(`synced ${word}`);
});
input.on("close", () => process.exit(0));
console.log("ready");
