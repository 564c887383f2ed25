import { assertEquals } from "@std/assert";
import type { RunEvent } from "../../lib/engine/events.ts";
import { createRunner } from "../../lib/engine/runner.ts";
import { workflow } from "../../lib/definition/workflow.ts";
import { sqliteStore } from "../../lib/store/sqlite/mod.ts";
import { createFakeClock } from "../../lib/testing/mod.ts";
import { test } from "../harness.ts";

const greet = workflow("greet").task("hello", { run: () => "hello" });
const served = [{ workflow: "greet", version: greet.version }];

/** What a runner tells that finds a run whose own runner gave no sign of life for longer than its lease. */
async function eventsAfterDeath(recoveryLimit: number): Promise<readonly RunEvent[]> {
  const clock = createFakeClock();
  const store = await sqliteStore("sqlite::memory:", { clock });
  const card = { host: "elsewhere", pid: 1, pidStartedAt: undefined, served, pinned: false };
  const dead = await store.join({ ...card, concurrency: 1, maxRuns: 1 }, 1_000);
  const run = { id: "r1", workflow: "greet", version: greet.version, key: undefined, priority: 0, dueAt: clock.now() };
  const rest = { tags: [], input: undefined, timeoutMs: undefined, owner: dead, fork: undefined };
  await store.commit({ starts: [{ ...run, ...rest }], writes: [], claim: undefined });
  await clock.advance("2s");
  const events: RunEvent[] = [];
  const onEvent = (event: RunEvent): void => void events.push(event);
  const runner = await createRunner(store, { workflows: [greet], clock, onEvent, recoveryLimit });
  await runner.get("r1").outcome();
  await runner.stop();
  await store.close();
  return events;
}

test("onEvent tells of a run that was taken from a dead runner, and how many have died with it", async () => {
  const [first, second] = await eventsAfterDeath(5);
  const run = { runId: "r1", workflow: "greet", at: first!.at };
  assertEquals(first, { ...run, type: "run.recovered", crashes: 1 });
  assertEquals(second?.type, "run.resumed");
});

test("onEvent tells of a run that was given up because its runners die", async () => {
  const [event, ...more] = await eventsAfterDeath(1);
  assertEquals(event?.type === "run.failed" && event.error.code, "recovery_limit");
  assertEquals(more, []);
});
