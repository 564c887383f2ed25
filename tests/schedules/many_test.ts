import { assert, assertEquals } from "@std/assert";
import { createFakeClock } from "../../lib/testing/mod.ts";
import { createRunner, schedule, workflow } from "../../mod.ts";
import { test } from "../harness.ts";

const SCHEDULES = 10_000;

test("a runner with 10,000 schedules that are not due executes at most a statement per second", async () => {
  const flow = workflow("flow").task("a", { run: () => 1 });
  const schedules = Array.from(
    { length: SCHEDULES },
    (_, at) => schedule({ name: `s${at}`, workflow: flow, every: "1d", jitter: "1h" }),
  );
  const clock = createFakeClock();
  const runner = await createRunner("sqlite::memory:", { workflows: [flow], schedules, clock });
  const statements = async (): Promise<number> => (await runner.stats()).store.statements;
  await clock.advance("1m");
  const ofStats = -await statements() + await statements();
  // Step by step, as a clock that is moved far at once leaves polls out.
  const before = await statements();
  for (let second = 0; second < 100; second++) await clock.advance("1s");
  const idle = await statements() - before - ofStats;
  assert(idle <= 100, `${idle} statements in 100 s`);
  assertEquals((await runner.stats()).runs.completed, 0);
  await clock.until(runner.stop());
});
