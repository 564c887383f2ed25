/** Errors of schedules and polls: each names what is wrong, where it is known first, and concerns nothing else. */
import { assertEquals, assertRejects } from "@std/assert";
import { createRunner, poll, type Schedule, schedule, unchecked, workflow } from "../../mod.ts";
import { test } from "../harness.ts";
import { open } from "./open.ts";

const MINUTE = 60_000;
const T0 = Date.UTC(2026, 0, 1);
const plain = workflow("plain").task("a", { run: () => 1 });
const note = workflow("note", { input: unchecked<string>() }).task("a", { run: ({ input }) => input });

const opening = (schedules: readonly (Schedule | ReturnType<typeof poll>)[]) =>
  createRunner("sqlite::memory:", { workflows: [plain], schedules });

test("a poll and a schedule cannot have the same name", async () => {
  const s = schedule({ name: "x", workflow: plain, every: "1h" });
  const p = poll({ name: "x", workflow: plain, every: "1h", check: () => undefined });
  await assertRejects(
    () => opening([s, p]),
    Error,
    'Cannot define poll "x": another schedule has the same name',
  );
});

test("a schedule of another workflow than the runner's of the same name is refused", async () => {
  const other = workflow("plain").task("b", { run: () => 2 });
  await assertRejects(
    () => opening([schedule({ name: "s", workflow: other, every: "1h" })]),
    Error,
    'Cannot define schedule "s": another workflow is registered with the name "plain"',
  );
});

test("a window in which an expression never matches is refused, and one that is over is not", async () => {
  const leap = { name: "s", workflow: plain, cron: "0 0 29 2 *" };
  await assertRejects(
    () => opening([schedule({ ...leap, startAt: "2026-01-01", endAt: "2027-12-31" })]),
    Error,
    'Cannot define schedule "s": it never ticks between startAt and endAt',
  );
  await using runner = await opening([schedule({ ...leap, startAt: "2020-01-01", endAt: "2021-01-01" })]);
  assertEquals(await runner.schedules.next("s", 5), []);
});

test("a number that next() or history() cannot take is named", async () => {
  await using opened = await open([plain], { schedules: [schedule({ name: "s", workflow: plain, every: "1h" })] });
  const { schedules } = opened.runner;
  await assertRejects(
    () => schedules.next("s", 0),
    TypeError,
    'Cannot compute ticks of schedule "s": n must be a positive integer, not 0',
  );
  await assertRejects(
    () => schedules.next("s", 1_001),
    TypeError,
    'Cannot compute ticks of schedule "s": n must be at most 1000, not 1001',
  );
  await assertRejects(
    () => schedules.history("s", { limit: 1.5 }),
    TypeError,
    'Cannot read the history of schedule "s": limit must be a positive integer, not 1.5',
  );
});

test("a key that is no text fails its check alone, and names the key", async () => {
  const bad = poll({
    name: "bad",
    workflow: note,
    every: "1m",
    check: () => [{ input: "good" }, { input: "x", key: 5 as unknown as string }],
  });
  const good = poll({ name: "good", workflow: note, every: "1m", check: () => ({ input: "x" }) });
  const ticking = schedule({ name: "ticking", workflow: note, every: "1m", input: "x" });
  await using opened = await open([note], { schedules: [bad, good, ticking] });
  await opened.clock.advance("1m");
  const { schedules } = opened.runner;
  assertEquals((await schedules.get("bad")).error?.message, "TypeError: key must be text that is not empty: 5");
  assertEquals((await schedules.get("bad")).counts, { started: 0, overlapped: 0, missed: 0, failed: 2 });
  assertEquals([(await schedules.get("good")).counts.started, (await schedules.get("ticking")).counts.started], [2, 1]);
});

test("an input of a check that the workflow refuses starts none of its runs, and keeps the cursor", async () => {
  const strict = workflow("strict", {
    input: {
      "~standard": {
        version: 1,
        vendor: "test",
        validate: (value: unknown) => typeof value === "number" ? { value } : { issues: [{ message: "no number" }] },
      },
    },
  }).task("a", { run: () => 1 });
  const p = poll({
    name: "p",
    workflow: strict,
    every: "1m",
    cursor: 1,
    check: () => [{ input: 1, cursor: 2 }, { input: "x" as unknown as number, cursor: 3 }],
  });
  await using opened = await open([strict], { schedules: [p] });
  await opened.clock.settle();
  const { error, poll: state } = await opened.runner.schedules.get("p");
  assertEquals(error?.message, 'ValidationError: Cannot start a run of poll "p" with element 1: no number');
  assertEquals([state?.cursor, (await opened.runner.list()).runs.length], [1, 0]);
});

test("a poll that has changed keeps its cursor, and one that the program has lost is paused until it has it again", async () => {
  const numbered = (every: "1m" | "2m") =>
    poll({
      name: "p",
      workflow: note,
      every,
      cursor: 0,
      check: ({ cursor }) => ({ input: `${cursor}`, cursor: cursor + 1 }),
    });
  await using opened = await open([note], { shared: true });
  const { clock } = opened;
  await using first = await opened.another([note], { schedules: [numbered("1m")] });
  await clock.advance("150s");
  await clock.until(first.stop());
  await using second = await opened.another([note], { schedules: [numbered("2m")] });
  await clock.advance("150s");
  const cursor = async () => (await opened.runner.schedules.get("p")).poll?.cursor;
  assertEquals([await cursor(), (await second.schedules.get("p")).everyMs], [5, 2 * MINUTE]);
  await clock.until(second.stop());
  await using third = await opened.another([note], { schedules: [] });
  assertEquals((await third.schedules.get("p")).pausedBy, "removal");
  await clock.advance("10m");
  assertEquals(await cursor(), 5);
  await clock.until(third.stop());
  await opened.another([note], { schedules: [numbered("2m")] });
  await clock.settle();
  assertEquals([await cursor(), (await opened.runner.schedules.get("p")).state], [6, "active"]);
});

test("a poll that becomes a schedule of the same name starts from the beginning", async () => {
  await using opened = await open([note], { shared: true });
  const p = poll({ name: "x", workflow: note, every: "1m", cursor: 7, check: () => undefined });
  await using first = await opened.another([note], { schedules: [p] });
  await opened.clock.advance("1m");
  await opened.clock.until(first.stop());
  const s = schedule({ name: "x", workflow: note, every: "1h", input: "y" });
  await opened.another([note], { schedules: [s] });
  await opened.clock.advance("1h");
  const { kind, poll: state, counts, lastTick } = await opened.runner.schedules.get("x");
  assertEquals([kind, state, counts.started, lastTick], ["schedule", undefined, 1, T0 + 60 * MINUTE]);
});
