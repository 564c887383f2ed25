/** A runner is killed at a named moment, and another one is started immediately. */
import { assert, assertEquals } from "@std/assert";
import { backend } from "../empty_store.ts";
import { test } from "../harness.ts";
import { within } from "../within.ts";
import type { Moment } from "./mortal_store.ts";
import { openSite, type Site } from "./site.ts";
import type { WorkerConfig } from "./worker.ts";
import { expected } from "./workflows.ts";

/** A transaction on SQLite ends with its process. A Postgres server completes the statements that it received. */
const isCarriedOut = backend === "postgres";

interface Case {
  readonly name: string;
  readonly moment: Moment;
  /** The workflow that the killed worker starts itself. */
  readonly workflow: string;
  /**
   * All bodies that began in both workers, in order; a list of alternatives where the outcome depends on the server.
   */
  readonly begun: string | readonly string[];
  readonly config?: Partial<WorkerConfig>;
}

const ITEMS = ["items#0", "items#1", "items#2", "items#3"];

const THIRD = "third_time third_time third_time";

const cases: readonly Case[] = [
  { name: "before a run's insert", moment: { at: "before", of: "insert" }, workflow: "chain", begun: "a b c" },
  { name: "while a run is inserted", moment: { at: "inside", of: "insert" }, workflow: "chain", begun: "a b c" },
  {
    name: "between a run's insert and its first body",
    moment: { at: "after", of: "insert" },
    workflow: "chain",
    begun: "a b c",
  },
  {
    name: "between the end of a body and the commit of its result",
    moment: { at: "before", of: "b completed" },
    workflow: "chain",
    begun: "a b b c",
  },
  {
    name: "while a result is committed",
    moment: { at: "inside", of: "b completed" },
    workflow: "chain",
    // The commit has several statements: the server may or may not have received all of them when the process dies.
    begun: isCarriedOut ? ["a b c", "a b b c"] : "a b b c",
  },
  {
    name: "between a result's commit and the next body",
    moment: { at: "after", of: "b completed" },
    workflow: "chain",
    begun: "a b c",
  },
  {
    name: "between a result's commit and the two bodies that wait for it",
    moment: { at: "after", of: "top completed" },
    workflow: "diamond",
    begun: "top left right join",
  },
  { name: "before a run's end", moment: { at: "before", of: "end" }, workflow: "chain", begun: "a b c c" },
  {
    name: "while a run's end is committed",
    moment: { at: "inside", of: "end" },
    workflow: "chain",
    begun: isCarriedOut ? "a b c" : "a b c c",
  },
  { name: "after a run's end", moment: { at: "after", of: "end" }, workflow: "chain", begun: "a b c" },
  {
    name: "after a body was marked as running",
    moment: { at: "after", of: "b running" },
    workflow: "chain",
    begun: "a b b c",
    config: { hold: { b: "deaf" } },
  },
  {
    name: "before a step's commit",
    moment: { at: "before", of: "sum/one completed" },
    workflow: "stepwise",
    begun: "sum/one sum/one sum/two sum twice",
  },
  {
    name: "after a step's commit",
    moment: { at: "after", of: "sum/one completed" },
    workflow: "stepwise",
    begun: "sum/one sum/two sum twice",
  },
  {
    name: "before a failed attempt is recorded",
    moment: { at: "before", of: "third_time waiting" },
    // The delay is longer than a commit: otherwise the next attempt may begin before the failed one is recorded.
    workflow: "patient",
    begun: `third_time ${THIRD}`,
  },
  {
    name: "after a failed attempt was recorded",
    moment: { at: "after", of: "third_time waiting" },
    workflow: "patient",
    begun: THIRD,
  },
  {
    name: "before the array of a map is committed",
    moment: { at: "before", of: "items running" },
    workflow: "mapped",
    begun: [...ITEMS, "total"].join(" "),
  },
  {
    name: "after the array of a map was committed",
    moment: { at: "after", of: "items running" },
    workflow: "mapped",
    begun: [...ITEMS, "total"].join(" "),
  },
  {
    name: "before the result of an item is committed",
    moment: { at: "before", of: "items completed" },
    workflow: "mapped",
    // Further items begin while the result of the first is being committed.
    begun: [1, 2, 3, 4].map((begun) => [...ITEMS.slice(0, begun), ...ITEMS, "total"].join(" ")),
  },
  {
    name: "after the result of an item was committed",
    moment: { at: "after", of: "items completed" },
    workflow: "mapped",
    begun: [1, 2, 3, 4].map((begun) => [...ITEMS.slice(0, begun), ...ITEMS.slice(1), "total"].join(" ")),
  },
  {
    name: "after a task failed permanently, together with the tasks that are skipped because of it",
    moment: { at: "after", of: "bad failed" },
    workflow: "failing",
    begun: "good bad tidy",
  },
];

for (const { name, moment, workflow, begun, config } of cases) {
  test(`a run survives the death of its runner ${name}`, async () => {
    await using site = await openSite();
    const doomed = site.worker({ starts: [[workflow, 7]], moment, ...config });
    await doomed.until("dying");
    assertEquals((await doomed.exited).signal, "SIGKILL");
    // With the same key: the run is inserted now unless it exists already.
    const heir = site.worker({ starts: [[workflow, 7]] });
    await heir.until("ready");
    const run = await site.client.start(workflow, { n: 7 }, { key: "7" });
    const outcome = await within("the run", run.outcome());
    const { status, result } = { result: undefined, ...outcome };
    assertEquals({ result: undefined, ...expected(workflow, 7) }, { status, result });
    const actual = site.begun(run.id).join(" ");
    assert([begun].flat().includes(actual), `${actual} began, and not ${begun}`);
    await checkAttempts(site, run.id);
    await site.stop(heir);
    assertEquals(await site.wrong(), []);
  });
}

test("a run survives the death of its runner during a body", async () => {
  await using site = await openSite();
  const doomed = site.worker({ starts: [["diamond", 1]], hold: { left: "deaf" } });
  await doomed.until("holding left");
  await doomed.until("task.completed right");
  await site.kill(doomed);
  const run = await site.client.start("diamond", { n: 1 }, { key: "1" });
  const heir = site.worker();
  await heir.until("ready");
  assertEquals((await within("the run", run.outcome())).status, "completed");
  assertEquals(site.begun(run.id), ["top", "left", "right", "left", "join"]);
  const history = (await run.history()).map(({ type }) => type);
  assertEquals(history.filter((type) => type.startsWith("run.")), [
    "run.created",
    "run.started",
    "run.recovered",
    "run.claimed",
    "run.completed",
  ]);
  await site.stop(heir);
  assertEquals(await site.wrong(), []);
});

test("a retry that a dead runner had scheduled happens when it is due, and no attempt is lost", async () => {
  await using site = await openSite();
  const doomed = site.worker({ starts: [["patient", 5]], moment: { at: "after", of: "third_time waiting" } });
  await doomed.until("dying");
  await doomed.exited;
  const run = await site.client.start("patient", { n: 5 }, { key: "5" });
  const dueAt = (await run.tasks())[0]!.dueAt!;
  const heir = site.worker();
  await heir.until("ready");
  assertEquals(await within("the run", run.result()), 5);
  const [task] = await run.tasks();
  assertEquals([task!.attempts, task!.failures.length, task!.startedAt! >= dueAt + 300], [3, 2, true]);
  await site.stop(heir);
  assertEquals(await site.wrong(), []);
});

for (const at of ["before", "inside", "after"] as const) {
  test(`a run survives the death of a runner that claims it ${at} the commit`, async () => {
    await using site = await openSite();
    const run = await site.client.start("chain", { n: 1 });
    const doomed = site.worker({ moment: { at, of: "claim" } });
    await doomed.until("dying");
    await doomed.exited;
    const heir = site.worker();
    await heir.until("ready");
    assertEquals(await within("the run", run.result()), 7);
    assertEquals(site.begun(run.id), ["a", "b", "c"]);
    assertEquals((await run.status()).crashes, at === "after" || (at === "inside" && isCarriedOut) ? 1 : 0);
    await site.stop(heir);
    assertEquals(await site.wrong(), []);
  });
}

const launches: readonly Moment[] = [
  { at: "before", of: "insert" },
  { at: "after", of: "insert" },
  { at: "after", of: 'launch/ctx.start("chain") completed' },
];

for (const moment of launches) {
  test(`a run that a body starts is started once if the runner dies ${moment.at} "${moment.of}"`, async () => {
    await using site = await openSite();
    const run = await site.client.start("launching", { n: 1 });
    const doomed = site.worker({ moment });
    await doomed.until("dying");
    await doomed.exited;
    const heir = site.worker();
    await heir.until("ready");
    assertEquals(await within("the run", run.result()), 1);
    const { runs } = await site.client.list({ workflow: "chain" });
    assertEquals(runs.map(({ key }) => key), [`${run.id}/launch`]);
    assertEquals(await within("the started run", site.client.get(runs[0]!.id).result()), 7);
    await site.stop(heir);
    assertEquals(await site.wrong(), []);
  });
}

const goodbyes: readonly Moment[] = [
  { at: "before", of: "hand back" },
  { at: "inside", of: "hand back" },
  { at: "after", of: "hand back" },
  { at: "before", of: "leave" },
  { at: "after", of: "leave" },
];

for (const moment of goodbyes) {
  test(`a run survives the death of its runner during a shutdown, ${moment.at} "${moment.of}"`, async () => {
    await using site = await openSite();
    const doomed = site.worker({ starts: [["chain", 1]], hold: { b: "heed" }, drain: "10ms", moment });
    await doomed.until("holding b");
    doomed.kill("SIGTERM");
    await doomed.until("dying");
    await doomed.exited;
    const heir = site.worker();
    await heir.until("ready");
    const run = await site.client.start("chain", { n: 1 }, { key: "1" });
    assertEquals(await within("the run", run.result()), 7);
    assertEquals(site.begun(run.id), ["a", "b", "b", "c"]);
    await checkAttempts(site, run.id);
    await site.stop(heir);
    assertEquals(await site.wrong(), []);
  });
}

test("a paused run that waits for a retry stays paused after the death of its runner, until it is resumed", async () => {
  await using site = await openSite();
  const run = await site.client.start("patient", { n: 1 });
  const doomed = site.worker();
  await doomed.until("task.retrying");
  await run.pause("lunch");
  await doomed.until("run.paused");
  await site.kill(doomed);
  const heir = site.worker();
  await provePaused(site, run.id);
  await run.resume();
  assertEquals(await within("the run", run.result()), 1);
  assertEquals(site.begun(run.id).length, 3);
  await site.stop(heir);
  assertEquals(await site.wrong(), []);
});

test("a run that was paused during a body stays paused after the death of its runner, until it is resumed", async () => {
  await using site = await openSite();
  const run = await site.client.start("chain", { n: 1 });
  const doomed = site.worker({ hold: { b: "deaf" } });
  await doomed.until("holding b");
  await run.pause();
  await site.kill(doomed);
  const heir = site.worker();
  await provePaused(site, run.id);
  await run.resume();
  assertEquals(await within("the run", run.result()), 7);
  assertEquals(site.begun(run.id), ["a", "b", "b", "c"]);
  await site.stop(heir);
  assertEquals(await site.wrong(), []);
});

test("a run whose runner dies during a cancel ends as cancelled, and no body runs again", async () => {
  await using site = await openSite();
  const run = await site.client.start("chain", { n: 1 });
  const doomed = site.worker({ hold: { b: "deaf" } });
  await doomed.until("holding b");
  await run.cancel("wrong file");
  await doomed.until("aborted b RunCancelledError");
  await site.kill(doomed);
  const heir = site.worker();
  await heir.until("ready");
  const outcome = await within("the run", run.outcome());
  const { startedAt, endedAt } = outcome;
  assertEquals(outcome, {
    status: "cancelled",
    runId: run.id,
    startedAt,
    endedAt,
    reason: "wrong file",
    compensated: [],
    outputs: { a: 2 },
  });
  assertEquals(site.begun(run.id), ["a", "b"]);
  await site.stop(heir);
  assertEquals(await site.wrong(), []);
});

/** Deaths of runners consume no attempt: a task that fails twice needs three attempts, every other task one. */
async function checkAttempts(site: Site, runId: string): Promise<void> {
  const tasks = await (await site.client.get(runId)).tasks();
  const odd = tasks.filter(({ id, attempts, state }) => {
    return attempts !== (state === "skipped" ? 0 : id === "third_time" ? 3 : 1);
  });
  assertEquals(odd, []);
}

/** Asserts that no body of the run begins while another run takes longer than the delay of its retry. */
async function provePaused(site: Site, runId: string): Promise<void> {
  const before = site.begun(runId);
  const other = await site.client.start("patient", { n: 2 });
  await other.result();
  assertEquals((await (await site.client.get(runId)).status()).state, "paused");
  assertEquals(site.begun(runId), before);
}
