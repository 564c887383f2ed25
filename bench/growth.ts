/**
 * Whether a run costs more when the tables are full: the same chains on files that hold nothing, many finished runs, and
 * many runs that are not due here, a slice of each in turn.
 *
 * `deno run -A bench/growth.ts` or `bun bench/growth.ts`; `--finished=1000000 --waiting=100000 --runs=2000 --rounds=15`.
 *
 * @module
 */
import process from "node:process";
import { createRunner, type DynamicWorkflow, type Runner } from "../mod.ts";
import { openConnection } from "../lib/store/sqlite/driver.ts";
import { sqliteStore } from "../lib/store/sqlite/mod.ts";
import { flag, inFlight, median, report, scratch } from "./measure.ts";
import { chain, complete } from "./workloads.ts";

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
const costs: Record<Subject, Cost[]> = { empty: [], finished: [], waiting: [] };
const names = Object.keys(subjects) as Subject[];
// Two rounds more than counted: they warm up. Who is first changes, as it may find another's garbage.
for (let round = 0; round < ROUNDS + 2; round++) {
  for (let i = 0; i < names.length; i++) {
    const name = names[(round + i) % names.length]!;
    const cost = await slice(subjects[name]);
    if (round >= 2) costs[name].push(cost);
  }
}
for (const name of names) {
  const of = (what: keyof Cost) => median(costs[name].map((cost) => cost[what]));
  const ratio = (what: keyof Cost) => median(costs[name].map((cost, at) => cost[what] / costs.empty[at]![what]));
  report({
    bench: "growth",
    tables: name,
    finished: name === "finished" ? FINISHED : 0,
    waiting: name === "waiting" ? 2 * WAITING : 0,
    runs: RUNS * ROUNDS,
    cpuMicrosPerRun: of("cpu"),
    wallMicrosPerRun: of("wall"),
    statementsPerRun: of("statements"),
    cpuRatio: ratio("cpu"),
    wallRatio: ratio("wall"),
  });
}

interface Cost {
  readonly cpu: number;
  readonly wall: number;
  readonly statements: number;
}

async function slice(runner: Runner<DynamicWorkflow<"chain">>): Promise<Cost> {
  const before = (await runner.stats()).store.statements;
  const cpu = process.cpuUsage();
  const ms = await inFlight(RUNS, FLIGHT, () => complete(runner, workflow, PAYLOAD));
  const { user, system } = process.cpuUsage(cpu);
  const statements = (await runner.stats()).store.statements - before;
  return { cpu: (user + system) / RUNS, wall: ms * 1_000 / RUNS, statements: statements / RUNS };
}

function open(path: string): Promise<Runner<DynamicWorkflow<"chain">>> {
  // Kept as long as they are here.
  return createRunner(`sqlite://${path}`, { workflows: [workflow], durability: "process", maxRuns: FLIGHT });
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
