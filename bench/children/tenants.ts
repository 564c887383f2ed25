/**
 * Opens many tenants in one process and tells what they cost: `tenants.ts <url> <name> --tenants=100 --runs=1000 …`. On
 * Postgres they are schemas `<name>_<n>` over one pool, on SQLite files `<n>.db` in the folder that the URL names.
 */
import process from "node:process";
import postgres from "postgres";
import { createRunner, type DynamicWorkflow, type Runner } from "../../mod.ts";
import { createPostgresPool, createTenant, removeTenant } from "../../lib/store/postgres/mod.ts";
import { openSqliteStore } from "../../lib/store/sqlite/mod.ts";
import type { Store } from "../../lib/store/port/store.ts";
import { flag, inFlight, median } from "../measure.ts";
import { serverMemoryMb } from "../growth/server.ts";
import { chain, complete } from "../workloads.ts";

const TENANTS = flag("tenants", 100);
const RUNS = flag("runs", 1_000);
const ROUNDS = flag("rounds", 3);
const FLIGHT = flag("flight", 1_000);
const IDLE_MS = flag("idle", 5_000);
// What a server, or a disk, is asked for at once.
const AT_ONCE = 8;

const [url, name] = process.argv.slice(2) as [string, string];
const isPostgres = url.startsWith("postgres");
const workflow = chain(3);

await using site = isPostgres ? schemas() : files();
const numbers = Array.from({ length: TENANTS }, (_, n) => n);
// One more, which has the same runs to itself; and by then the code is loaded.
await site.make(TENANTS);
const alone = await openTenant(TENANTS);
await inFlight(RUNS, FLIGHT, () => complete(alone.runner, workflow, "x".repeat(10)));

const makeMs = await timeOf(() => eachOf(site.make));
const rssBefore = rssMb();
const tenants: Tenant[] = [];
const openMs = await timeOf(() => eachOf(async (n) => void (tenants[n] = await openTenant(n))));
const openMb = rssMb() - rssBefore;
const connections = [await site.connections()];

const ratios: number[] = [];
const cpuRatios: number[] = [];
const micros: number[] = [];
let next = 0;
for (let round = 0; round <= ROUNDS; round++) {
  const one = await costOf(() => alone);
  const many = await costOf(() => tenants[next++ % TENANTS]!);
  // The first warms up.
  if (round === 0) continue;
  ratios.push(many.wall / one.wall);
  cpuRatios.push(many.cpu / one.cpu);
  micros.push(many.wall);
}
const workedMb = rssMb() - rssBefore;
connections.push(await site.connections());
const ended = await Promise.all([alone, ...tenants].map(({ store }) => store.counts()));
const completed = ended.reduce((sum, { completed }) => sum + completed, 0);
if (completed !== RUNS * (1 + 2 * (ROUNDS + 1))) throw new Error(`${completed} runs have completed`);

// What was done has still something to be tidied up.
await pause(2_000);
const before = statements();
const cpu = process.cpuUsage();
await pause(IDLE_MS);
const { user, system } = process.cpuUsage(cpu);
const idleStatements = statements() - before;
connections.push(await site.connections());

const serverMb = await site.serverMemoryMb();
const closeMs = await timeOf(() => Promise.all([alone, ...tenants].map(({ close }) => close())));
console.log(JSON.stringify({
  tenants: TENANTS,
  runs: RUNS,
  makeMsPerTenant: makeMs / TENANTS,
  openMsPerTenant: openMs / TENANTS,
  closeMsPerTenant: closeMs / (TENANTS + 1),
  memoryKbPerTenant: openMb * 1_024 / TENANTS,
  memoryKbPerTenantAfterWork: workedMb * 1_024 / TENANTS,
  serverMemoryKbPerTenant: serverMb === undefined ? undefined : serverMb * 1_024 / (TENANTS + 1),
  connections: Math.max(...connections),
  connectionsAreConstant: connections.every((count) => count === connections[0]),
  wallMicrosPerRun: median(micros),
  ratio: median(ratios),
  ratioLeast: Math.min(...ratios),
  ratioMost: Math.max(...ratios),
  cpuRatio: median(cpuRatios),
  idleStatementsPerSecondPerTenant: idleStatements / (IDLE_MS / 1_000) / (TENANTS + 1),
  idleCpuShare: (user + system) / 1_000 / IDLE_MS,
}));

interface Site extends AsyncDisposable {
  make(n: number): Promise<void>;
  open(n: number): Promise<Store>;
  /** How many the stores have. */
  connections(): Promise<number>;
  /** What these take of the server's memory, where that can be seen. */
  serverMemoryMb(): Promise<number | undefined>;
}

function schemas(): Site {
  const pool = createPostgresPool(url);
  const sql = postgres(url, { max: 1, onnotice() {} });
  const schema = (n: number): string => `${name}_${n}`;
  return {
    make: async (n) => void await createTenant(url, { schema: schema(n) }),
    open: (n) => pool.store({ schema: schema(n) }),
    async connections() {
      const [row] = await sql`select count(*)::int as n from pg_stat_activity where application_name like 'sluice %'`;
      return row!["n"];
    },
    serverMemoryMb: () => serverMemoryMb(sql),
    async [Symbol.asyncDispose]() {
      await pool.close();
      await sql.end();
      // A server that was started for this ends with it.
      if (process.env["DATABASE_URL"] === undefined) return;
      await eachOf((n) => removeTenant(url, { schema: schema(n) }));
      await removeTenant(url, { schema: schema(TENANTS) });
    },
  };
}

function files(): Site {
  const open = (n: number): Promise<Store> => openSqliteStore(`${url}/${n}.db`, { durability: "process" });
  return {
    make: async (n) => await (await open(n)).close(),
    open,
    connections: () => Promise.resolve(TENANTS + 1),
    serverMemoryMb: () => Promise.resolve(undefined),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

interface Tenant {
  readonly store: Store;
  readonly runner: Runner<DynamicWorkflow<"chain">>;
  close(): Promise<void>;
}

async function openTenant(n: number): Promise<Tenant> {
  const store = await site.open(n);
  const runner = await createRunner(store, { workflows: [workflow] });
  return {
    store,
    runner,
    async close() {
      await runner.stop();
      await store.close();
    },
  };
}

async function costOf(tenant: () => Tenant): Promise<{ readonly cpu: number; readonly wall: number }> {
  const cpu = process.cpuUsage();
  const ms = await inFlight(RUNS, FLIGHT, () => complete(tenant().runner, workflow, "x".repeat(10)));
  const { user, system } = process.cpuUsage(cpu);
  return { cpu: (user + system) / RUNS, wall: ms * 1_000 / RUNS };
}

function statements(): number {
  return [alone, ...tenants].reduce((sum, { store }) => sum + store.counters().statements, 0);
}

async function eachOf(work: (n: number) => Promise<unknown>): Promise<void> {
  const left = [...numbers];
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (let n = left.shift(); n !== undefined; n = left.shift()) await work(n);
  }));
}

async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

function rssMb(): number {
  return process.memoryUsage().rss / 2 ** 20;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
