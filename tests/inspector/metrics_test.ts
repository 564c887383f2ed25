/** Numbers for Prometheus. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { createClient, createRunner, dynamicWorkflow, metricsText, unchecked, workflow } from "../../mod.ts";
import { test } from "../harness.ts";
import { until } from "../within.ts";
import { type Ask, ask, etl, greet, ground, KINDS, runnerOn } from "./ground.ts";

for (const kind of KINDS) {
  test(`${kind}: the metrics of a runner count its work and its backlog`, async () => {
    await using on = ground(kind);
    const store = await on.open();
    await using runner = await runnerOn(store);
    await runner.execute(etl, { token: "t" });
    for (let i = 0; i < 3; i++) await runner.execute(greet);
    await runner.start(greet, undefined, { delay: "1h" });
    const numbers = await read(ask(runner));
    const expected: Record<string, number> = {
      'sluice_runs{state="completed"}': 3,
      'sluice_runs{state="failed"}': 1,
      'sluice_runs{state="pending"}': 1,
      "sluice_backlog_runs": 0,
      "sluice_queue_age_seconds": 0,
      'sluice_runners{state="alive"}': 1,
      'sluice_bodies{state="active"}': 0,
      'sluice_runs_ended_total{workflow="greet",state="completed"}': 3,
      'sluice_runs_ended_total{workflow="etl",state="failed"}': 1,
      'sluice_run_events_total{workflow="greet",event="started"}': 3,
      'sluice_task_retries_total{workflow="etl",task="extract"}': 1,
      'sluice_tasks_skipped_total{workflow="etl",task="tell"}': 1,
      'sluice_task_attempts_total{workflow="etl",task="extract"}': 2,
      'sluice_run_duration_seconds_count{workflow="greet"}': 3,
      'sluice_run_duration_seconds_bucket{workflow="greet",le="+Inf"}': 3,
      "sluice_lease_losses_total": 0,
      "sluice_commit_failures_total": 0,
    };
    for (const [name, value] of Object.entries(expected)) assertEquals([name, numbers.get(name)], [name, value]);
    assert(numbers.get("sluice_commit_rows_sum")! >= 4 + 3 * 3);
    assert(numbers.get("sluice_store_commits_total")! > 0);
  });

  test(`${kind}: the metrics of a store have its backlog, its age and its runners`, async () => {
    await using on = ground(kind);
    const store = await on.open();
    const runner = await runnerOn(store, { maxRuns: 1 });
    await runner.stop();
    await using client = await createClient(store, { workflows: [greet] });
    await client.startMany(greet, [undefined, undefined]);
    await until(() => client.list({ state: "pending" }).then(({ runs }) => runs[0]!.createdAt < store.now()));
    const numbers = await read(ask(await on.open({ readOnly: true })));
    assertEquals([numbers.get("sluice_backlog_runs"), numbers.get('sluice_runners{state="alive"}')], [2, 0]);
    assert(numbers.get("sluice_queue_age_seconds")! > 0);
    assertEquals([...numbers.keys()].some((name) => name.startsWith("sluice_commit_")), false);
  });
}

for (const kind of KINDS) {
  test(`${kind}: the numbers of limits are summed up over their keys, in stats() and for Prometheus`, async () => {
    await using on = ground(kind);
    const keyed = workflow("keyed", { input: unchecked<string>(), limits: [{ key: ({ input }) => input, max: 1 }] })
      .event("done", { schema: unchecked<string>() });
    const idle = workflow("idle", { limits: [{ max: 1 }] }).event("done", { schema: unchecked<string>() });
    await using runner = await createRunner(await on.open(), { workflows: [keyed, idle] });
    assertEquals((await runner.stats()).limits, { lanes: 0, held: 0, waiting: 0 });
    await runner.startMany(keyed, ["a", "a", "a", "b"]);
    await until(async () => (await runner.stats()).limits.waiting === 2);
    assertEquals((await runner.stats()).limits, { lanes: 2, held: 2, waiting: 2 });
    const numbers = await read(ask(runner));
    const ofLimits = [...numbers].filter(([name]) => name.startsWith("sluice_limit"));
    assertEquals(ofLimits, [
      ['sluice_limit_held{limit="idle"}', 0],
      ['sluice_limit_held{limit="keyed"}', 2],
      ['sluice_limit_waiting{limit="idle"}', 0],
      ['sluice_limit_waiting{limit="keyed"}', 2],
    ]);
  });
}

test("names of users are quoted, whatever is in them", async () => {
  await using on = ground("sqlite");
  const name = 'a"b\\c d{e="f"} 7';
  const odd = dynamicWorkflow({ name, tasks: [{ id: name, run: () => 1 }] });
  await using runner = await createRunner(await on.open(), { workflows: [odd] });
  await runner.execute(odd);
  const numbers = await read(ask(runner));
  const quoted = 'a\\"b\\\\c d{e=\\"f\\"} 7';
  assertEquals(numbers.get(`sluice_tasks_completed_total{workflow="${quoted}",task="${quoted}"}`), 1);
});

for (const kind of KINDS) {
  test(`${kind}: metricsText() needs no inspector, and says the same of a runner, a client and a store`, async () => {
    await using on = ground(kind);
    const store = await on.open();
    await using runner = await runnerOn(store);
    await runner.execute(greet);
    const numbers = parse(await metricsText(runner));
    assertEquals([...numbers.keys()], [...(await read(ask(runner))).keys()]);
    assertEquals(numbers.get('sluice_tasks_completed_total{workflow="greet",task="hello"}'), 1);
    await using client = await createClient(store, { workflows: [greet] });
    for (const target of [client, store]) {
      assertEquals(parse(await metricsText(target)).get('sluice_runs{state="completed"}'), 1);
    }
    await assertRejects(
      () => metricsText({} as typeof store),
      TypeError,
      "Cannot read metrics: the target must be a runner, a client or an open store",
    );
  });
}

/** Reads the text as strictly as Prometheus does: each family once, with its help and its type before its numbers. */
async function read(asked: Ask): Promise<ReadonlyMap<string, number>> {
  const answer = await asked("/metrics");
  assertEquals([answer.status, answer.headers.get("content-type")], [200, "text/plain; version=0.0.4; charset=utf-8"]);
  return parse(await answer.text());
}

function parse(text: string): ReadonlyMap<string, number> {
  assert(text.endsWith("\n"));
  const families = new Map<string, string>();
  const numbers = new Map<string, number>();
  let family = "";
  for (const line of text.slice(0, -1).split("\n")) {
    const [, keyword, name, rest] = /^# (HELP|TYPE) ([a-z_]+) (.+)$/.exec(line) ?? [];
    if (keyword === "HELP") {
      assertEquals(families.has(name!), false, `${name} stands twice`);
      family = name!;
    } else if (keyword === "TYPE") {
      assertEquals(name, family);
      families.set(name!, rest!);
    } else {
      const label = '[a-z_]+="(?:[^"\\\\\\n]|\\\\[\\\\"n])*"';
      const [, sample, suffix, labels, value] =
        new RegExp(`^(${family}(_bucket|_sum|_count)?)(\\{${label}(?:,${label})*\\})? (\\S+)$`).exec(line) ?? [];
      assert(sample !== undefined, line);
      assertEquals(suffix !== undefined, families.get(family) === "histogram", line);
      assert(Number.isFinite(Number(value)), line);
      assertEquals(numbers.has(`${sample}${labels ?? ""}`), false, `${line} stands twice`);
      numbers.set(`${sample}${labels ?? ""}`, Number(value));
    }
  }
  return numbers;
}
