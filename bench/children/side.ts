/**
 * One side of a cell of the matrix: carries as many runs to their end as each line of its input says, on an empty
 * database each time, and prints what that took. Each side has a process of its own, so that neither finds the other's
 * memory, garbage or compiled code.
 *
 * The first argument is `sluice` or `ceiling`, the second the cell.
 *
 * @module
 */
import { statSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";
import postgres from "postgres";
import { createRunner } from "../../mod.ts";
import { systemClock } from "../../lib/clock.ts";
import { silent } from "../../lib/logger.ts";
import { openStore } from "../../lib/store/open.ts";
import { openConnection } from "../../lib/store/sqlite/driver.ts";
import { readPlace } from "../../tests/place.ts";
import type { Cell, Request, Round } from "../ceiling/cell.ts";
import { workloadOf } from "../ceiling/cell.ts";
import type { Counters, Recorded } from "../ceiling/sqlite.ts";
import { inFlight, quantile } from "../measure.ts";
import { type EmptyStore, emptyStore } from "../stores.ts";
import { payloadOf } from "../workloads.ts";

const [, , side, given] = process.argv as [string, string, "sluice" | "ceiling", string];
const cell: Cell = JSON.parse(given);
const workload = workloadOf(cell);
const payload = payloadOf(cell.payloadBytes);
const megabyte = 2 ** 20;

let rssBefore: number | undefined;
let rssMost = 0;
for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await answer(JSON.parse(line))));
}

/** One side: Sluice or the ceiling loop. */
interface Subject extends AsyncDisposable {
  run(): Promise<void>;
  counters(): Counters;
  recorded(): Promise<Recorded>;
  /** The SQLite file. */
  readonly path: string | undefined;
}

async function answer({ runs, countsLog }: Request): Promise<Round> {
  await using empty = await emptyStore(cell.store);
  await using subject = side === "sluice" ? await openSluice(empty) : await openLoop(empty);
  await using log = subject.path === undefined
    ? await serverLog(empty.url)
    : countsLog
    ? await fileLog(subject.path)
    : noLog();
  const before = subject.counters();
  const bytes = await log.bytes();
  const measured = await measure(runs, subject);
  const after = subject.counters();
  const bytesAfter = await log.bytes();
  const { runs: ended, results } = await subject.recorded();
  if (ended !== runs || results !== runs * workload.tasks) {
    throw new Error(`${runs} runs of ${workload.name}: ${ended} have ended, with ${results} results`);
  }
  return {
    ...measured,
    commits: after.commits - before.commits,
    statements: after.statements - before.statements,
    rows: after.rows - before.rows,
    logBytes: bytes === undefined || bytesAfter === undefined ? undefined : bytesAfter - bytes,
  };
}

async function measure(
  runs: number,
  { run }: Subject,
): Promise<Pick<Round, "ms" | "cpuMs" | "p50Ms" | "p95Ms" | "p99Ms" | "memoryGrowthMb">> {
  const runMs: number[] = [];
  rssBefore ??= process.memoryUsage.rss();
  const sampling = setInterval(sample, 20);
  const cpu = process.cpuUsage();
  const ms = await inFlight(runs, cell.inFlight, async () => {
    const began = performance.now();
    await run();
    runMs.push(performance.now() - began);
  });
  const { user, system } = process.cpuUsage(cpu);
  clearInterval(sampling);
  sample();
  return {
    ms,
    cpuMs: (user + system) / 1_000,
    p50Ms: quantile(runMs, 0.5),
    p95Ms: quantile(runMs, 0.95),
    p99Ms: quantile(runMs, 0.99),
    memoryGrowthMb: (rssMost - rssBefore) / megabyte,
  };
}

function sample(): void {
  rssMost = Math.max(rssMost, process.memoryUsage.rss());
}

async function openSluice({ url, options, files }: EmptyStore): Promise<Subject> {
  const { schema, durability = "power" } = options;
  // The counters are read without the query for the number of runs that `runner.stats()` sends.
  const { store, close } = await openStore(url, { schema, durability, clock: systemClock, logger: silent });
  const { workflow } = workload;
  const runner = await createRunner(store, { workflows: [workflow] });
  const last = workflow.graph.leaves[0]!;
  return {
    path: files?.sluice,
    async run() {
      const outcome = await runner.execute(workflow, payload);
      if (outcome.status === "completed" && outcome.outputs[last] === payload) return;
      throw new Error(`run "${outcome.runId}" ended as ${outcome.status}, and not with its payload`);
    },
    counters: store.counters,
    async recorded() {
      const reader = readPlace({ url, options: schema === undefined ? {} : { schema } });
      const [row] = await reader.query(
        `select (select count(*) from runs where state = 'completed') as runs,
                (select count(*) from tasks) + (select count(last_task) from runs) as results`,
      );
      await reader.close();
      return { runs: Number(row!["runs"]), results: Number(row!["results"]) };
    },
    async [Symbol.asyncDispose]() {
      await runner.stop();
      await close();
    },
  };
}

async function openLoop(empty: EmptyStore): Promise<Subject> {
  const ceiling = await empty.ceiling();
  return {
    path: empty.files?.ceiling,
    run: () => ceiling.run(workload.stages, payload),
    counters: ceiling.counters,
    recorded: ceiling.recorded,
    [Symbol.asyncDispose]: async () => await ceiling.close(),
  };
}

/** Where bytes of a write-ahead log are counted. */
interface Log extends AsyncDisposable {
  /** So far. */
  bytes(): Promise<number | undefined>;
}

function noLog(): Log {
  return { bytes: () => Promise.resolve(undefined), [Symbol.asyncDispose]: () => Promise.resolve() };
}

/** All bytes that the server has written to its log, for any client. */
async function serverLog(url: string): Promise<Log> {
  const sql = postgres(url, { max: 1, onnotice() {} });
  await sql`select 1`;
  return {
    async bytes() {
      const [row] = await sql`select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::text as at`;
      return Number(row!["at"]);
    },
    [Symbol.asyncDispose]: () => sql.end(),
  };
}

/**
 * The growth of the `-wal` file. SQLite writes that over from its beginning after each checkpoint, but not what somebody
 * may yet read: a reader that looks at the database as it was before the first run keeps every page in it.
 */
async function fileLog(path: string): Promise<Log> {
  const reader = await openConnection(path);
  // With an empty log to begin with there is nothing that could be written over.
  const emptied = reader.prepare("pragma wal_checkpoint(truncate)").get();
  if (emptied?.["busy"] !== 0) throw new Error(`the log of ${path} cannot be emptied`);
  reader.exec("begin");
  reader.prepare("select count(*) as n from sqlite_master").get();
  return {
    bytes: () => Promise.resolve(statSync(`${path}-wal`).size),
    [Symbol.asyncDispose]() {
      reader.exec("commit");
      reader.close();
      return Promise.resolve();
    },
  };
}
