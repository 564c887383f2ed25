/** The responses of the inspector's API, on either store. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import type { RunPage } from "../../lib/inspector/run_shape.ts";
import type { RunnersPage, RunsPage, WorkflowPage, WorkflowsPage } from "../../lib/inspector/shapes.ts";
import { createInspector } from "../../lib/inspector/mod.ts";
import { createClient, createRunner, unchecked, workflow } from "../../mod.ts";
import { test } from "../harness.ts";
import { until } from "../within.ts";
import { type Ask, ask, etl, greet, ground, KINDS, runnerOn } from "./ground.ts";

for (const kind of KINDS) {
  test(`${kind}: hand-backs of a run and its later claims are listed with their runners`, async () => {
    await using on = ground(kind);
    let isStopped = false;
    const begun = Promise.withResolvers<void>();
    const slow = workflow("slow").task("work", {
      run: ({ ctx }) =>
        new Promise<void>((resolve, reject) => {
          if (isStopped) return resolve();
          ctx.signal.addEventListener("abort", () => reject(ctx.signal.reason));
          begun.resolve();
        }),
    });
    const first = await createRunner(await on.open(), { workflows: [slow], logger: false });
    const { id } = await first.start(slow);
    await begun.promise;
    await first.stop({ timeout: 0 });
    isStopped = true;
    await using second = await createRunner(await on.open(), { workflows: [slow], logger: false });
    await second.get(id).result();
    const { events } = await json<RunPage>(ask(second, { redact: ["reason"] }), `/api/runs/${id}`);
    const facts = events.flatMap(({ kind, detail }) => kind.startsWith("fact.") ? [[kind, detail]] : []);
    assertEquals(facts, [["fact.handBack", "runner 1"], ["fact.claim", "runner 2"]]);
  });

  test(`${kind}: a run has its graph, attempts, steps, payloads, errors and events`, async () => {
    await using on = ground(kind);
    await using runner = await runnerOn(await on.open());
    const { runId } = await runner.execute(etl, { token: "t" }, { key: "order-1", tags: ["eu"] });
    const page = await json<RunPage>(ask(runner), `/api/runs/${runId}`);
    assertEquals([page.run.state, page.run.key, page.run.failure], ["failed", "order-1", "RangeError: no t"]);
    assertEquals(page.graph.tasks.map(({ id, after }) => [id, ...after]), [
      ["extract"],
      ["big", "extract"],
      ["load", "big"],
      ["tell", "load"],
    ]);
    const [extract, big, load, tell] = page.tasks;
    assertEquals(extract?.history.map(({ number, state }) => [number, state]), [[1, "failed"], [2, "completed"]]);
    assertEquals(extract?.history[0]?.error?.cause?.message, "socket hang up");
    assert(extract!.history[1]!.startedAt! >= extract!.history[0]!.endedAt!);
    assertEquals([big?.steps[0]?.name, big?.steps[0]?.output?.text], ["price list", '{"price":7,"secret":"hunter2"}']);
    assertEquals(big?.progress, { done: 1, total: 2, message: "half" });
    assertEquals([big?.output?.bytes, big?.output?.isTruncated, big?.output?.text.length], [200_002, true, 2_000]);
    assertEquals([load?.error?.name, tell?.state, tell?.reason], ["RangeError", "skipped", 'dependency "load" failed']);
    assertEquals(page.taskCounts, {
      pending: 0,
      running: 0,
      waiting: 0,
      blocked: 0,
      completed: 2,
      failed: 1,
      skipped: 1,
      cancelled: 0,
      compensated: 0,
    });
    const kinds = page.events.map(({ kind, taskId = "" }) => `${kind} ${taskId}`.trim());
    assertEquals([kinds[0], kinds[1], kinds.at(-1)], ["run.created", "run.started", "run.failed"]);
    for (const one of ["task.retrying extract", "step.completed big", "task.failed load", "task.skipped tell"]) {
      assert(kinds.includes(one), one);
    }
    assertEquals(page.explanation.reasons.map(({ kind }) => kind), ["ended"]);
  });

  test(`${kind}: payloads are given whole, and a run that waits is explained`, async () => {
    await using on = ground(kind);
    const store = await on.open();
    await using runner = await runnerOn(store);
    const { runId } = await runner.execute(etl, { token: "t" });
    const asked = ask(runner);
    const whole = await asked(`/api/runs/${runId}/tasks/big/output`);
    assertEquals([whole.status, await whole.json()], [200, "ä".repeat(100_000)]);
    assertEquals(await json(asked, `/api/runs/${runId}/input`), { token: "t" });
    const step = await asked(`/api/runs/${runId}/tasks/big/steps/${encodeURIComponent("price list")}`);
    assertEquals(await step.json(), { price: 7, secret: "hunter2" });
    assertEquals((await asked(`/api/runs/${runId}/tasks/tell/output`)).status, 404);
    await runner.stop();
    await using client = await createClient(store, { workflows: [greet] });
    const { id } = await client.start(greet);
    const page = await json<RunPage>(ask(client), `/api/runs/${id}`);
    assertEquals(page.explanation.summary, 'no runner is alive; task "hello" is about to start');
  });

  test(`${kind}: runs are found by workflow, state, tag, time, and by what their id or key begins with`, async () => {
    await using on = ground(kind);
    await using runner = await runnerOn(await on.open());
    const { runId } = await runner.execute(etl, { token: "t" }, { key: "order-1", tags: ["eu", "a b"] });
    for (let i = 0; i < 3; i++) await runner.execute(greet);
    const asked = ask(runner);
    const found = async (query: string): Promise<readonly string[]> =>
      (await json<RunsPage>(asked, `/api/runs?${query}`)).runs.map(({ workflow }) => workflow);
    assertEquals((await found("")).length, 4);
    for (
      const query of ["workflow=etl", "state=failed", "tag=eu&tag=a+b", `q=${runId.slice(0, 30)}`, "q=order", "q=eu"]
    ) {
      assertEquals(await found(query), ["etl"], query);
    }
    assertEquals(await found("state=completed&state=failed&workflow=&q="), ["greet", "greet", "greet", "etl"]);
    assertEquals(await found("until=2000-01-01T00:00"), []);
    assertEquals((await found("since=2000-01-01&state=completed")).length, 3);
    assertEquals(await found("q=order&state=completed"), []);
  });

  test(`${kind}: pages of runs follow one another, and counts cover all runs`, async () => {
    await using on = ground(kind);
    await using runner = await runnerOn(await on.open());
    const runs = await runner.startMany(greet, Array.from({ length: 5 }, () => undefined));
    for (const run of runs) await run.result();
    const asked = ask(runner, { basePath: "/ops" });
    const first = await json<RunsPage>(asked, "/ops/api/runs?limit=2&workflow=greet");
    assertEquals([first.runs.length, first.isContinued, first.searchedBackTo], [2, false, undefined]);
    assertEquals(first.nextHref, `/ops/runs?limit=2&workflow=greet&cursor=${first.cursor}`);
    const second = await json<RunsPage>(asked, `/ops/api${first.nextHref!.slice("/ops".length)}`);
    const third = await json<RunsPage>(asked, `/ops/api${second.nextHref!.slice("/ops".length)}`);
    assertEquals([second.isContinued, third.runs.length, third.nextHref], [true, 1, undefined]);
    const ids = [...first.runs, ...second.runs, ...third.runs].map(({ id }) => id);
    assertEquals(ids, runs.map(({ id }) => id).reverse());
    assertEquals(first.counts.completed, { count: 5, precision: "exact" });
  });

  test(`${kind}: workflows have their versions, samples and runners`, async () => {
    await using on = ground(kind);
    await using runner = await runnerOn(await on.open());
    await runner.execute(etl, { token: "t" });
    for (let i = 0; i < 3; i++) await runner.execute(greet);
    const asked = ask(runner);
    const { workflows } = await json<WorkflowsPage>(asked, "/api/workflows");
    assertEquals(workflows.map(({ name, sample }) => [name, sample.failureRate, sample.runs.completed]), [
      ["etl", 1, 0],
      ["greet", 0, 3],
    ]);
    const page = await json<WorkflowPage>(asked, "/api/workflows/etl");
    assertEquals([page.version, page.versions.length, page.graph.description], [etl.version, 1, "Loads prices"]);
    const tasks = page.tasks.map((
      { id, completed, failed, skipped, retries },
    ) => [id, completed, failed, skipped, retries]);
    assertEquals(tasks, [["extract", 1, 0, 0, 1], ["big", 1, 0, 0, 0], ["load", 0, 1, 0, 0], ["tell", 0, 0, 1, 0]]);
    const { runners } = await json<{ runners: { isThis: boolean; isAlive: boolean }[] }>(asked, "/api/runners");
    assertEquals(runners.map(({ isThis, isAlive }) => [isThis, isAlive]), [[true, true]]);
    assertEquals((await asked("/api/workflows/none")).status, 404);
    assertEquals((await asked("/api/workflows/etl?version=none")).status, 404);
  });

  test(`${kind}: to look at everything writes nothing, and works on a store that is only read`, async () => {
    await using on = ground(kind);
    const store = await on.open();
    await using runner = await runnerOn(store);
    const { runId } = await runner.execute(etl, { token: "t" });
    // Its heartbeat is one write.
    await runner.stop();
    for (const read of [store, await on.open({ readOnly: true })]) {
      const asked = ask(read);
      const before = read.counters();
      for (const path of PATHS) {
        const answer = await asked(path.replace(":id", runId));
        assertEquals([path, answer.status], [path, 200]);
        await answer.text();
      }
      const after = read.counters();
      assertEquals([after.commits, after.rows], [before.commits, before.rows]);
      assert(after.statements > before.statements);
    }
  });
}

test("a stranded run is listed with its state", async () => {
  await using on = ground("sqlite");
  const store = await on.open();
  await using client = await createClient(store, { workflows: [greet] });
  const { id } = await client.start(greet);
  const { stranded } = await json<RunnersPage>(ask(client), "/api/runners");
  assertEquals(stranded.map(({ id, state }) => [id, state]), [[id, "pending"]]);
});

test("megabytes of text make no large page", async () => {
  await using on = ground("sqlite");
  const text = "<b>\u202e".repeat(100_000);
  const loud = workflow("loud", { input: unchecked<string>() })
    .task("say", { run: ({ input }) => input })
    .task("fail", { after: ["say"], retry: 1, run: ({ say }) => Promise.reject(new Error(say)) });
  await using runner = await createRunner(await on.open(), { workflows: [loud] });
  const tags = Array.from({ length: 20 }, (_, i) => `${i} ${text.slice(0, 150)}`);
  const { runId } = await runner.execute(loud, text, { key: text.slice(0, 500), tags });
  const asked = ask(runner);
  for (const path of ["/runs", `/runs/${runId}`, "/api/runs", `/api/runs/${runId}`]) {
    const body = await (await asked(path)).text();
    assert(body.length < 200_000, `${path} has ${body.length} characters`);
  }
  const whole = await (await asked(`/api/runs/${runId}/tasks/say/output`)).json();
  assertEquals(whole === text, true);
});

test("forks and what they were forked from are linked", async () => {
  await using on = ground("sqlite");
  await using runner = await runnerOn(await on.open());
  const { runId } = await runner.execute(greet);
  const fork = await runner.get(runId).fork();
  await fork.outcome();
  const asked = ask(runner);
  const origin = await json<RunPage>(asked, `/api/runs/${runId}`);
  assertEquals(origin.links.forks, [{ id: fork.id, href: `/runs/${fork.id}`, state: "completed" }]);
  const page = await json<RunPage>(asked, `/api/runs/${fork.id}`);
  assertEquals(page.links.forkedFrom, { id: runId, href: `/runs/${runId}`, state: "completed" });
});

test("a run links to its child runs by task and item, failed ones first, and each of these to its parent", async () => {
  const even = workflow("even", { input: unchecked<number>() }).task("check", {
    retry: 1,
    run({ input }) {
      if (input % 2 === 1) throw new Error("odd");
    },
  });
  const parent = workflow("parent")
    .subworkflow("first", { workflow: even, input: () => 0 })
    .map("all", { over: () => [2, 3], onItemFailure: "collect", workflow: even, input: ({ item }) => item });
  for (const kind of KINDS) {
    await using on = ground(kind);
    await using runner = await createRunner(await on.open(), { workflows: [parent] });
    const { runId } = await runner.execute(parent);
    const asked = ask(runner);
    const page = await json<RunPage>(asked, `/api/runs/${runId}`);
    assertEquals(page.links.children.map(({ task, item, state }) => [task, item, state]), [
      ["all", 1, "failed"],
      ["all", 0, "completed"],
      ["first", undefined, "completed"],
    ]);
    const [failed] = page.links.children;
    const child = await json<RunPage>(asked, failed!.href.replace("/runs/", "/api/runs/"));
    assertEquals(child.links.parent, { id: runId, href: `/runs/${runId}`, state: "completed", task: "all", item: 1 });
    assertEquals(child.links.children, []);
    const html = await (await asked(`/runs/${runId}`)).text();
    assert(html.includes("Child runs") && html.includes(`href="${failed!.href}"`) && html.includes("all [1]"));
    const progress = page.tasks.find(({ id }) => id === "all")?.progress;
    assertEquals([progress?.done, progress?.total], [2, 2]);
  }
});

test("a run says what it waits for: a message and since when, a child run with its link, a decision", async () => {
  const child = workflow("child").event("go", { schema: unchecked<number>() });
  const parent = workflow("parent")
    .event("approval", { schema: unchecked<string>() })
    .sleep("rest", { for: "1h" })
    .subworkflow("ship", { workflow: child });
  for (const kind of KINDS) {
    await using on = ground(kind);
    await using runner = await createRunner(await on.open(), { workflows: [parent, child] });
    const run = await runner.start(parent);
    await until(async () => (await run.tasks()).every(({ state }) => state === "waiting"));
    const [ship] = await run.children();
    await until(async () => (await runner.get(ship!.id).status()).state === "waiting");
    const asked = ask(runner);
    const page = await json<RunPage>(asked, `/api/runs/${run.id}`);
    const link = { id: ship!.id, href: `/runs/${ship!.id}`, state: "waiting" as const };
    assertEquals(page.explanation.reasons.map(({ kind, taskId, run }) => [kind, taskId, run]).filter(([, id]) => id), [
      ["event", "approval", undefined],
      ["timer", "rest", undefined],
      ["child", "ship", link],
    ]);
    assertEquals(page.tasks.map(({ child }) => child), [undefined, undefined, link]);
    const html = await (await asked(`/runs/${run.id}`)).text();
    for (const words of ["Waits for a message, since <time", "Sleeps, since <time", "Waits for"]) {
      assert(html.includes(words), words);
    }
    assertEquals(html.match(/<section id="state-why".*?<\/section>/s)?.[0].includes(link.href), true);
  }
});

test("an option that is wrong is refused, and so is what can be no inspector's", async () => {
  await using on = ground("sqlite");
  const store = await on.open();
  for (
    const options of [{ basePath: "ops" }, { basePath: "/ops/" }, { redact: ["a..b"] }, { colour: 1 }, { title: 1 }]
  ) {
    assertThrows(() => createInspector(store, options as never), TypeError);
  }
  assertThrows(() => createInspector({} as never), TypeError, "a runner, a client or an open store");
});

const PATHS = [
  ...["/runs", "/runs?q=abcdef&tag=x", "/runs?state=failed", "/runs?state=pending", "/runs/:id", "/workflows"],
  ...["/workflows/etl", "/schedules", "/limits", "/runners"],
].flatMap((path) => [path, `/api${path}`]).concat([
  "/api/runs/:id/input",
  "/api/runs/:id/tasks/big/output",
  "/healthz",
]);

async function json<T>(asked: Ask, path: string): Promise<T> {
  const answer = await asked(path);
  assertEquals([answer.status, answer.headers.get("content-type")], [200, "application/json; charset=utf-8"]);
  return await answer.json();
}
