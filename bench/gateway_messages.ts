/**
 * What one JSON message of the gateway costs: read, and given its head for the upstream. Time of the
 * processor in one thread, so that others on the machine count less.
 */
import {
  ackFrame,
  quotedJsonBytes,
  upstreamHeadBytes,
  upstreamRouteBytes,
  writeUpstreamHead,
} from "../src/wire/gateway_frames.ts";
import {
  ClientMessage,
  readClientMessage,
  readUpstreamMessage,
  UpstreamMessage,
} from "../src/wire/gateway_message.ts";
import { type Figure, median, numberFlag, report } from "./measure.ts";

const rounds = numberFlag("rounds", 7);
const messages = numberFlag("messages", 300_000);
const largeBytes = 50_000_000;

/** As the known SDK writes them, 200 bytes in all; each text is another one, as in a server. */
const texts = Array.from({ length: 1_000 }, (_, index) => {
  const id = String(index).padStart(6, "0");
  const start = `{"type":0,"clientId":"client-1-${id}","messageId":"1709078400000-${id}",` +
    `"timestamp":1709078400000000000,"data":"`;
  const end = `","contentType":"text/plain"}`;
  return start + "x".repeat(200 - start.length - end.length) + end;
});
const wideTexts = texts.map((text) => text.replace("xxxxxxxxxx", "消息消息消息消息消息"));
const route = upstreamRouteBytes("ws://127.0.0.1:9000/gateway");
const into = new ClientMessage();
const fromUpstream = new UpstreamMessage();
const buffer = new Uint8Array(1_024);
const stampMs = 1_709_078_400_000;

function busyMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

function each(list: readonly string[], work: (text: string) => unknown): (count: number) => void {
  return (count) => {
    for (let done = 0; done < count; done++) work(list[done % list.length]!);
  };
}

const tasks: readonly (readonly [name: string, run: (count: number) => void])[] = [
  ["JSON.parse alone", each(texts, (text) => JSON.parse(text))],
  ["client message read", each(texts, (text) => readClientMessage(text, into))],
  ["the same with Chinese text", each(wideTexts, (text) => readClientMessage(text, into))],
  ["upstream message read", each(texts, (text) => readUpstreamMessage(text, fromUpstream))],
  ["head written", (count) => {
    for (let done = 0; done < count; done++) {
      writeUpstreamHead(buffer, 0, "client-1-000123", stampMs, done % 1_000_000, route);
    }
  }],
  ["head counted", (count) => {
    for (let done = 0; done < count; done++) {
      upstreamHeadBytes(quotedJsonBytes("client-1-000123"), stampMs, route);
    }
  }],
  ["ack written", each(texts, (text) => ackFrame(text.slice(51, 71)))],
];

const figures: Figure[] = tasks.map(([name, run]) => {
  run(messages); // compiles the hot code
  const perMessage = Array.from({ length: rounds }, () => {
    const before = busyMs();
    run(messages);
    return (busyMs() - before) * 1_000 / messages;
  });
  return { name, value: median(perMessage), unit: "µs a message" };
});

const large = `{"type":0,"data":"${"x".repeat(largeBytes)}"}`;
const escaped = `{"type":0,"data":"${'\\"'.repeat(largeBytes / 2)}"}`;
const listed = `{"type":0,"x":[${"1,".repeat(largeBytes / 2)}1]}`;
const nested = `{"x":${"[".repeat(largeBytes)}`;
for (
  const [name, text] of [
    ["one text", large],
    ["escapes", escaped],
    ["a list", listed],
    ["only brackets", nested],
  ] as const
) {
  const times = [0, 1, 2].map(() => {
    // Flattened beforehand, as a frame's text is.
    text.charCodeAt(text.length - 1);
    const before = busyMs();
    readClientMessage(text, into);
    return busyMs() - before;
  });
  figures.push({ name: `50 MB, ${name}`, value: median(times), unit: "ms" });
}
report("gateway_messages", figures);
