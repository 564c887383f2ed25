/** The front page, failures in groups, and the search for runs by their error, on either store. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { FailuresPage, OverviewPage } from "../../lib/inspector/overview_shape.ts";
import { overviewPage } from "../../lib/inspector/pages/overview_page.ts";
import type { RunsPage } from "../../lib/inspector/shapes.ts";
import { createRunner, unchecked, workflow } from "../../mod.ts";
import { longestTurn } from "../cpu.ts";
import { test } from "../harness.ts";
import { until } from "../within.ts";
import { type Ask, ask, ground, KINDS, numbered } from "./ground.ts";
import { chartOf, overviewOf } from "./overview_fixtures.ts";
import { NOW, runsOf, viewOf } from "./page_fixtures.ts";

const pay = workflow("pay", { input: unchecked<{ error?: string }>() }).task("charge", {
  retry: 1,
  run({ input: { error } }) {
    if (error !== undefined) throw new TypeError(error, { cause: new Error("socket hang up") });
  },
});

const once = workflow("once").task("send", {
  guarantee: "atMostOnce",
  run: ({ ctx }) =>
    new Promise<void>((_, reject) => ctx.signal.addEventListener("abort", () => reject(ctx.signal.reason))),
});

for (const kind of KINDS) {
  test(`${kind}: the front page shows how runs ended, and groups failures; each links to its runs`, async () => {
    await using on = ground(kind);
    await using runner = await createRunner(await on.open(), { workflows: [pay], logger: false });
    const inputs = ["bank is down\nat 10:00", "bank is down\nat 10:01", "no card", undefined, undefined, undefined];
    for (const error of inputs) await runner.execute(pay, error === undefined ? {} : { error });
    const asked = ask(runner);
    assertEquals((await asked("/")).headers.get("location"), "/overview");
    const page = await json<OverviewPage>(asked, "/api/overview");
    const ends = [page.hour, page.day].map(({ completed, failed, cancelled, isEstimated, bucketMs }) => [
      ...[completed, failed, cancelled].map((counts) => counts.reduce((sum, count) => sum + count, 0)),
      completed.length * bucketMs,
      isEstimated,
    ]);
    assertEquals(ends, [[3, 3, 0, 3_600_000, false], [3, 3, 0, 86_400_000, false]]);
    assertEquals(page.failures.groups.map(({ runs, error, workflows }) => [runs, error, ...workflows]), [
      [2, "TypeError: bank is down", "pay"],
      [1, "TypeError: no card", "pay"],
    ]);
    const found = await json<RunsPage>(asked, `/api${page.failures.groups[0]!.href}`);
    assertEquals(found.runs.length, 2);
    assertEquals(found.runs[0]!.href, page.failures.groups[0]!.latest.href);
    assertEquals((await json<FailuresPage>(asked, `/api${page.failuresHref}`)).groups.length, 2);
    assertEquals((await json<FailuresPage>(asked, "/api/failures?workflow=other")).groups, []);
    assertEquals((await json<FailuresPage>(asked, "/api/failures?since=2100-01-01")).groups, []);
    const html = await (await asked("/overview")).text();
    assertStringIncludes(html, "Last hour: 3 completed, 3 failed");
    assertStringIncludes(html, "Nothing needs attention");
  });

  test(`${kind}: runs are found by a text of their error or of its cause, with any other filter`, async () => {
    await using on = ground(kind);
    await using runner = await createRunner(await on.open(), { workflows: [pay], logger: false });
    const { runId } = await runner.execute(pay, { error: "bank is down" }, { tags: ["eu"], key: "k1" });
    await runner.execute(pay, { error: "no card" });
    await runner.execute(pay, {});
    const asked = ask(runner);
    const found = async (query: string): Promise<number> =>
      (await json<RunsPage>(asked, `/api/runs?${query}`)).runs.length;
    const searches = [
      "error=is+down",
      "error=TypeError:+b",
      "error=socket",
      "error=down&state=failed&tag=eu",
      "error=Is+down",
    ];
    assertEquals(await Promise.all(searches.map(found)), [1, 1, 2, 1, 0]);
    assertEquals([await found(`q=${runId}&error=down`), await found(`q=${runId}&error=card`)], [1, 0]);
    assertEquals([await found("q=k1&error=down"), await found("q=k1&error=card"), await found("q=eu&error=down")], [
      1,
      0,
      1,
    ]);
    assertEquals(await (await asked("/api/runs?parked=1")).json(), {
      status: 400,
      message: "parked must be true or false",
    });
  });

  test(`${kind}: parked runs and blocked tasks are on the front page`, async () => {
    await using on = ground(kind);
    const store = await on.open();
    await using first = await createRunner(store, { workflows: [once], logger: false });
    const held = await first.start(once);
    await until(async () => (await held.tasks())[0]?.state === "running");
    await first.start(once, undefined, { delay: "1h" });
    await first.stop({ timeout: 10 });
    assertEquals((await store.blocked(9)).length, 1);
    const page = await json<OverviewPage>(ask(store), "/api/overview");
    assertEquals([page.runners, page.blockedCount, page.parkedCount], [
      0,
      { count: 1, precision: "exact" },
      { count: 2, precision: "exact" },
    ]);
    assertEquals(page.blocked.map(({ run: { id, task } }) => [id, task]), [[held.id, "send"]]);
    assertEquals(page.parked[0]?.reason, 'no live runner has workflow "once"');
    assertEquals((await json<RunsPage>(ask(store), "/api/runs?parked=true")).runs.length, 2);
    assertEquals((await json<RunsPage>(ask(store), "/api/runs?parked=true&workflow=pay")).runs, []);
  });

  test(`${kind}: of very many runs the front page estimates from a sample, and blocks other work for no longer`, async () => {
    await using on = ground(kind);
    const store = await on.open();
    await fill(on, kind);
    const { result, ms } = await longestTurn(() => json<OverviewPage>(ask(store), "/api/overview"));
    const { hour, failures } = result;
    const completed = hour.completed.reduce((sum, count) => sum + count, 0);
    assertEquals(hour.isEstimated, true);
    assert(Math.abs(completed - 22_000) < 1_000, `${completed} completed`);
    assertEquals([failures.grouped, failures.isCapped, failures.groups.length], [5_000, true, 10]);
    // Each takes less than 20 ms on a quiet machine.
    assert(ms < 180, `a turn of ${ms} ms`);
  });
}

test("where errors are hidden, failures are grouped by workflow, and no search finds them letter by letter", async () => {
  await using on = ground("sqlite");
  await using runner = await createRunner(await on.open(), { workflows: [pay], logger: false });
  await runner.execute(pay, { error: "hunter2" });
  for (
    const path of [
      "error",
      "error.message",
      "tasks.charge.error.cause.message",
      "**.code",
      "tasks.*.error.errors.0.message",
    ]
  ) {
    const asked = ask(runner, { redact: [path] });
    assertEquals((await asked("/api/runs?error=hunter")).status, 400, path);
    const { groups, isByWorkflow } = await json<FailuresPage>(asked, "/api/failures");
    assertEquals([groups.map(({ error, href }) => [error, href]), isByWorkflow], [
      [["[redacted]", "/runs?state=failed&workflow=pay"]],
      true,
    ]);
    assertEquals((await (await asked("/overview")).text()).includes("hunter2"), false, path);
  }
  const asked = ask(runner, { redact: ["input.error", "tasks.charge.output", "key"] });
  assertEquals((await json<FailuresPage>(asked, "/api/failures")).groups[0]?.error, "TypeError: hunter2");
});

test("few failures beside very many completed runs are still drawn, and say how many they are", () => {
  const hour = chartOf([0, 1_000_000], [0, 1], NOW);
  const page = overviewOf("x", { at: NOW, store: "s", counts: runsOf().counts });
  const { text } = overviewPage({ ...page, hour }, viewOf());
  const heights = [...text.matchAll(/<rect class="s-(\w+)" x="50%" width="50%" y="[\d.]+" height="([\d.]+)"/g)];
  assertEquals(heights.map(([, state, height]) => [state, height]), [["failed", "2"], ["completed", "108"]]);
  assertStringIncludes(text, "11:59–12:00 UTC: 1 failed, 1,000,000 completed");
});

/** Runs of the last minutes: 22,000 that completed and 6,000 that failed, by twenty errors. */
async function fill(on: ReturnType<typeof ground>, kind: typeof KINDS[number]): Promise<void> {
  const { numbers, id } = numbered(kind, 28_000);
  const error = `'{"name":"Error","message":"no ' || (n % 20) || '","stack":"${"at x ".repeat(200)}"}'`;
  const at = Date.now() - 600_000;
  await on.run(`
    insert into runs (epoch, state, id, workflow, version, tags, priority, due_at, created_at, input, started_at, ended_at, error)
    select 1, case when n > 22000 then 'failed' else 'completed' end, ${id}, 'w', 'v', '[]', 0, 1, ${at} + n, 'null', 1,
           ${at} + n, case when n > 22000 then ${error} end
      from ${numbers}`);
}

async function json<T>(asked: Ask, path: string): Promise<T> {
  const answer = await asked(path);
  assertEquals([path, answer.status], [path, 200]);
  return await answer.json();
}
