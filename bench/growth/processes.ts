/**
 * Whether more processes get more done: 1, 2 and 4 runners, each a process, drain runs that a client has put into one
 * store, due all at the same moment; with bodies that take no time, and with bodies that take some. Each run is checked
 * to have ended, and each body to have run once.
 *
 * `deno run -A bench/growth/processes.ts` or `bun bench/growth/processes.ts`; `--runs=5000 --rounds=3 --body=5
 * --store=postgres`. Without `--body` it is 0 and then 5 milliseconds.
 *
 * @module
 */
import { createClient } from "../../mod.ts";
import { type Child, spawn } from "../../tests/child.ts";
import { readPlace } from "../../tests/place.ts";
import { choice, flag, median, report } from "../measure.ts";
import { type EmptyStore, emptyStore, type StoreKind } from "../stores.ts";
import { chain } from "../workloads.ts";

const KINDS = choice<StoreKind>("store", ["sqlite-power", "postgres"]);
const BODIES_MS = flag("body", -1) >= 0 ? [flag("body", 0)] : [0, 5];
const RUNS = flag("runs", 5_000);
const ROUNDS = flag("rounds", 3);
const PROCESSES = [1, 2, 4];
const TASKS = 3;
const AHEAD_MS = 1_000 + RUNS / 4;
const LONGEST_MS = 120_000;

const workflow = chain(TASKS);

for (const kind of KINDS) {
  for (const bodyMs of BODIES_MS) await compare(kind, bodyMs);
}

async function compare(kind: StoreKind, bodyMs: number): Promise<void> {
  const results = PROCESSES.map((): Drained[] => []);
  // None to warm up: each drain has processes and a store of its own.
  for (let round = 0; round < ROUNDS; round++) {
    for (let i = 0; i < PROCESSES.length; i++) {
      const at = (round + i) % PROCESSES.length;
      results[at]!.push(await drain(kind, PROCESSES[at]!, bodyMs));
    }
  }
  PROCESSES.forEach((processes, at) => {
    const all = results[at]!;
    const ratios = all.map(({ rate }, round) => rate / results[0]![round]!.rate);
    report({
      bench: "processes",
      store: kind,
      processes,
      bodyMs,
      tasks: TASKS,
      runs: RUNS,
      runsPerSecond: Math.round(median(all.map(({ rate }) => rate))),
      ratio: median(ratios),
      ratioLeast: Math.min(...ratios),
      ratioMost: Math.max(...ratios),
      commitsPerTask: median(all.map(({ commits }) => commits)) / (RUNS * TASKS),
      statementsPerTask: median(all.map(({ statements }) => statements)) / (RUNS * TASKS),
      retries: all.reduce((sum, { retries }) => sum + retries, 0),
      // The smallest part that one of them had of all bodies, where each alike would be one.
      leastShare: median(all.map(({ leastShare }) => leastShare)),
      lost: 0,
      doneTwice: 0,
    });
  });
}

interface Drained {
  readonly rate: number;
  readonly commits: number;
  readonly statements: number;
  readonly retries: number;
  readonly leastShare: number;
}

interface Done {
  readonly bodies: number;
  readonly commits: number;
  readonly statements: number;
  readonly retries: number;
  readonly warnings: readonly string[];
  readonly errors: readonly string[];
}

async function drain(kind: StoreKind, processes: number, bodyMs: number): Promise<Drained> {
  await using store = await emptyStore(kind);
  await using children = new AsyncDisposableStack();
  const crew = Array.from({ length: processes }, () =>
    children.use(
      spawn("../bench/children/drainer.ts", [store.url, JSON.stringify(store.options), String(bodyMs)]),
    ));
  for (const member of crew) await member.until("ready");

  const startAt = await put(store);
  const endedAt = await allEnded(store);
  const done = await Promise.all(crew.map(finish));
  check(done);
  const bodies = done.map(({ bodies }) => bodies);
  const sum = (what: "commits" | "statements" | "retries"): number => done.reduce((all, one) => all + one[what], 0);
  return {
    rate: RUNS / (endedAt - startAt) * 1_000,
    commits: sum("commits"),
    statements: sum("statements"),
    retries: sum("retries"),
    leastShare: Math.min(...bodies) * processes / (RUNS * TASKS),
  };
}

/** Inserts all runs; returns when they become due, which is after the last insert. */
async function put({ url, options }: EmptyStore): Promise<number> {
  await using client = await createClient(url, { ...options, workflows: [workflow] });
  const startAt = Date.now() + AHEAD_MS;
  await client.startMany(workflow, Array.from({ length: RUNS }, () => "x".repeat(10)), { startAt: new Date(startAt) });
  if (Date.now() >= startAt) throw new Error(`${RUNS} runs were not there within ${AHEAD_MS} ms`);
  return startAt;
}

/** Waits until all runs are completed; returns when the last one ended, by the store's clock. */
async function allEnded(store: EmptyStore): Promise<number> {
  const reader = readPlace(store);
  try {
    for (const deadline = performance.now() + LONGEST_MS;;) {
      // Rarely enough not to disturb.
      await new Promise((resolve) => setTimeout(resolve, 200));
      const [row] = await reader.query(`
        select count(*) as runs, max(ended_at) as ended_at from runs where state = 'completed'`);
      if (row!["runs"] === RUNS) return Number(row!["ended_at"]);
      if (performance.now() > deadline) throw new Error(`only ${row!["runs"]} of ${RUNS} runs have completed`);
    }
  } finally {
    await reader.close();
  }
}

async function finish(member: Child): Promise<Done> {
  member.kill("SIGTERM");
  const { code, stdout, stderr } = await member.exited;
  if (code !== 0) throw new Error(`a runner ended with ${code}: ${stderr}`);
  return JSON.parse(stdout.trim().split("\n").at(-1)!);
}

/** Checks that each body has run exactly once, and that no runner logged a problem such as a locked database. */
function check(done: readonly Done[]): void {
  const complaints = done.flatMap(({ errors, warnings }) => [...errors, ...warnings.filter((it) => /lock/.test(it))]);
  if (complaints.length > 0) throw new Error(`the runners complained: ${complaints.join("; ")}`);
  const bodies = done.reduce((sum, { bodies }) => sum + bodies, 0);
  // All runs are completed, so that fewer would be a result from nowhere, and more a task that was done twice.
  if (bodies !== RUNS * TASKS) throw new Error(`${bodies} bodies have run, not ${RUNS * TASKS}`);
}
