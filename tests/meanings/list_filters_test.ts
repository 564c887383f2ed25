/** The filters of `list()`, and inputs in lists. */
import { assertEquals, assertRejects } from "@std/assert";
import { type RunFilter, schedule, unchecked, workflow } from "../../mod.ts";
import { test } from "../harness.ts";
import { open } from "./open.ts";

const greet = workflow("greet", { input: unchecked<string>() }).task("hello", { run: ({ input }) => input });
const call = workflow("call")
  .task("fetch", {
    retry: 1,
    run: () => Promise.reject(new Error("fetch failed", { cause: new Error("connect ECONNREFUSED") })),
  })
  .task("mend", { after: ["fetch"], on: "anyFailed", run: () => "mended" });
const parent = workflow("parent").subworkflow("child", { workflow: greet, input: () => "hi" });

test("list() finds runs by failed task, parent, schedule and the time of their end", async () => {
  const daily = schedule({ name: "daily", workflow: greet, every: "1d", input: "tick" });
  await using opened = await open([greet, call, parent], { schedules: [daily] });
  const { runner, clock } = opened;
  const found = async (filter: RunFilter): Promise<readonly string[]> =>
    (await runner.list(filter)).runs.map(({ id }) => id);
  const mended = await runner.execute(call);
  const family = await runner.execute(parent);
  const [child] = await runner.get(family.runId).children();
  await clock.advance("1h");
  const between = clock.now();
  const { id: ticked } = await runner.schedules.trigger("daily");
  await runner.get(ticked).outcome();
  assertEquals(mended.status, "completed");
  assertEquals(await found({ failedTask: "fetch" }), [mended.runId]);
  assertEquals(await found({ failedTask: "fetch", state: "failed" }), []);
  assertEquals(await found({ parent: family.runId }), [child!.id]);
  assertEquals(await found({ schedule: "daily" }), [ticked]);
  assertEquals(await found({ endedSince: between }), [ticked]);
  assertEquals(await found({ endedUntil: new Date(between), workflow: "greet" }), [child!.id]);
  assertEquals(await found({ version: greet.version }), [ticked, child!.id]);
});

test("list() finds failed runs by the text of their error or of its cause", async () => {
  const failing = workflow("failing", { input: unchecked<string>() }).task("fetch", {
    retry: 1,
    run: ({ input }) => Promise.reject(new Error(`fetch ${input} failed`, { cause: new TypeError("refused") })),
  });
  await using opened = await open([failing]);
  const [first, second] = [await opened.runner.execute(failing, "a"), await opened.runner.execute(failing, "b%")];
  const found = async (error: string): Promise<readonly string[]> =>
    (await opened.runner.list({ error })).runs.map(({ id }) => id);
  assertEquals(await found("fetch a"), [first.runId]);
  assertEquals(await found("Error: fetch b%"), [second.runId]);
  assertEquals(await found("TypeError: refused"), [second.runId, first.runId]);
  assertEquals([await found("FETCH"), await found("at ")], [[], []]);
});

test("list() finds the parked runs that stranded() lists", async () => {
  const old = workflow("job", { version: "1" }).sleep("rest", { for: "1h" }).task("a", {
    after: ["rest"],
    run: () => 1,
  });
  const other = workflow("job", { version: "2" }).task("b", { run: () => 1 });
  const foreign = workflow("foreign").task("a", { run: () => 1 });
  await using opened = await open([old], { shared: true });
  const { id } = await opened.runner.start(old);
  await opened.runner.get(id).events().next();
  await opened.runner.stop();
  const runner = await opened.another([other]);
  const client = await opened.client([foreign]);
  const lost = await client.start(foreign);
  await opened.clock.advance("2h");
  const done = await runner.execute(other);
  const parked = async (wanted: boolean): Promise<readonly string[]> =>
    (await runner.list({ parked: wanted })).runs.map((run) => run.id).sort();
  const stranded = (await runner.stranded()).map((run) => run.id).sort();
  assertEquals(stranded, [id, lost.id].sort());
  assertEquals([await parked(true), await parked(false)], [stranded, [done.runId]]);
});

test("list() lists inputs on request, in pages that end early where inputs are large", async () => {
  await using opened = await open([greet], { maxPayloadBytes: 4_000_000 });
  const { runner } = opened;
  const large = "x".repeat(1_500_000);
  for (const input of ["first", large, large, large, "last"]) await runner.execute(greet, input);
  assertEquals((await runner.list()).runs.map((run) => "input" in run), [false, false, false, false, false]);
  const pages: unknown[] = [];
  let cursor: string | undefined;
  do {
    const page = await runner.list({ input: true, ...(cursor === undefined ? {} : { cursor }) });
    pages.push(page.runs.map(({ input }) => String(input).slice(0, 5)));
    cursor = page.cursor;
  } while (cursor !== undefined);
  assertEquals(pages, [["last", "xxxxx", "xxxxx", "xxxxx"], ["first"]]);
  for (let i = 0; i < 120; i++) await runner.execute(greet, String(i));
  const page = await runner.list({ input: true, limit: 110 });
  assertEquals(page.runs.map(({ input }) => input), Array.from({ length: 110 }, (_, i) => String(119 - i)));
  assertEquals((await runner.list({ input: true, limit: 10, cursor: page.cursor! })).runs.at(-1)?.input, "0");
});

test("list() refuses filters that no run can have", async () => {
  await using opened = await open([greet]);
  const cases: readonly (readonly [object, string])[] = [
    [{ error: "a\0" }, "error must not contain NUL characters"],
    [{ failedTask: "x".repeat(201) }, "failedTask must not be longer than 200 characters"],
    [{ schedule: 7 }, "schedule must be a string, not 7"],
    [{ endedSince: "today" }, "endedSince must be a Date or milliseconds"],
    [{ parked: "yes" }, 'parked must be true or false, not "yes"'],
    [{ input: 1 }, "input must be true or false, not 1"],
    [{ failedtask: "x" }, 'unknown option "failedtask" (did you mean "failedTask"?)'],
  ];
  for (const [options, message] of cases) {
    await assertRejects(() => opened.runner.list(options), TypeError, message);
  }
});
