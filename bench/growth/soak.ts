/**
 * Whether anything grows that should not: minutes of constant load on SQLite and on Postgres, each with a client, a runner
 * that stays, and one that is stopped or killed now and then and started anew. Of every twenty runs one fails for good,
 * one fails at first, one is delayed, one is started twice with the same key, and one is cancelled; finished runs are
 * deleted after a while. What is looked at once a second must have stopped to grow once the first quarter is over: the
 * median of the last third of the samples must be within what is allowed of the median of the first third, as printed.
 * At the end every run must have ended as it should, and nothing may be left in the store. The exit code says whether.
 *
 * `deno run -A bench/growth/soak.ts` or `bun bench/growth/soak.ts`; `--minutes=3 --rate=100 --store=postgres`.
 *
 * @module
 */
import process from "node:process";
import { createClient } from "../../mod.ts";
import { databaseUrl } from "../../tests/postgres_server.ts";
import { choice, flag, report } from "../measure.ts";
import { emptyStore, type StoreKind } from "../stores.ts";
import { type Gauges, openGauges, type Sample } from "./soak/gauges.ts";
import { startLoad } from "./soak/load.ts";
import { type Allowance, type TimedSample, trendOf } from "./soak/trend.ts";
import { soakWork } from "./soak/work.ts";

const MINUTES = flag("minutes", 3);
const RATE = flag("rate", 100);
const KINDS = choice<StoreKind>("store", ["sqlite-power", "postgres"]);

// Else a child that lives for more than a minute is taken for one that hangs; read when the module is loaded.
process.env["SLUICE_LONGEST_CHILD_SECONDS"] = String(MINUTES * 60 + 300);
const { spawn } = await import("../../tests/child.ts");
type Child = ReturnType<typeof spawn>;

const SECONDS = MINUTES * 60;
// Long enough for a client to have read how a run has ended.
const RETENTION_MS = Math.max(5, Math.min(15, SECONDS / 10)) * 1_000;
const RESTART_MS = SECONDS / 8 * 1_000;
const LONGEST_FAREWELL_MS = 60_000;

// The server looks for dead rows each minute: within a few minutes it would do so a few times, and be seen to do it.
const SERVER = ["fsync=on", "autovacuum_naptime=5s"];

// Runtimes take memory for a minute or two before they first tidy up in earnest.
const MEMORY: Allowance = MINUTES < 2 ? { times: 2, plus: 50 } : { times: 1.15, plus: 15 };
const SIZE: Allowance = { times: 1.2, plus: 1 };

/** Gauges that must not grow; a store may lack some. */
const ALLOWED: Readonly<Record<string, Allowance>> = {
  runnerRssMb: MEMORY,
  clientRssMb: MEMORY,
  openFiles: { times: 1, plus: 2 },
  // A line that is for starts with a key comes and goes, and of a runner that was killed some stay for a moment.
  connections: { times: 1, plus: 2 },
  runsInStore: { times: 1.2, plus: 100 },
  fileMb: SIZE,
  // As large as it gets between two checkpoints.
  walMb: { times: 1.2, plus: 4 },
  runsTableMb: SIZE,
  runsIndexesMb: SIZE,
  tasksTableMb: SIZE,
  tasksIndexesMb: SIZE,
  eventsTableMb: SIZE,
  runnersTableMb: SIZE,
  deadRows: { times: 1.5, plus: 5_000 },
};

if (KINDS.includes("postgres")) await databaseUrl(SERVER);
// Both at once: what they wait for is mostly time.
const verdicts = await Promise.all(KINDS.map(soak));
if (!verdicts.every(Boolean)) process.exitCode = 1;

async function soak(kind: StoreKind): Promise<boolean> {
  await using store = await emptyStore(kind);
  await using children = new AsyncDisposableStack();
  const add = async (): Promise<Child> => {
    const options = JSON.stringify({ ...store.options, retention: RETENTION_MS });
    const child = children.use(spawn("../bench/children/soaker.ts", [store.url, options]));
    await child.until("ready");
    return child;
  };
  const stays = await add();
  const rss = follow(stays);
  await using gauges = openGauges(store, stays.pid);
  await using client = await createClient(store.url, { ...store.options, workflows: [soakWork()] });
  const began = performance.now();
  const load = startLoad(client, RATE);
  const restarts = restartNowAndThen(add);
  const samples = await sample(gauges, rss);
  const { kills, stops } = await restarts.end();
  const seconds = (performance.now() - began) / 1_000;
  await within(LONGEST_FAREWELL_MS, "runs to end", load.stop());
  const left = await allGone(gauges);
  const { account } = load;
  account.wrong.push(...await farewell(stays));
  const isFlat = tellTrends(kind, samples);
  const { started, ended, skipped } = account;
  report({
    bench: "soak",
    store: kind,
    what: "runs",
    minutes: MINUTES,
    startedPerSecond: started / seconds,
    started,
    ...ended,
    lost: started - ended.completed - ended.failed - ended.cancelled,
    wrong: account.wrong.length,
    left: left.runs,
    orphans: left.orphans,
    runnersKilled: kills,
    runnersStopped: stops,
    ticksSkipped: skipped,
  });
  for (const problem of account.wrong.slice(0, 10)) console.error(`${kind}: ${problem}`);
  return isFlat && account.wrong.length === 0 && left.orphans === 0 && left.runs <= 1;
}

function tellTrends(kind: StoreKind, samples: readonly TimedSample[]): boolean {
  let isFlat = true;
  for (const [what, allowed] of Object.entries(ALLOWED)) {
    const trend = trendOf(samples, what, allowed);
    if (trend === undefined) continue;
    isFlat &&= trend.flat;
    report({ bench: "soak", store: kind, what, minutes: MINUTES, ...trend, criterion: criterionOf(allowed) });
  }
  return isFlat;
}

function criterionOf({ times, plus }: Allowance): string {
  return `last third at most ${times} × first third${plus === 0 ? "" : ` + ${plus}`}`;
}

/** Samples until the time is over, without those of the first quarter. */
async function sample(gauges: Gauges, rss: () => number | undefined): Promise<readonly TimedSample[]> {
  const samples: TimedSample[] = [];
  const began = performance.now();
  for (;;) {
    await pause(1_000);
    const minute = (performance.now() - began) / 60_000;
    if (minute >= MINUTES) return samples.filter((one) => one.minute >= MINUTES / 4);
    const read: Sample = await gauges.read();
    samples.push({ minute, sample: { ...read, runnerRssMb: rss() } });
  }
}

/** The last report of a runner about its memory. */
function follow(child: Child): () => number | undefined {
  let rssMb: number | undefined;
  void (async () => {
    for (let line = await child.line(); line !== undefined; line = await child.line()) {
      rssMb = JSON.parse(line).rssMb ?? rssMb;
    }
  })();
  return () => rssMb;
}

interface Restarts {
  /** Stops the one that is there. */
  end(): Promise<{ readonly kills: number; readonly stops: number }>;
}

/** Kills a runner and stops the next one, in turn, each after a while. */
function restartNowAndThen(add: () => Promise<Child>): Restarts {
  const over = Promise.withResolvers<void>();
  let isOver = false;
  const counts = { kills: 0, stops: 0 };
  const done = run();
  done.catch(() => {});
  return {
    end() {
      isOver = true;
      over.resolve();
      return done;
    },
  };

  async function run(): Promise<typeof counts> {
    for (;;) {
      const runner = await add();
      await Promise.race([pause(RESTART_MS), over.promise]);
      const isKilled = !isOver && counts.kills <= counts.stops;
      runner.kill(isKilled ? "SIGKILL" : "SIGTERM");
      const { code } = await runner.exited;
      if (!isKilled && code !== 0) throw new Error(`a runner that was stopped ended with ${code}`);
      if (isKilled) counts.kills++;
      else counts.stops++;
      if (isOver) return counts;
    }
  }
}

/** Waits until finished runs are deleted; SQLite keeps the newest. */
async function allGone(gauges: Gauges): Promise<{ readonly runs: number; readonly orphans: number }> {
  for (const deadline = performance.now() + RETENTION_MS + LONGEST_FAREWELL_MS;;) {
    const left = await gauges.left();
    if (left.runs <= 1 || performance.now() > deadline) return left;
    await pause(500);
  }
}

/** Problems that a runner logged, including a locked database. */
async function farewell(runner: Child): Promise<readonly string[]> {
  runner.kill("SIGTERM");
  const { code, stdout, stderr } = await runner.exited;
  if (code !== 0) return [`the runner that stays ended with ${code}: ${stderr}`];
  return JSON.parse(stdout.trim().split("\n").at(-1)!).complaints;
}

async function within(ms: number, what: string, work: Promise<void>): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`Waited ${ms} ms in vain for ${what}`)), ms);
  try {
    await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
