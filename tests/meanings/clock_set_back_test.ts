/** A store's clock that was ahead for a while: what was due at once in that time does not wait for the clock. */
import { assertEquals } from "@std/assert";
import type { Clock } from "../../lib/clock.ts";
import { createRunner, unchecked, workflow } from "../../mod.ts";
import { createFakeClock } from "../../lib/testing/mod.ts";
import { emptyStore } from "../empty_store.ts";
import { test } from "../harness.ts";
import { openPlace } from "../place.ts";

test("a message that is sent while the clock is an hour ahead wakes its run once the clock is right", async () => {
  await using place = emptyStore();
  const time = createFakeClock();
  let offsetMs = 0;
  const clock: Clock = { ...time, now: () => time.now() + offsetMs, monotonic: () => time.now() };
  const store = await openPlace(place, { clock });
  const flow = workflow("flow").event("go", { schema: unchecked<number>() })
    .task("next", { after: ["go"], version: "1", run: ({ go }) => go + 1 }).returns("next");
  const runner = await createRunner(store, { workflows: [flow], clock });
  const run = await runner.start(flow);
  await time.advance("1m");
  assertEquals((await store.run(run.id))?.owner, undefined);
  offsetMs = 3_600_000;
  // The runner has seen that time when the clock is set back.
  await time.advance("10s");
  await store.send(run.id, { id: crypto.randomUUID(), task: "go", payload: "1" });
  offsetMs = 0;
  await time.advance("1m");
  assertEquals((await run.status()).state, "completed");
  await time.until(runner.stop());
  await store.close();
});

test("a run that is started while the clock is ahead for a moment begins once the clock is right", async () => {
  await using place = emptyStore();
  const time = createFakeClock();
  let offsetMs = 0;
  const clock: Clock = { ...time, now: () => time.now() + offsetMs, monotonic: () => time.now() };
  const store = await openPlace(place, { clock });
  const flow = workflow("flow").task("a", { version: "1", run: () => 1 });
  const held = Promise.withResolvers<void>();
  const holding = workflow("holding").task("a", { version: "1", run: () => held.promise });
  const runner = await createRunner(store, { workflows: [flow, holding], clock, concurrency: 1, maxRuns: 1 });
  await runner.start(holding);
  await time.advance("10s");
  // Between two polls of the runner, which has no free slot for it.
  offsetMs = 3_600_000;
  const run = await runner.start(flow);
  offsetMs = 0;
  held.resolve();
  await time.advance("1m");
  assertEquals((await run.status()).state, "completed");
  await time.until(runner.stop());
  await store.close();
});
