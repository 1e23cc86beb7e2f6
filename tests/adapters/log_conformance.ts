import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Logger, LogLevel } from "../../src/ports/log.ts";

export interface SeenLine {
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** What each log must do. `open` gives a new logger and how to see what it wrote. */
export function logConformance(
  name: string,
  open: (level: LogLevel) => Promise<{ logger: Logger; lines(): Promise<readonly SeenLine[]> }>,
): void {
  describe(`LogPort of ${name}`, () => {
    it("a line carries level, message and fields", async () => {
      const { logger, lines } = await open("debug");
      logger.debug({}, "one");
      logger.info({ room: 5, list: [1, "a"], none: null }, "two");
      logger.warn({ nested: { deep: true } }, "three");
      logger.error({ text: "x" }, "four");
      logger.close();
      assert.deepEqual(await lines(), [
        { level: "debug", message: "one", fields: {} },
        { level: "info", message: "two", fields: { room: 5, list: [1, "a"], none: null } },
        { level: "warn", message: "three", fields: { nested: { deep: true } } },
        { level: "error", message: "four", fields: { text: "x" } },
      ]);
    });

    it("lines below the level are left out; setLevel() holds for children and parents", async () => {
      const { logger, lines } = await open("warn");
      const child = logger.child({ part: "child" });
      logger.info({}, "no");
      child.debug({}, "no");
      child.warn({}, "yes 1");
      child.setLevel("info");
      logger.info({}, "yes 2");
      logger.debug({}, "no");
      logger.setLevel("error");
      child.warn({}, "no");
      child.error({}, "yes 3");
      logger.close();
      assert.deepEqual((await lines()).map((line) => line.message), ["yes 1", "yes 2", "yes 3"]);
    });

    it("child() adds its fields, those of the line win", async () => {
      const { logger, lines } = await open("info");
      const child = logger.child({ room: 1, seat: 2 }).child({ seat: 3 });
      child.info({ card: 4 }, "a");
      child.info({ room: 9 }, "b");
      logger.info({}, "c");
      logger.close();
      assert.deepEqual((await lines()).map((line) => line.fields), [
        { room: 1, seat: 3, card: 4 },
        { room: 9, seat: 3 },
        {},
      ]);
    });

    it("close() may be called again, and logging after it does not throw", async () => {
      const { logger, lines } = await open("info");
      logger.info({}, "before");
      logger.close();
      logger.close();
      logger.info({}, "after");
      assert.equal((await lines())[0]?.message, "before");
    });
  });
}
