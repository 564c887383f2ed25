/** The commands that list, follow and export runs, on each store. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { createRunner, unchecked, workflow } from "../../mod.ts";
import { spawn } from "../child.ts";
import { test } from "../harness.ts";
import { ground, KINDS } from "../inspector/ground.ts";
import { type Printed, sluice, tenantOf } from "./terminal.ts";

const NO_RUN = "0199b26c-0000-7000-8000-000000000000";

const greet = workflow("greet").task("hello", { run: () => "hello" }).returns("hello");

const shaky = workflow("shaky")
  .task("try", {
    retry: { attempts: 2, delay: 1, jitter: false },
    run({ ctx }) {
      ctx.progress(1, 2, "half");
      throw new Error(`down\n\u001b[2J${ctx.attempt}`);
    },
  })
  .task("after", { after: ["try"], run: () => 1 });

for (const kind of KINDS) {
  test(`${kind}: runs list filters as list() does, prints a table or JSON, and pages`, async () => {
    await using on = ground(kind);
    await using runner = await createRunner(await on.open(), { workflows: [greet, shaky], logger: false });
    const first = await runner.execute(greet, undefined, { key: "order-1", tags: ["eu", "a,b"] });
    const second = await runner.execute(greet, undefined, { key: "order-2", tags: ["eu"] });
    const failed = await runner.execute(shaky, undefined, { key: "refund-1" });
    const paused = await runner.start(greet, undefined, { delay: "1h", tags: ["\u202ered"] });
    await paused.pause();
    const list = (...args: string[]): Promise<Printed> => sluice(["runs", "list", on.url, ...args, ...tenantOf(on)]);
    const ids = async (...args: string[]): Promise<readonly string[]> => {
      const { code, out, err } = await list("--json", ...args);
      assertEquals([code, err], [0, ""], args.join(" "));
      return JSON.parse(out).runs.map(({ id }: { readonly id: string }) => id);
    };
    assertEquals(await ids(), [paused.id, failed.runId, second.runId, first.runId]);
    assertEquals(await ids("--workflow=greet"), [paused.id, second.runId, first.runId]);
    assertEquals(await ids("--state=failed", "--state=paused"), [paused.id, failed.runId]);
    assertEquals(await ids("--tag=eu"), [second.runId, first.runId]);
    assertEquals(await ids("--tag=eu", "--tag=a,b"), [first.runId]);
    assertEquals(await ids("--key-prefix=order-"), [second.runId, first.runId]);
    assertEquals(await ids("--since=2h", "--until=2999-01-01"), [paused.id, failed.runId, second.runId, first.runId]);
    assertEquals(await ids("--since=2999-01-01T00:00"), []);
    assertEquals(await ids("--until=0"), []);
    assertEquals(await ids("--error=down"), [failed.runId]);
    assertEquals(await ids("--failed-task=try", "--ended-since=1h"), [failed.runId]);
    assertEquals(await ids("--ended-until=1h"), []);
    assertEquals(await ids(`--version=${greet.version}`, "--ended-since=0"), [second.runId, first.runId]);
    assertEquals(await ids(`--parent=${first.runId}`), []);
    assertEquals([await ids("--schedule=daily"), await ids("--parked")], [[], []]);
    const page = JSON.parse((await list("--limit=3", "--json")).out);
    assertEquals(page.runs.length, 3);
    assertEquals(await ids("--limit=3", `--cursor=${page.cursor}`), [first.runId]);

    const { out } = await list("--limit=3");
    const lines = out.split("\n");
    assertEquals(lines[0]?.split(/ {2,}/), ["RUN", "STATE", "CREATED", "WORKFLOW", "KEY", "TAGS", "ERROR"]);
    assertEquals(lines.slice(1, 4).map((line) => line.split(/ {2,}/)[0]), [paused.id, failed.runId, second.runId]);
    assertEquals(new Set(lines.slice(0, 4).map((line) => line.search(/WORKFLOW|greet|shaky/))).size, 1);
    assertStringIncludes(lines[1]!, "\\u{202e}red");
    assertEquals(lines[2]!.split(/ {2,}/).at(-1), "down…");
    assertEquals(lines.slice(4), ["", `More runs: --cursor=${page.cursor}`]);
    assertEquals((await list("--workflow=none")).out, "No runs match.");
  });

  test(`${kind}: runs list names what is wrong with a filter`, async () => {
    await using on = ground(kind);
    await using _ = await createRunner(await on.open(), { workflows: [greet] });
    const cases: readonly (readonly [string, number, string])[] = [
      ["--state=odd", 1, "state must be one of pending"],
      ["--limit=0", 2, '--limit must be a number from 1 to 1000, not "0"'],
      ["--limit=1001", 1, "limit must be at most 1000"],
      [
        "--since=soon",
        2,
        '--since must be a time such as 2026-11-30T09:00Z, or a duration before now such as 2h, not "soon"',
      ],
      ["--cursor=x", 1, "cursor must be the cursor of a page"],
      ["--status=failed", 2, "--status"],
      ["extra", 2, '"extra" is one argument too many'],
    ];
    for (const [arg, code, message] of cases) {
      const printed = await sluice(["runs", "list", on.url, arg, ...tenantOf(on)]);
      assertEquals([printed.code, printed.out], [code, ""], arg);
      assertStringIncludes(printed.err, message);
    }
  });

  test(`${kind}: runs follow prints events until the end, and exits by the outcome`, async () => {
    await using on = ground(kind);
    const waits = workflow("waits").event("go", { schema: unchecked<number>() }).returns("go");
    await using runner = await createRunner(await on.open(), { workflows: [greet, shaky, waits], logger: false });
    const follow = (id: string, ...args: string[]): Promise<Printed> =>
      sluice(["runs", "follow", on.url, id, ...args, ...tenantOf(on)]);
    const run = await runner.start(waits);
    const following = follow(run.id);
    await run.send("go", 7);
    const completed = await following;
    const types = completed.out.split("\n").map((line) => line.split("  ").slice(1).join(" "));
    assertEquals([completed.code, completed.err], [0, ""]);
    assertEquals([types[0], types.at(-2), types.at(-1)], ["run.started", "task.completed go", "run.completed"]);

    const { runId } = await runner.execute(shaky);
    const failed = await follow(runId);
    assertEquals(failed.code, 4);
    assertStringIncludes(failed.out, "task.failed  try  attempt 2  Error: down\\u{a}\\u{1b}[2J2");
    assertStringIncludes(failed.out, "task.retrying  try  Error: down\\u{a}\\u{1b}[2J1  next attempt 20");
    const events = (await follow(runId, "--json")).out.split("\n").map((line) => JSON.parse(line));
    assertEquals([events[0].type, events.at(-1).type, events.at(-1).runId], ["run.started", "run.failed", runId]);

    const other = await runner.start(waits);
    await other.cancel("enough");
    const cancelled = await follow(other.id);
    assertEquals([cancelled.code, cancelled.out.split("  ").slice(-2)], [5, ["run.cancelled", "enough"]]);
    const none = await follow(NO_RUN);
    assertEquals([none.code, none.out, none.err.includes(NO_RUN)], [1, "", true]);
  });

  test(`${kind}: runs export prints the whole of a run as JSON`, async () => {
    await using on = ground(kind);
    const child = workflow("child", { input: unchecked<number>() }).task("half", { run: ({ input }) => input / 2 })
      .returns("half");
    const whole = workflow("whole", { input: unchecked<{ readonly count: number }>() })
      .map("squares", {
        over: ({ input }) => Array.from({ length: input.count }, (_, at) => at),
        concurrency: 64,
        onItemFailure: "collect",
        retry: 1,
        async run({ item, ctx }) {
          if (item === 3) throw new Error("three");
          return await ctx.step("square", () => item * item);
        },
      })
      .map("none", { over: () => [], run: () => 1 })
      .map("children", { over: () => [2, 4], workflow: child, input: ({ item }) => item })
      .task("last", {
        after: ["squares", "children"],
        run: async ({ ctx, children }) => await ctx.step("sum", () => children[0]! + children[1]!),
      });
    await using runner = await createRunner(await on.open(), { workflows: [whole, child], logger: false });
    const { runId } = await runner.execute(whole, { count: 450 }, { tags: ["x"] });
    const printed = await sluice(["runs", "export", on.url, runId, ...tenantOf(on)]);
    assertEquals([printed.code, printed.err], [0, ""]);
    const { run, tasks, items, children, history, ...more } = JSON.parse(printed.out);
    assertEquals(more, {});
    assertEquals([run.id, run.state, run.input, run.tags], [runId, "completed", { count: 450 }, ["x"]]);
    assertEquals(tasks.map(({ id, state }: { id: string; state: string }) => [id, state]), [
      ["squares", "completed"],
      ["none", "completed"],
      ["children", "completed"],
      ["last", "completed"],
    ]);
    assertEquals([tasks[3].output, tasks[3].steps[0].name, tasks[3].steps[0].output], [3, "sum", 3]);
    const squares: readonly Record<string, unknown>[] = items.squares;
    assertEquals(squares.map(({ index }) => index), Array.from({ length: 450 }, (_, at) => at));
    assertEquals([squares[449]!["output"], squares[449]!["steps"]], [449 * 449, [{
      name: "square",
      output: 449 * 449,
    }]]);
    assertEquals([squares[3]!["state"], (squares[3]!["error"] as Error).message], ["failed", "three"]);
    assertEquals(items.none, []);
    const ids = new Map<number, string>(
      children.map(({ item, id }: { readonly item: number; readonly id: string }) => [item, id]),
    );
    assertEquals(items.children.map((item: { readonly childRunId: string }) => item.childRunId), [
      ids.get(0),
      ids.get(1),
    ]);
    assertEquals(
      history.filter(({ type }: { readonly type: string }) => type.startsWith("run.")).map((entry: { type: string }) =>
        entry.type
      ),
      ["run.created", "run.started", "run.completed"],
    );
    const none = await sluice(["runs", "export", on.url, NO_RUN, ...tenantOf(on)]);
    assertEquals([none.code, none.out, none.err.includes(NO_RUN)], [1, "", true]);
  });
}

for (const kind of KINDS) {
  test(`${kind}: runs delete deletes a run that has ended, and its child runs after a confirmation`, async () => {
    await using on = ground(kind);
    const waits = workflow("waits").event("go", { schema: unchecked<number>() });
    const parent = workflow("parent").subworkflow("greeting", { workflow: greet });
    await using runner = await createRunner(await on.open(), { workflows: [greet, waits, parent], logger: false });
    const remove = (id: string, ...args: string[]): Promise<Printed> =>
      sluice(["runs", "delete", on.url, id, ...args, ...tenantOf(on)]);
    const first = await runner.execute(greet, undefined, { key: "k" });
    const family = await runner.execute(parent);
    const [child] = await runner.get(family.runId).children();
    const live = await runner.start(waits);
    assertEquals(await remove(first.runId), { code: 0, out: `Run "${first.runId}" is deleted.`, err: "" });
    assertEquals((await runner.list({ keyPrefix: "k" })).runs, []);
    const refused = await remove(family.runId);
    assertEquals([refused.code, refused.out, refused.err.includes("add --yes")], [2, "", true]);
    const ofParent = await remove(child!.id);
    assertEquals([ofParent.code, ofParent.err.includes(`it is a child of run "${family.runId}"`)], [1, true]);
    assertEquals(await remove(family.runId, "--yes", "--json"), {
      code: 0,
      out: JSON.stringify({ id: family.runId, deleted: true }),
      err: "",
    });
    assertEquals((await runner.list()).runs.map(({ id }) => id), [live.id]);
    for (const id of [live.id, first.runId]) {
      const { code, out, err } = await remove(id);
      assertEquals([code, out, err.includes(id)], [1, "", true]);
    }
    await live.send("go", 1);
    await live.outcome();
    assertEquals([(await remove(live.id)).code, (await runner.list()).runs], [0, []]);
  });
}

test("the exit code of runs follow is that of the process", async () => {
  await using on = ground("sqlite");
  await using runner = await createRunner(await on.open(), { workflows: [shaky], logger: false });
  const { runId } = await runner.execute(shaky);
  const { code, stdout } = await spawn("../lib/cli/mod.ts", ["runs", "follow", on.url, runId]).exited;
  assertEquals(code, 4);
  assert(stdout.trim().endsWith("run.failed  Error: down\\u{a}\\u{1b}[2J2"), stdout);
});
