/** Schedules and polls in `onEvent`, `stats()` and the metrics. */
import { assert, assertEquals } from "@std/assert";
import { metricsOf } from "../../lib/engine/client/client_context.ts";
import type { Metrics } from "../../lib/engine/telemetry/metrics.ts";
import type { ScheduleEvent } from "../../lib/engine/schedules/schedule_events.ts";
import { poll, schedule, unchecked, workflow } from "../../mod.ts";
import { test } from "../harness.ts";
import { never, open, type Opened } from "./open.ts";

const MINUTE = 60_000;
const T0 = Date.UTC(2026, 0, 1);
const plain = workflow("plain").task("a", { run: () => 1 });
const note = workflow("note", { input: unchecked<string>() }).task("a", { run: ({ input }) => input });

/** The events of schedules, with times in minutes and without the fields that all have. */
function told({ events }: Pick<Opened<typeof plain>, "events">): readonly unknown[] {
  return events.filter((event): event is ScheduleEvent => "schedule" in event).map((event) => {
    const { type, at, workflow: _, schedule, ...rest } = event;
    return [(at - T0) / MINUTE, schedule, type, rest];
  });
}

test("onEvent reports each tick: started, missed, overlapped, retrying and failed", async () => {
  const slow = workflow("slow").sleep("wait", { for: "90s" }).task("a", { after: ["wait"], run: () => 1 });
  const s = schedule({ name: "s", workflow: slow, every: "1m", endAt: T0 + 3.5 * MINUTE });
  const bad = schedule({
    name: "bad",
    workflow: note,
    every: "1h",
    startAt: T0 + MINUTE,
    endAt: T0 + 2 * MINUTE,
    input: () => {
      throw new Error("no input");
    },
  });
  await using opened = await open([slow, note], { schedules: [s, bad] });
  await opened.clock.advance("5m");
  const runs = (await opened.runner.list({ workflow: "slow" })).runs.map(({ id }) => id).reverse();
  const retrying = (dueAt: number) => ({ tick: T0 + MINUTE, message: "Error: no input", dueAt: T0 + MINUTE + dueAt });
  assertEquals(told(opened), [
    [1, "bad", "schedule.retrying", retrying(1_000)],
    [1, "s", "schedule.started", { tick: T0 + MINUTE, runId: runs[0], lateMs: 0 }],
    [1 + 1 / 60, "bad", "schedule.retrying", retrying(6_000)],
    [1 + 6 / 60, "bad", "schedule.retrying", retrying(31_000)],
    [1 + 31 / 60, "bad", "schedule.retrying", retrying(156_000)],
    [2, "s", "schedule.overlapped", { ticks: [T0 + 2 * MINUTE], count: 1 }],
    [3, "s", "schedule.started", { tick: T0 + 3 * MINUTE, runId: runs[1], lateMs: 0 }],
    [3.6, "bad", "schedule.failed", { ticks: [T0 + MINUTE], count: 1 }],
  ]);
  assertEquals(opened.runner.get(runs[0]!).id, runs[0]);
});

test("onEvent reports how many ticks were missed, the latest twenty by time, and how late a tick is", async () => {
  const hourly = schedule({ name: "s", workflow: plain, every: "1h" });
  const events: ScheduleEvent[] = [];
  await using opened = await open([plain], { shared: true });
  await (await opened.another([plain], { schedules: [hourly] })).stop();
  await opened.clock.advance("30h");
  await opened.clock.advance("1m");
  await opened.another([plain], {
    schedules: [hourly],
    onEvent: (event) => "schedule" in event ? void events.push(event) : undefined,
  });
  await opened.clock.settle();
  const [missed, started, ...more] = events;
  assert(missed?.type === "schedule.missed" && started?.type === "schedule.started");
  assertEquals([missed.count, missed.ticks.length, (missed.ticks.at(-1)! - T0) / MINUTE], [29, 20, 29 * 60]);
  assertEquals([(started.tick - T0) / MINUTE, started.lateMs, started.workflow], [30 * 60, MINUTE, "plain"]);
  assertEquals(more, []);
});

test("onEvent reports each check of a poll, also one that fails or is too late", async () => {
  let mode: "find" | "fail" | "hang" = "find";
  const p = poll({
    name: "p",
    workflow: note,
    every: "1m",
    timeout: "10s",
    check() {
      if (mode === "fail") throw new Error("down");
      return mode === "hang" ? never() : [{ input: "x", key: "k" }, { input: "y" }];
    },
  });
  await using opened = await open([note], { schedules: [p] });
  await opened.clock.settle();
  mode = "fail";
  await opened.clock.advance("1m");
  mode = "hang";
  await opened.clock.advance("1m");
  mode = "find";
  await opened.clock.advance("1m");
  const ids = (await opened.runner.list()).runs.map(({ id }) => id);
  assertEquals(told(opened), [
    [0, "p", "poll.checked", { runIds: [ids[2], ids[1]].toSorted(), tookMs: 0 }],
    [1, "p", "poll.failed", { message: "Error: down", dueAt: T0 + 2 * MINUTE }],
    [2 + 10 / 60, "p", "poll.failed", {
      message: "Error: check has not returned within 10000 ms",
      dueAt: T0 + 3 * MINUTE,
    }],
    [3, "p", "poll.checked", { runIds: [ids[0]], tookMs: 0 }],
  ]);
});

test("stats() counts schedules and polls, overdue ones, and the ticks that this runner has started", async () => {
  const s = schedule({ name: "s", workflow: plain, every: "1m" });
  const idle = schedule({ name: "idle", workflow: plain, cron: "0 0 1 1 *" });
  const p = poll({ name: "p", workflow: note, every: "30s", check: () => ({ input: "x", key: "k" }) });
  await using opened = await open([plain, note], { shared: true });
  const runner = await opened.another([plain, note], { schedules: [s, idle, p] });
  await runner.schedules.pause("idle");
  await opened.clock.advance("150s");
  const { schedules, runner: own } = await runner.stats();
  assertEquals(schedules, { active: 2, paused: 1, overdue: 0, nextAt: T0 + 3 * MINUTE });
  assertEquals(own?.done.ticks, { started: 2, overlapped: 0, missed: 0, failed: 0 });
  assertEquals(own?.done.checks, { completed: 6, failed: 0 });
  const metrics: Metrics = metricsOf(runner)!;
  const { lateness, checkSeconds, ...counts } = metrics.schedules;
  assertEquals(counts, { overlapped: 0, missed: 0, failed: 0, checked: 6, checksFailed: 0, found: 1 });
  assertEquals([lateness.count, lateness.sum, checkSeconds.count], [2, 0, 6]);
  await opened.clock.until(runner.stop());
  await opened.clock.advance("10m");
  assertEquals((await opened.runner.stats()).schedules.overdue, 2);
});
