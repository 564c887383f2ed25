import { assertEquals } from "@std/assert";
import type { RunEvent } from "../../lib/engine/reading/events.ts";
import { metricsOf } from "../../lib/engine/client/client_context.ts";
import type { RunCounters } from "../../lib/engine/telemetry/metrics.ts";
import { createRunner } from "../../lib/engine/runner.ts";
import { workflow } from "../../lib/definition/workflow.ts";
import { openSqliteStore } from "../../lib/store/sqlite/mod.ts";
import { createIds } from "../../lib/ids.ts";
import { createFakeClock } from "../../lib/testing/mod.ts";
import { test } from "../harness.ts";

const greet = workflow("greet").task("hello", { run: () => "hello" });
const id = createIds()(Date.now());
const served = [{ workflow: "greet", version: greet.version }];

/** Events and counts of a runner that recovers a run whose runner did not renew its lease. */
async function afterDeath(recoveryLimit: number): Promise<{
  readonly events: readonly RunEvent[];
  readonly runs: RunCounters;
}> {
  const clock = createFakeClock();
  const store = await openSqliteStore("sqlite::memory:", { clock });
  const card = { host: "elsewhere", pid: 1, pidStartedAt: undefined, served, pinned: false };
  const dead = await store.join({ ...card, concurrency: 1, maxRuns: 1 }, 1_000);
  const run = { id, workflow: "greet", version: greet.version, key: undefined, priority: 0, dueAt: clock.now() };
  const rest = { tags: [], input: undefined, timeoutMs: undefined, owner: dead, fork: undefined };
  await store.commit({ starts: [{ ...run, ...rest }], writes: [] });
  await clock.advance("2s");
  const events: RunEvent[] = [];
  const onEvent = (event: RunEvent): void => void events.push(event);
  const runner = await createRunner(store, { workflows: [greet], clock, onEvent, recoveryLimit });
  await runner.get(id).outcome();
  await runner.stop();
  await store.close();
  return { events, runs: metricsOf(runner)!.workflows[0]!.runs };
}

test("onEvent reports a run that was recovered from a dead runner, with its number of crashes", async () => {
  const { events: [first, second], runs } = await afterDeath(5);
  const run = { runId: id, workflow: "greet", at: first!.at };
  assertEquals(first, { ...run, type: "run.recovered", crashes: 1 });
  assertEquals(second?.type, "run.resumed");
  assertEquals([runs.recovered, runs.resumed, runs.started], [1, 1, 0]);
});

test("onEvent reports a run that was given up because its runners die", async () => {
  const { events: [event, ...more], runs } = await afterDeath(1);
  assertEquals(event?.type === "run.failed" && event.error.code, "recovery_limit");
  assertEquals([more, runs.failed, runs.recovered], [[], 1, 0]);
});
