import { assert, assertEquals } from "@std/assert";
import { timeline } from "../../lib/inspector/pages/timeline.ts";
import type { TaskDetail } from "../../lib/inspector/run_shape.ts";
import { test } from "../harness.ts";
import { attemptOf, taskOf } from "./page_fixtures.ts";

/** Fills the time, so that nothing of it is idle. */
const filler = taskOf("filler", { startedAt: 0, endedAt: 1_000, history: [attemptOf(1, "completed", 0, 1_000)] });

/** The bars of a task that depends on others, on a scale from 0 to 1,000 ms: `failed 0+10` is an attempt of 10 % from the start. */
function barsOf(task: TaskDetail, others: readonly TaskDetail[] = [], { isOpen = false } = {}): readonly string[] {
  const tasks = [...others, filler, task];
  const after = (id: string): readonly string[] => id === task.id ? others.map(({ id }) => id) : [];
  const { bars } = timeline({ tasks, after, whole: { from: 0, to: 1_000 }, isOpen });
  const { text } = bars(task);
  const waits = [...text.matchAll(/<line class="wait (\w+)" x1="([\d.]+)%" x2="([\d.]+)%"/g)];
  const tries = [...text.matchAll(/<rect class="s-(\w+)" x="([\d.]+)%" width="([\d.]+)%"/g)];
  return [
    ...waits.map(([, kind, from, to]) => `${kind} ${from}-${to}`),
    ...tries.map(([, state, from, width]) => `${state} ${from}+${width}`),
  ];
}

test("a bar for each attempt, and lines for the waits between them", () => {
  const history = [
    attemptOf(1, "failed", 0, 100),
    attemptOf(2, "failed", 400, 500),
    attemptOf(3, "completed", 900, 1_000),
  ];
  assertEquals(barsOf(taskOf("a", { history })), [
    "retry 10-40",
    "retry 50-90",
    "failed 0+10",
    "failed 40+10",
    "completed 90+10",
  ]);
});

test("a line from the moment a task could have begun to the moment it did", () => {
  const before = taskOf("before", { endedAt: 200, history: [attemptOf(1, "completed", 0, 200)] });
  const task = taskOf("a", { history: [attemptOf(1, "completed", 500, 1_000)] });
  assertEquals(barsOf(task, [before]), ["queue 20-50", "completed 50+50"]);
  const pending = taskOf("a", { state: "pending", attempts: 0, endedAt: undefined, history: [] });
  assertEquals(barsOf(pending, [before], { isOpen: true }), ["queue 20-100"]);
  assertEquals(barsOf(pending, [before]), []);
});

test("what runs or waits extends to now", () => {
  const running = taskOf("a", { state: "running", endedAt: undefined, history: [attemptOf(1, "running", 300)] });
  assertEquals(barsOf(running, [], { isOpen: true }), ["queue 0-30", "running 30+70"]);
  const waiting = taskOf("a", { state: "waiting", endedAt: undefined, history: [attemptOf(1, "failed", 0, 600)] });
  assertEquals(barsOf(waiting, [], { isOpen: true }), ["retry 60-100", "failed 0+60"]);
});

test("an attempt that took no time is still to be seen, and one of which no time is known is not drawn", () => {
  const history = [
    attemptOf(1, "interrupted"),
    attemptOf(2, "interrupted", 500),
    attemptOf(3, "completed", 1_000, 1_000),
  ];
  const bars = barsOf(taskOf("a", { history }));
  assertEquals(bars.filter((bar) => bar.includes("+")), ["interrupted 50+0.35", "completed 99.65+0.35"]);
});

test("a stretch in which nothing ran is drawn short, and says how long it was", () => {
  const history = [attemptOf(1, "failed", 0, 100), attemptOf(2, "completed", 3_600_100, 3_600_200)];
  const { axis } = timeline({
    tasks: [taskOf("a", { history })],
    after: () => [],
    whole: { from: 0, to: 3_600_200 },
    isOpen: false,
  });
  assert(axis.text.includes(">⋯ 1 h ⋯</text>"), axis.text);
});
