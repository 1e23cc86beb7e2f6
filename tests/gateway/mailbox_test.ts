import assert from "node:assert/strict";
import { test } from "node:test";
import { noSlot } from "../../src/gateway/log/message_log_types.ts";
import { Mailbox } from "../../src/gateway/mailbox.ts";
import { memoryLog } from "./memory_log.ts";

const limits = { perClient: 3, perClientBytes: 100, total: 4, totalBytes: 150, ttlSeconds: 60 };

test("Mailbox.hasRoom() bounds count and bytes of one client and of all", async () => {
  const { log, clients, add } = await memoryLog();
  const mailbox = new Mailbox(log, limits);
  const [a, b] = [clients.named("a"), clients.named("b")];
  const put = (client: typeof a, body: string) =>
    mailbox.push(client, add({ client, direction: "down", body }));
  put(a, "x".repeat(60));
  assert.equal(mailbox.hasRoom(a, 40), true);
  assert.equal(mailbox.hasRoom(a, 41), false, "bytes of one client");
  put(a, "x");
  put(a, "x");
  assert.equal(mailbox.hasRoom(a, 1), false, "count of one client");
  assert.equal(mailbox.hasRoom(b, 89), false, "bytes of all");
  put(b, "x");
  assert.equal(mailbox.hasRoom(b, 1), false, "count of all");
});

test("Mailbox.remove() takes a message out wherever it stands, and gives its room back", async () => {
  const { log, clients, add } = await memoryLog();
  const mailbox = new Mailbox(log, { ...limits, perClient: 10, total: 10 });
  const client = clients.named("a");
  const slots = ["1", "2", "3"].map((body) => add({ client, direction: "down", body }));
  for (const slot of slots) mailbox.push(client, slot);
  const [first = noSlot, middle = noSlot, last = noSlot] = slots;
  mailbox.remove(client, middle);
  assert.equal(client.waitingFirst, first);
  assert.equal(log.next(first), last);
  mailbox.remove(client, first);
  mailbox.remove(client, last);
  assert.deepEqual(
    [client.waitingFirst, client.waitingLast, client.waitingCount, client.waitingBytes],
    [noSlot, noSlot, 0, 0],
  );
  assert.deepEqual([mailbox.count, mailbox.bytes], [0, 0]);
});
