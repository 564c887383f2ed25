/** Schedules: which runs they start, and when. */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  createRunner,
  type RunHandle,
  type Runner,
  schedule,
  unchecked,
  UnknownScheduleError,
  workflow,
} from "../../mod.ts";
import { test } from "../harness.ts";
import { open } from "./open.ts";

const T0 = Date.UTC(2026, 0, 1);
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const report = workflow("report", { input: unchecked<{ day: string; previous: number | undefined }>() })
  .task("write", { run: ({ input }) => input.day })
  .returns("write");
const plain = workflow("plain").task("a", { run: () => 1 });

// deno-lint-ignore no-explicit-any -- of any workflow
type AnyRunner = Pick<Runner<any>, "schedules" | "list" | "get">;

/** Ticks of the runs of a schedule in their order, relative to the beginning of 2026, in the unit. */
async function ticks(runner: AnyRunner, name: string, unit = HOUR): Promise<(number | undefined)[]> {
  const entries = await runner.schedules.history(name, { limit: 1_000 });
  return entries.filter(({ outcome }) => outcome === "started").map(({ tick }) =>
    tick === undefined ? undefined : (tick - T0) / unit
  ).reverse();
}

test("a schedule starts a run for each tick, and its input follows from the tick and the one before", async () => {
  const nightly = schedule({
    name: "nightly",
    workflow: report,
    cron: "30 2 * * *",
    timeZone: "Europe/Berlin",
    input: ({ tick, previous }) => ({ day: new Date(tick).toISOString().slice(0, 10), previous }),
  });
  await using opened = await open([report], { schedules: [nightly] });
  const { runner, clock } = opened;
  assertEquals(await runner.schedules.next("nightly", 2), [T0 + 1.5 * HOUR, T0 + 25.5 * HOUR]);
  await clock.advance(90 * MINUTE - 1);
  assertEquals(await ticks(runner, "nightly"), []);
  await clock.advance(1);
  assertEquals(await ticks(runner, "nightly"), [1.5]);
  await clock.advance("2d");
  assertEquals(await ticks(runner, "nightly"), [1.5, 25.5, 49.5]);
  const { runs } = await runner.list();
  const inputs = await Promise.all(runs.map(async ({ id }) => (await runner.get(id).status()).input));
  assertEquals(inputs.reverse(), [
    { day: "2026-01-01" },
    { day: "2026-01-02", previous: T0 + 1.5 * HOUR },
    { day: "2026-01-03", previous: T0 + 25.5 * HOUR },
  ]);
  assertEquals(runs.map(({ state, schedule, tick, createdAt }) => [state, schedule, tick === createdAt]), [
    ["completed", "nightly", true],
    ["completed", "nightly", true],
    ["completed", "nightly", true],
  ]);
});

test("of several runners with a schedule, one starts the run of each tick", async () => {
  const often = schedule({ name: "often", workflow: plain, every: "10s" });
  await using opened = await open([plain], { schedules: [often], shared: true });
  const { clock } = opened;
  const others = [
    await opened.another([plain], { schedules: [often] }),
    await opened.another([plain], { schedules: [often] }),
  ];
  await clock.advance("100s");
  assertEquals(await ticks(others[0]!, "often", 10_000), Array.from({ length: 10 }, (_, at) => at + 1));
  assertEquals((await others[1]!.schedules.get("often")).counts, { started: 10, overlapped: 0, missed: 0, failed: 0 });
});

/** A workflow whose runs take this long. */
function lasting(ms: number) {
  return workflow("slow").sleep("wait", { for: ms }).task("a", { after: ["wait"], run: () => 1 });
}

test("with overlap skip a tick starts no run while the run before has not ended", async () => {
  const slow = lasting(150_000);
  const s = schedule({ name: "s", workflow: slow, every: "1m" });
  await using opened = await open([slow], { schedules: [s] });
  await opened.clock.advance("8m");
  assertEquals(await ticks(opened.runner, "s", MINUTE), [1, 4, 7]);
  const { counts } = await opened.runner.schedules.get("s");
  assertEquals(counts, { started: 3, overlapped: 5, missed: 0, failed: 0 });
  const skipped = (await opened.runner.schedules.history("s")).filter(({ outcome }) => outcome === "overlapped");
  assertEquals(skipped.map(({ tick }) => (tick! - T0) / MINUTE), [8, 6, 5, 3, 2]);
});

test("with overlap queue the run of a tick starts when those before it have ended", async () => {
  const slow = lasting(150_000);
  const s = schedule({ name: "s", workflow: slow, every: "1m", overlap: "queue", endAt: new Date(T0 + 4.5 * MINUTE) });
  await using opened = await open([slow], { schedules: [s] });
  const { runner, clock } = opened;
  await clock.advance("3m");
  assertEquals((await runner.schedules.get("s")).queued, [T0 + 2 * MINUTE, T0 + 3 * MINUTE]);
  await clock.advance("20m");
  assertEquals(await ticks(runner, "s", MINUTE), [1, 2, 3, 4]);
  const runs = (await runner.list()).runs.toReversed();
  assert(runs.every((run, at) => at === 0 || run.createdAt >= runs[at - 1]!.endedAt!));
  assertEquals(runs.map(({ createdAt }) => Math.round((createdAt - T0) / 30_000)), [2, 7, 12, 17]);
});

test("a queue keeps at most maxCatchUp ticks, of more the latest", async () => {
  const slow = lasting(10 * MINUTE);
  const s = schedule({ name: "s", workflow: slow, every: "1m", overlap: "queue", maxCatchUp: 2 });
  await using opened = await open([slow], { schedules: [s] });
  await opened.clock.advance("10m");
  const { queued, counts } = await opened.runner.schedules.get("s");
  assertEquals([queued, counts.overlapped], [[T0 + 9 * MINUTE, T0 + 10 * MINUTE], 7]);
});

test("with overlap allow each tick starts a run at once", async () => {
  const slow = lasting(150_000);
  const s = schedule({ name: "s", workflow: slow, every: "1m", overlap: "allow" });
  await using opened = await open([slow], { schedules: [s] });
  await opened.clock.advance("4m");
  assertEquals(await ticks(opened.runner, "s", MINUTE), [1, 2, 3, 4]);
});

test("with overlap cancelPrevious a tick cancels the run before it", async () => {
  const slow = lasting(150_000);
  const s = schedule({ name: "s", workflow: slow, every: "1m", overlap: "cancelPrevious" });
  await using opened = await open([slow], { schedules: [s] });
  await opened.clock.advance("3m");
  const { runs } = await opened.runner.list();
  assertEquals(runs.map(({ state, reason }) => [state, reason]), [
    ["waiting", undefined],
    ["cancelled", 'a later tick of schedule "s" is due'],
    ["cancelled", 'a later tick of schedule "s" is due'],
  ]);
});

for (
  const [catchUp, started, missed] of [
    ["none", [1, 26], 24],
    ["last", [1, 25, 26], 23],
    ["all", [1, ...Array.from({ length: 25 }, (_, at) => at + 2)], 0],
  ] as const
) {
  test(`with catchUp ${catchUp} a process that was down for a day starts ${started.length - 2} missed runs`, async () => {
    const hourly = schedule({ name: "s", workflow: plain, cron: "0 * * * *", catchUp });
    await using opened = await open([plain], { shared: true });
    const first = await opened.another([plain], { schedules: [hourly] });
    await opened.clock.advance("90m");
    await first.stop();
    await opened.clock.advance("1d");
    const second = await opened.another([plain], { schedules: [hourly] });
    await opened.clock.advance("1h");
    assertEquals(await ticks(second, "s"), [...started]);
    assertEquals((await second.schedules.get("s")).counts.missed, missed);
  });
}

test("catchUp all starts the latest maxCatchUp missed ticks, one after another", async () => {
  const slow = lasting(MINUTE);
  const hourly = schedule({ name: "s", workflow: slow, every: "1h", catchUp: "all", maxCatchUp: 3 });
  await using opened = await open([slow], { shared: true });
  const first = await opened.another([slow], { schedules: [hourly] });
  await first.stop();
  await opened.clock.advance(DAY + HOUR / 2);
  const second = await opened.another([slow], { schedules: [hourly] });
  await opened.clock.advance("10m");
  assertEquals(await ticks(second, "s"), [22, 23, 24]);
  const runs = (await second.list()).runs.toReversed();
  assert(runs.every((run, at) => at === 0 || run.createdAt >= runs[at - 1]!.endedAt!));
  assertEquals((await second.schedules.get("s")).counts.missed, 21);
});

test("registering a schedule again changes nothing, a change of its ticks arms it from now on", async () => {
  const s = schedule({ name: "s", workflow: plain, every: "1h", catchUp: "all" });
  await using opened = await open([plain], { shared: true });
  const { clock } = opened;
  for (let time = 0; time < 3; time++) await (await opened.another([plain], { schedules: [s] })).stop();
  await clock.advance("150m");
  const changed = schedule({ name: "s", workflow: plain, cron: "30 * * * *", catchUp: "all" });
  const runner = await opened.another([plain], { schedules: [changed] });
  await clock.advance("1h");
  assertEquals(await ticks(runner, "s"), [3.5]);
  assertEquals((await runner.schedules.list()).map(({ name, cron }) => [name, cron]), [["s", "30 * * * *"]]);
});

test("a change that leaves the ticks alone keeps what is due", async () => {
  await using opened = await open([plain], { shared: true });
  const first = await opened.another([plain], { schedules: [schedule({ name: "s", workflow: plain, every: "1h" })] });
  await first.stop();
  await opened.clock.advance("90m");
  const next = schedule({ name: "s", workflow: plain, every: "1h", overlap: "allow" });
  const second = await opened.another([plain], { schedules: [next] });
  await opened.clock.advance("1m");
  assertEquals(await ticks(second, "s"), [1]);
});

test("a schedule that the program no longer has is paused, and continues when it has it again", async () => {
  const [a, b] = ["a", "b"].map((name) => schedule({ name, workflow: plain, every: "1h", catchUp: "none" }));
  await using opened = await open([plain], { shared: true });
  await (await opened.another([plain], { schedules: [a!, b!] })).stop();
  const second = await opened.another([plain], { schedules: [a!] });
  const states = async () =>
    (await second.schedules.list()).map(({ name, state, pausedBy }) => [name, state, pausedBy]);
  assertEquals(await states(), [["a", "active", undefined], ["b", "paused", "removal"]]);
  await opened.clock.advance("150m");
  assertEquals([await ticks(second, "a"), await ticks(second, "b")], [[1, 2], []]);
  await second.stop();
  const third = await opened.another([plain], { schedules: [a!, b!] });
  await opened.clock.advance("1h");
  assertEquals(await ticks(third, "b"), [3]);
});

test("a runner without the option schedules, and one of another program, pause no schedule", async () => {
  const other = workflow("other").task("a", { run: () => 1 });
  const a = schedule({ name: "a", workflow: plain, every: "1h" });
  await using opened = await open([plain], { shared: true });
  const first = await opened.another([plain], { schedules: [a] });
  await opened.another([other], { schedules: [schedule({ name: "b", workflow: other, every: "1h" })] });
  assertEquals((await first.schedules.list()).map(({ name, state }) => [name, state]), [["a", "active"], [
    "b",
    "active",
  ]]);
});

test("a schedule whose workflow the program has lost with it is paused, too", async () => {
  const other = workflow("other").task("a", { run: () => 1 });
  await using opened = await open([plain], { shared: true });
  const first = await opened.another([other], { schedules: [schedule({ name: "b", workflow: other, every: "1h" })] });
  await first.stop();
  const second = await opened.another([plain], { schedules: [] });
  assertEquals((await second.schedules.get("b")).pausedBy, "removal");
});

test("a paused schedule starts no runs, in any runner, until it is resumed, and those between are not made up for", async () => {
  const s = schedule({ name: "s", workflow: plain, every: "1h", catchUp: "all" });
  await using opened = await open([plain], { shared: true, schedules: [s] });
  const { runner, clock } = opened;
  const client = await opened.client([plain]);
  await clock.advance("1h");
  await client.schedules.pause("s");
  assertEquals([(await client.schedules.get("s")).state, (await client.schedules.get("s")).nextTick], [
    "paused",
    undefined,
  ]);
  await clock.advance("2h");
  await opened.another([plain], { schedules: [s] });
  await clock.advance("150m");
  await client.schedules.resume("s");
  await clock.advance("1h");
  assertEquals(await ticks(runner, "s"), [1, 6]);
});

test("trigger starts a run at once, of a paused schedule, too, from a client that has only the name", async () => {
  const s = schedule({ name: "s", workflow: report, every: "1h", input: { day: "x", previous: 1 } });
  await using opened = await open([report], { shared: true, schedules: [s] });
  const client = await opened.client([]);
  await client.schedules.pause("s");
  const run: RunHandle = await client.schedules.trigger("s");
  assertEquals(await opened.clock.until(run.result()), "x");
  assertEquals(await ticks(opened.runner, "s"), [undefined]);
  assertEquals((await client.schedules.get("s")).lastRun, { id: run.id, isLive: false });
});

test("a schedule whose input is a function is triggered by runners and clients that have it", async () => {
  const s = schedule({
    name: "s",
    workflow: report,
    every: "1h",
    input: ({ tick, previous }) => ({ day: String(tick - T0), previous }),
  });
  await using opened = await open([report], { shared: true, schedules: [s] });
  await opened.clock.advance(HOUR + 5);
  assertEquals(await opened.clock.until((await opened.runner.schedules.trigger("s")).result()), "3600005");
  const knowing = await opened.client([], { schedules: [s] });
  const run = await knowing.schedules.trigger("s");
  assertEquals((await run.status()).input, { day: "3600005", previous: T0 + HOUR });
  const client = await opened.client([]);
  await assertRejects(
    () => client.schedules.trigger("s"),
    TypeError,
    'Cannot start a run of schedule "s": its input is a function; pass the schedule to this runner or client in schedules',
  );
});

test("a backfill starts the runs of past ticks that have none, once", async () => {
  const s = schedule({
    name: "s",
    workflow: report,
    cron: "0 * * * *",
    input: ({ tick, previous }) => ({ day: String((tick - T0) / HOUR), previous }),
  });
  await using opened = await open([report], { schedules: [s] });
  const { runner, clock } = opened;
  await clock.advance("2h");
  const period = { from: T0 - 200 * HOUR, to: new Date(T0 + 2 * HOUR) };
  assertEquals(await runner.schedules.backfill("s", period), { started: 201, existing: 1 });
  assertEquals(await runner.schedules.backfill("s", period), { started: 0, existing: 202 });
  await clock.advance("30s");
  const found = (await ticks(runner, "s")).sort((a, b) => a! - b!);
  assertEquals(found, Array.from({ length: 203 }, (_, at) => at - 200));
  assertEquals((await runner.stats()).runs.completed, 203);
});

test("a backfill refuses a period that is empty, or not over", async () => {
  const s = schedule({ name: "s", workflow: plain, every: "1h" });
  await using opened = await open([plain], { schedules: [s] });
  await assertRejects(
    () => opened.runner.schedules.backfill("s", { from: T0 + 5 * HOUR, to: T0 + 4 * HOUR }),
    TypeError,
    'Cannot backfill schedule "s": to must be after from; to must not be in the future',
  );
});

test("a schedule that does not exist is named, with the nearest that does", async () => {
  const s = schedule({ name: "nightly", workflow: plain, every: "1h" });
  await using opened = await open([plain], { schedules: [s] });
  const { schedules } = opened.runner;
  const message = 'schedule "nigthly": the store has no schedule of that name (did you mean "nightly"?)';
  await assertRejects(() => schedules.get("nigthly"), UnknownScheduleError, `Cannot read ${message}`);
  await assertRejects(() => schedules.pause("nigthly"), UnknownScheduleError, `Cannot pause ${message}`);
  await assertRejects(() => schedules.trigger("nigthly"), UnknownScheduleError, `Cannot trigger ${message}`);
});

test("an input that throws fails the start of its tick alone, which is tried again", async () => {
  let broken = true;
  const [good, bad] = [
    schedule({ name: "good", workflow: plain, every: "10m" }),
    schedule({
      name: "bad",
      workflow: report,
      every: "10m",
      input() {
        if (broken) throw new Error("no input");
        return { day: "x", previous: undefined };
      },
    }),
  ];
  await using opened = await open([plain, report], { schedules: [good, bad] });
  const { runner, clock, lines } = opened;
  await clock.advance("10m");
  assertEquals([await ticks(runner, "good", MINUTE), await ticks(runner, "bad", MINUTE)], [[10], []]);
  assertEquals((await runner.schedules.get("bad")).error, {
    message: "Error: no input",
    at: T0 + 10 * MINUTE,
    tick: T0 + 10 * MINUTE,
  });
  assertEquals(lines.filter(({ level }) => level === "error").map(({ message }) => message), [
    'Cannot start the run of schedule "bad" for 2026-01-01T00:10:00.000Z: Error: no input; ' +
    "retrying at 2026-01-01T00:10:01.000Z",
  ]);
  await clock.advance("10s");
  broken = false;
  await clock.advance("25s");
  assertEquals(await ticks(runner, "bad", MINUTE), [10]);
  assertEquals((await runner.schedules.get("bad")).error, undefined);
});

test("a tick whose input fails five times is given up, and the next is tried", async () => {
  let calls = 0;
  const bad = schedule({
    name: "bad",
    workflow: report,
    every: "10m",
    input({ tick }) {
      calls++;
      if (tick < T0 + 15 * MINUTE) throw new Error("no input");
      return { day: "x", previous: undefined };
    },
  });
  await using opened = await open([report], { schedules: [bad] });
  await opened.clock.advance("20m");
  assertEquals([await ticks(opened.runner, "bad", MINUTE), calls], [[20], 6]);
  assertEquals((await opened.runner.schedules.get("bad")).counts, { started: 1, overlapped: 0, missed: 0, failed: 1 });
});

test("an input that its schema rejects, or that is a promise, fails as one that throws does", async () => {
  const strict = workflow("strict", {
    input: {
      "~standard": {
        version: 1,
        vendor: "test",
        // Asynchronous, as one that reads from a service.
        validate: (value: unknown) => Promise.resolve(value === "ok" ? { value } : { issues: [{ message: "not ok" }] }),
      },
    },
  }).task("a", { run: () => 1 });
  let input = (): unknown => "bad";
  const s = schedule({ name: "s", workflow: strict, every: "1h", input: () => input() as string });
  await using opened = await open([strict], { schedules: [s] });
  await opened.clock.advance("1h");
  const { schedules } = opened.runner;
  assertEquals(
    (await schedules.get("s")).error?.message,
    'ValidationError: Cannot start a run of schedule "s": not ok',
  );
  input = () => Promise.reject(new Error("late"));
  await opened.clock.advance("1s");
  assertEquals(
    (await schedules.get("s")).error?.message,
    "TypeError: input returned a promise; it must be synchronous",
  );
  input = () => "ok";
  await opened.clock.advance("5s");
  assertEquals(await ticks(opened.runner, "s"), [1]);
});

test("a schedule ticks from startAt until endAt", async () => {
  const s = schedule({ name: "s", workflow: plain, every: "1h", startAt: T0 + 1.5 * HOUR, endAt: T0 + 3.5 * HOUR });
  await using opened = await open([plain], { schedules: [s] });
  await opened.clock.advance("1d");
  assertEquals(await ticks(opened.runner, "s"), [1.5, 2.5]);
  assertEquals(await opened.runner.schedules.next("s", 3), []);
});

test("jitter delays the run of a tick, and not the tick", async () => {
  const s = schedule({ name: "s", workflow: plain, every: "1h", jitter: "10m" });
  await using opened = await open([plain], { schedules: [s] });
  await opened.clock.advance("5h");
  assertEquals((await ticks(opened.runner, "s")).slice(0, 4), [1, 2, 3, 4]);
  const delays = (await opened.runner.list()).runs.map(({ createdAt, tick }) => createdAt - tick!);
  assert(delays.every((delay) => delay >= 0 && delay < 10 * MINUTE) && new Set(delays).size > 1, String(delays));
});

test("an unknown element, a repeated name and an expression that never matches are refused when a runner opens", async () => {
  const s = schedule({ name: "s", workflow: plain, every: "1h" });
  const opening = (schedules: unknown) =>
    createRunner("sqlite::memory:", { workflows: [plain], schedules: schedules as [] });
  await assertRejects(() => opening([s, s]), Error, 'Cannot define schedule "s": another schedule has the same name');
  await assertRejects(
    () => opening([{ name: "x" }]),
    Error,
    "schedules[0] is an object, not one that schedule() or poll() returned",
  );
  const never = schedule({ name: "never", workflow: plain, cron: "0 0 30 2 *" });
  await assertRejects(() => opening([never]), Error, 'Cannot define schedule "never": it never ticks');
  const empty = schedule({ name: "e", workflow: plain, cron: "0 0 1 1 *", startAt: "2026-01-02", endAt: "2026-12-31" });
  await assertRejects(
    () => opening([empty]),
    Error,
    'Cannot define schedule "e": it never ticks between startAt and endAt',
  );
  await assertRejects(() => opening("s"), TypeError, 'schedules must be an array, not "s"');
  assertThrows(() => schedule({ name: "s", workflow: plain, cron: "61 * * * *" }), Error, 'its minute "61"');
});

test("a runner warns of a schedule whose workflow no live runner executes", async () => {
  const other = workflow("other").task("a", { run: () => 1 });
  const s = schedule({ name: "s", workflow: other, every: "1h" });
  await using opened = await open([plain], { shared: true, schedules: [s] });
  const warnings = () => opened.lines.filter(({ level }) => level === "warn").map(({ message }) => message);
  assertEquals(warnings(), ['No live runner executes workflow "other", which schedules start; its runs wait for one']);
  const worker = await opened.another([other]);
  await opened.clock.advance("1h");
  assertEquals(await ticks(worker, "s"), [1]);
  assertEquals((await worker.stats()).runs.completed, 1);
});

test("a schedule that another runner has registered with another definition is left to that runner", async () => {
  const inputs = (day: string) =>
    schedule({ name: "s", workflow: report, every: "1h", input: { day, previous: undefined } });
  await using opened = await open([report], { shared: true, schedules: [inputs("old")] });
  const second = await opened.another([report], { schedules: [inputs("new")] });
  await opened.clock.advance("2h");
  const { runs } = await second.list();
  const days = await Promise.all(runs.map(async ({ id }) => (await second.get(id).status()).input));
  assertEquals(days, [{ day: "new" }, { day: "new" }]);
  const warnings = opened.lines.filter(({ level }) => level === "warn").map(({ message }) => message);
  assertEquals(warnings, [
    'Schedule "s" was registered with another definition by another runner; this runner does not change it',
  ]);
});

test("an idle year with a yearly schedule costs as many statements as an idle day", async () => {
  const yearly = schedule({ name: "y", workflow: plain, cron: "0 0 1 7 *" });
  await using opened = await open([plain], { schedules: [yearly] });
  const { clock, runner } = opened;
  await clock.advance("1m");
  const costs: number[] = [];
  for (const days of [1, 100]) {
    const before = (await runner.stats()).store.statements;
    await clock.advance(days * DAY);
    costs.push((await runner.stats()).store.statements - before);
  }
  assertEquals(costs[0], costs[1]);
  await clock.advance("100d");
  assertEquals(await ticks(runner, "y", DAY), [181]);
});
