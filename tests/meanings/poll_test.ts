/** Polls: which runs they start, and when they check. */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { poll, schedule, unchecked, workflow } from "../../mod.ts";
import { compilerTest, test } from "../harness.ts";
import { never, open } from "./open.ts";

const MINUTE = 60_000;
const note = workflow("note", { input: unchecked<string>() }).task("a", { run: ({ input }) => input }).returns("a");

test("a poll checks at once and then after its interval, and its cursor goes from check to check", async () => {
  const seen: number[] = [];
  const p = poll({
    name: "p",
    workflow: note,
    every: "1m",
    cursor: 0,
    check({ cursor }) {
      seen.push(cursor);
      return cursor >= 3 ? undefined : { input: `n${cursor}`, cursor: cursor + 1 };
    },
  });
  await using opened = await open([note], { schedules: [p] });
  await opened.clock.advance("5m");
  assertEquals(seen, [0, 1, 2, 3, 3, 3]);
  const { runs } = await opened.runner.list();
  const inputs = await Promise.all(runs.map(async ({ id }) => (await opened.runner.get(id).status()).input));
  assertEquals(inputs.reverse(), ["n0", "n1", "n2"]);
  assertEquals(runs.map(({ schedule, tick }) => [schedule, tick]), runs.map(() => ["p", undefined]));
  const { kind, poll: state, counts, everyMs } = await opened.runner.schedules.get("p");
  assertEquals([kind, state?.cursor, counts.started, everyMs], ["poll", 3, 3, MINUTE]);
});

test("a check starts the runs of an array, each key once, and may only advance the cursor", async () => {
  const results = [
    [{ input: "a", key: "a" }, { input: "b", key: "b", cursor: "x" }],
    [{ input: "b", key: "b" }, { input: "c", key: "c", cursor: "y" }],
    { cursor: "z" },
  ];
  const cursors: unknown[] = [];
  const p = poll({
    name: "p",
    workflow: note,
    every: "1m",
    cursor: "",
    // deno-lint-ignore require-await -- as one that asks a service
    async check({ cursor }) {
      cursors.push(cursor);
      return results[cursors.length - 1];
    },
  });
  await using opened = await open([note], { schedules: [p] });
  await opened.clock.advance("3m");
  assertEquals(cursors, ["", "x", "y", "z"]);
  assertEquals((await opened.runner.list()).runs.map(({ key }) => key), ["c", "b", "a"]);
});

test("one runner checks at a time, and the cursor survives restarts", async () => {
  let [checks, running, most] = [0, 0, 0];
  const p = poll({
    name: "p",
    workflow: note,
    every: "1m",
    cursor: 0,
    async check({ cursor }) {
      checks++;
      most = Math.max(most, ++running);
      await Promise.resolve();
      running--;
      return { input: String(cursor), key: String(cursor), cursor: cursor + 1 };
    },
  });
  await using opened = await open([note], { schedules: [p], shared: true });
  const second = await opened.another([note], { schedules: [p] });
  await opened.clock.advance("4m");
  assertEquals([checks, most], [5, 1]);
  await second.stop();
  await opened.clock.advance("5m");
  const third = await opened.another([note], { schedules: [p] });
  assertEquals((await third.schedules.get("p")).poll?.cursor, 10);
  assertEquals((await third.stats()).runs.completed, 10);
});

test("a check that fails starts nothing, keeps the cursor, is shown with its error and repeated after the interval", async () => {
  let mode: "throw" | "bad" | "key" | "ok" = "throw";
  const p = poll({
    name: "p",
    workflow: note,
    every: "1m",
    cursor: 1,
    check() {
      if (mode === "throw") throw new Error("down");
      if (mode === "bad") return [{ input: "x", cursor: 2 }, 5 as never];
      if (mode === "key") return { input: "x", key: "", cursor: 2 };
      return { input: "x", cursor: 2 };
    },
  });
  await using opened = await open([note], { schedules: [p] });
  const { runner, clock, lines } = opened;
  const state = async () => {
    const { error, poll, counts } = await runner.schedules.get("p");
    return [error?.message, poll?.cursor, counts.started, counts.failed];
  };
  await clock.settle();
  assertEquals(await state(), ["Error: down", 1, 0, 1]);
  assertEquals(lines.filter(({ level }) => level === "error").map(({ message }) => message), [
    'The check of poll "p" failed: Error: down; checking again in 60000 ms',
  ]);
  mode = "bad";
  await clock.advance("1m");
  assertEquals(await state(), [
    "TypeError: check returned 5; return { input, key?, cursor? }, an array of them, or nothing",
    1,
    0,
    2,
  ]);
  mode = "key";
  await clock.advance("1m");
  assertEquals(await state(), ['TypeError: key must be text that is not empty: ""', 1, 0, 3]);
  mode = "ok";
  await clock.advance("1m");
  assertEquals(await state(), [undefined, 2, 1, 3]);
});

test("a check that hangs is aborted after its time-out, and delays no other poll or schedule", async () => {
  let reason: unknown;
  const slow = poll({
    name: "slow",
    workflow: note,
    every: "1m",
    timeout: "30s",
    check({ signal }) {
      signal.addEventListener("abort", () => reason = signal.reason);
      return never();
    },
  });
  let checks = 0;
  const fast = poll({ name: "fast", workflow: note, every: "5s", check: () => void checks++ });
  const ticking = schedule({ name: "s", workflow: note, every: "5s", input: "x" });
  await using opened = await open([note], { schedules: [slow, fast, ticking] });
  await opened.clock.advance("25s");
  assertEquals([checks, (await opened.runner.schedules.get("s")).counts.started, reason], [6, 5, undefined]);
  await opened.clock.advance("5s");
  assert(reason instanceof Error);
  assertEquals(
    (await opened.runner.schedules.get("slow")).error?.message,
    "Error: check has not returned within 30000 ms",
  );
  assertEquals((await opened.runner.schedules.get("slow")).nextTick, Date.UTC(2026, 0, 1) + MINUTE);
});

test("a runner that stops aborts its checks, and another one checks at once", async () => {
  let calls = 0;
  const p = poll({
    name: "p",
    workflow: note,
    every: "1h",
    cursor: 0,
    check: () => calls++ === 0 ? never() : { input: "x", cursor: 1 },
  });
  await using opened = await open([note], { shared: true });
  const first = await opened.another([note], { schedules: [p] });
  await opened.clock.settle();
  await opened.clock.until(first.stop());
  const second = await opened.another([note], { schedules: [p] });
  await opened.clock.advance("1s");
  assertEquals([calls, (await second.schedules.get("p")).poll?.cursor], [2, 1]);
});

test("a paused poll is not checked until it is resumed, which it then is at once", async () => {
  let checks = 0;
  const p = poll({ name: "p", workflow: note, every: "1m", check: () => void checks++ });
  await using opened = await open([note], { schedules: [p] });
  const { schedules } = opened.runner;
  await opened.clock.settle();
  await schedules.pause("p");
  await opened.clock.advance("5m");
  assertEquals(checks, 1);
  await schedules.resume("p");
  await opened.clock.settle();
  assertEquals(checks, 2);
  await assertRejects(() => schedules.trigger("p"), TypeError, 'Cannot trigger "p": it is a poll, which has no ticks');
});

test("all problems of a poll are reported at once", () => {
  const untyped = poll as unknown as (options: unknown) => unknown;
  const { problems } = assertThrows(
    () => untyped({ name: "p", workflow: 1, every: "1", check: 2, cursor: 1n, timeout: 0, intervall: 1 }),
  ) as unknown as { readonly problems: readonly string[] };
  assertEquals(problems, [
    'options: unknown option "intervall"',
    "workflow must be a workflow that workflow() returned, not 1",
    'every is not a duration: "1" (use milliseconds or "250ms", "30s", "5m", "2h", "7d")',
    "check must be a function, not 2",
    "timeout must be longer than zero",
    "Cannot store cursor: it is a bigint - use String(n)",
  ]);
});

compilerTest("the type of the cursor comes from the option, and the input is checked", () => {
  poll({ name: "p", workflow: note, every: "1m", cursor: 0, check: ({ cursor }) => ({ input: cursor.toFixed(1) }) });
  // @ts-expect-error -- the input is text
  const wrong = () => poll({ name: "p", workflow: note, every: "1m", check: () => ({ input: 1 }) });
  assertEquals(typeof wrong, "function");
  // @ts-expect-error -- the cursor is a number
  const other = () => poll({ name: "p", workflow: note, every: "1m", cursor: 0, check: () => ({ cursor: "" }) });
  assertEquals(typeof other, "function");
});
