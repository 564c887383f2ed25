import { assertEquals } from "@std/assert";
import { createRunner, StoreError, unchecked, workflow } from "../../mod.ts";
import { openSqliteStore } from "../../lib/store/sqlite/store.ts";
import { createFakeClock } from "../../lib/testing/mod.ts";
import { test } from "../harness.ts";

test("a read that a stop() cuts short is not logged as a fault, and another one is", async () => {
  for (const [code, lines] of [["store_closed", 0], ["corrupt_row", 1]] as const) {
    const asked = workflow("asked").event("answer", { schema: unchecked<number>() });
    const clock = createFakeClock();
    const store = await openSqliteStore(":memory:", { clock });
    const reading = Promise.withResolvers<void>();
    const cut = Promise.withResolvers<never>();
    const slow = { ...store, messages: () => (reading.resolve(), cut.promise) };
    const errors: string[] = [];
    const logger = { debug() {}, info() {}, warn() {}, error: (message: string) => void errors.push(message) };
    const runner = await createRunner(slow, { workflows: [asked], clock, logger });
    const run = await runner.start(asked);
    await clock.settle();
    await run.send("answer", 1);
    await clock.until(reading.promise);
    await clock.until(runner.stop({ timeout: 0 }));
    cut.reject(new StoreError(code, "the store was closed"));
    await clock.settle();
    assertEquals(errors.length, lines, errors.join());
    await store.close();
  }
});
