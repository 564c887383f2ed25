/**
 * Whether a claim costs more when the tables are full: of a store that holds nothing but what is claimed, and of one that
 * also holds many runs that are due, many that are due next year, and many that have ended. Prints what the server read for
 * a claim of each, then times claims of both in turn.
 *
 * `deno run -A bench/growth/backlog.ts` or `bun bench/growth/backlog.ts`; `--pending=1000000 --delayed=1000000
 * --finished=1000000 --limit=100 --claims=200`. Takes some minutes and two gigabytes.
 *
 * @module
 */
import postgres from "postgres";
import type { ClaimRequest } from "../../lib/store/batch.ts";
import type { Store } from "../../lib/store/port.ts";
import { openPostgresStore } from "../../lib/store/postgres/store.ts";
import { databaseUrl } from "../../tests/postgres_server.ts";
import { explainClaim, fill } from "../../tests/store/postgres_backlog.ts";
import { flag, median, quantile, report } from "../measure.ts";

const BACKLOG = {
  pending: flag("pending", 1_000_000),
  delayed: flag("delayed", 1_000_000),
  finished: flag("finished", 1_000_000),
};
const LIMIT = flag("limit", 100);
const CLAIMS = flag("claims", 200);
const WARM = 20;

const whose = { workflow: "etl", version: "v1" };
const url = await databaseUrl(["fsync=on", "max_wal_size=8GB"]);
const sql = postgres(url, { max: 1, onnotice() {} });
const names = ["empty", "full"] as const;
const subjects = { empty: await open("bench_backlog_empty"), full: await open("bench_backlog_full") };
// As many as are claimed, so that the first has no less to give.
const needed = (CLAIMS + WARM) * LIMIT;
await fill(sql, subjects.empty.schema, whose, { pending: needed, delayed: 0, finished: 0 });
await fill(sql, subjects.full.schema, whose, { ...BACKLOG, pending: Math.max(needed, BACKLOG.pending) });

await explain("never analyzed");
for (const { schema } of Object.values(subjects)) await sql.unsafe(`vacuum analyze "${schema}".runs`);
await explain("analyzed");
const times = { empty: [] as number[], full: [] as number[] };
for (let round = 0; round < CLAIMS + WARM; round++) {
  for (const name of round % 2 === 0 ? names : [...names].reverse()) {
    const ms = await timeOf(subjects[name]);
    if (round >= WARM) times[name].push(ms);
  }
}
for (const name of names) {
  report({
    bench: "backlog",
    store: "postgres",
    tables: name,
    ...(name === "full" ? BACKLOG : { pending: needed, delayed: 0, finished: 0 }),
    limit: LIMIT,
    p50Ms: median(times[name]),
    p95Ms: quantile(times[name], 0.95),
    ratio: median(times[name]) / median(times.empty),
  });
}
await explain("after the claims");
for (const { store, schema } of Object.values(subjects)) {
  await store.close();
  await sql.unsafe(`drop schema "${schema}" cascade`);
}
await sql.end();

interface Subject {
  readonly schema: string;
  readonly store: Store;
  readonly request: ClaimRequest;
}

async function open(schema: string): Promise<Subject> {
  await sql.unsafe(`drop schema if exists "${schema}" cascade`);
  const store = await openPostgresStore(url, { schema });
  const card = { host: "here", pid: 1, pidStartedAt: undefined, served: [whose], pinned: false };
  const runner = await store.join({ ...card, concurrency: 1, maxRuns: LIMIT }, 86_400_000);
  return { schema, store, request: { runner, limit: LIMIT, served: [whose], pinned: false } };
}

/** One claim from the call to the runs, the way a runner makes it. */
async function timeOf({ store, request }: Subject): Promise<number> {
  const began = performance.now();
  const { claim } = await store.commit({ starts: [], writes: [], claim: request });
  const ms = performance.now() - began;
  if (claim?.runs.length !== LIMIT) throw new Error(`${claim?.runs.length} runs were claimed, not ${LIMIT}`);
  return ms;
}

async function explain(statistics: string): Promise<void> {
  for (const name of names) {
    const { schema, request } = subjects[name];
    // The first one warms up what the second one touches.
    await explainClaim(url, schema, request, true);
    const { ways, ...cost } = await explainClaim(url, schema, request, true);
    report({ bench: "backlog plan", tables: name, statistics, limit: LIMIT, ...cost, ways: ways.join(", ") });
  }
}
