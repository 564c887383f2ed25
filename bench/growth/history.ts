/**
 * Whether a run costs more when the tables are full: the same chains on files that hold nothing, many finished runs, and
 * many runs that are another's or not due, a slice of each in turn; once with runs that their starter keeps, once with
 * runs that are claimed.
 *
 * `deno run -A bench/growth/history.ts` or `bun bench/growth/history.ts`; `--finished=1000000 --waiting=100000 --runs=2000 --rounds=15`.
 *
 * @module
 */
import process from "node:process";
import { createRunner, type DynamicWorkflow, type Runner } from "../../mod.ts";
import { openConnection } from "../../lib/store/sqlite/driver.ts";
import { sqliteStore } from "../../lib/store/sqlite/mod.ts";
import { flag, inFlight, median, report, scratch } from "../measure.ts";
import { chain, complete } from "../workloads.ts";

const FINISHED = flag("finished", 1_000_000);
const WAITING = flag("waiting", 100_000);
const RUNS = flag("runs", 2_000);
const ROUNDS = flag("rounds", 15);
const FLIGHT = flag("flight", 1_000);
const PAYLOAD = "x".repeat(10);

const workflow = chain(3);

using emptyFile = scratch();
using finishedFile = scratch();
using waitingFile = scratch();
await fill(finishedFile.path, finishedRuns(FINISHED));
await fill(waitingFile.path, [
  ...waitingRuns(WAITING, "elsewhere", "0000000000000000", 0),
  ...waitingRuns(WAITING, workflow.name, workflow.version, 365 * 86_400_000),
]);

await using empty = await open(emptyFile.path);
await using finished = await open(finishedFile.path);
await using waiting = await open(waitingFile.path);
const subjects = { empty, finished, waiting };
type Subject = keyof typeof subjects;
const names = Object.keys(subjects) as Subject[];
const costs = { kept: noCosts(), claimed: noCosts() };
// Two rounds more than counted: they warm up. Who is first changes, as it may find another's garbage.
for (let round = 0; round < ROUNDS + 2; round++) {
  for (const way of ["kept", "claimed"] as const) {
    for (let i = 0; i < names.length; i++) {
      const name = names[(round + i) % names.length]!;
      const cost = await slice(subjects[name], way);
      if (round >= 2) costs[way][name].push(cost);
    }
  }
}
for (const way of ["kept", "claimed"] as const) {
  for (const name of names) {
    const all = costs[way][name];
    const ratio = (what: "cpu" | "wall") => median(all.map((cost, at) => cost[what] / costs[way].empty[at]![what]));
    report({
      bench: "growth",
      runsAre: way,
      tables: name,
      finished: name === "finished" ? FINISHED : 0,
      waiting: name === "waiting" ? 2 * WAITING : 0,
      runs: RUNS * ROUNDS,
      cpuMicrosPerRun: median(all.map((cost) => cost.cpu)),
      wallMicrosPerRun: median(all.map((cost) => cost.wall)),
      statementsPerRun: median(all.map((cost) => cost.statements)),
      cpuRatio: ratio("cpu"),
      wallRatio: ratio("wall"),
    });
  }
}

interface Cost {
  readonly cpu: number;
  readonly wall: number;
  readonly statements: number;
}

interface Open extends AsyncDisposable {
  readonly runner: Runner<DynamicWorkflow<"chain">>;
  /** Resolves when so many more runs have completed. */
  completed(runs: number): Promise<void>;
}

function noCosts(): Record<Subject, Cost[]> {
  return { empty: [], finished: [], waiting: [] };
}

/** Carries runs to their end: kept by the runner that starts them, or left in the store and claimed. */
async function slice({ runner, completed }: Open, way: "kept" | "claimed"): Promise<Cost> {
  const before = (await runner.stats()).store.statements;
  const cpu = process.cpuUsage();
  const began = performance.now();
  if (way === "kept") await inFlight(RUNS, FLIGHT, () => complete(runner, workflow, PAYLOAD));
  else {
    const all = completed(RUNS);
    // What is not due yet is kept by nobody.
    await runner.startMany(workflow, Array.from({ length: RUNS }, () => PAYLOAD), { delay: 1 });
    await all;
  }
  const { user, system } = process.cpuUsage(cpu);
  const ms = performance.now() - began;
  const statements = (await runner.stats()).store.statements - before;
  return { cpu: (user + system) / RUNS, wall: ms * 1_000 / RUNS, statements: statements / RUNS };
}

async function open(path: string): Promise<Open> {
  let left = 0;
  let done = () => {};
  const runner = await createRunner(`sqlite://${path}`, {
    workflows: [workflow],
    durability: "process",
    maxRuns: FLIGHT,
    onEvent(event) {
      if (event.type === "run.completed" && --left === 0) done();
    },
  });
  return {
    runner,
    completed(runs) {
      left = runs;
      return new Promise((resolve) => done = resolve);
    },
    [Symbol.asyncDispose]: () => runner.stop(),
  };
}

/** Rows as the store writes them, made by SQL: carrying a million runs to their end would take minutes. */
async function fill(path: string, inserts: readonly string[]): Promise<void> {
  await (await sqliteStore(`sqlite://${path}`)).close();
  const db = await openConnection(path);
  db.prepare("pragma journal_mode = wal").get();
  db.prepare("pragma synchronous = off").get();
  for (const sql of ["begin immediate", ...inserts, "commit"]) db.exec(sql);
  db.prepare("pragma wal_checkpoint(truncate)").get();
  db.close();
}

function finishedRuns(runs: number): string[] {
  const at = Date.now() - runs;
  return [
    `insert into runs (epoch, state, ended_at, id, workflow, version, priority, due_at, created_at, started_at, input)
     ${numbers(runs)}
     select 1, 'completed', ${at} + n, ${uuid(at)}, '${workflow.name}', '${workflow.version}', 0, ${at} + n, ${at} + n,
            ${at} + n, '"${PAYLOAD}"'
       from numbers`,
    `insert into tasks (run, task, part, epoch, state, attempts, started_at, ended_at, output)
     select seq, value, '', 1, 'completed', 1, started_at, ended_at, input
       from runs
      cross join json_each('["t0", "t1", "t2"]')
      order by seq, value`,
  ];
}

function waitingRuns(runs: number, name: string, version: string, inMs: number): string[] {
  const at = Date.now();
  return [
    `insert into runs (epoch, state, id, workflow, version, priority, due_at, created_at, input)
     ${numbers(runs)}
     select 0, 'pending', ${uuid(at, name)}, '${name}', '${version}', 0, ${at + inMs} + n, ${at}, '"${PAYLOAD}"'
       from numbers`,
  ];
}

function numbers(count: number): string {
  return `with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < ${count})`;
}

/** Ids in order, like those of the library. */
function uuid(at: number, salt = ""): string {
  const tail = [...salt].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % 10_000;
  return `substr(printf('%012x', ${at} + n), 1, 8) || '-' || substr(printf('%012x', ${at} + n), 9) || ` +
    `printf('-7000-8000-%012d', ${tail})`;
}
