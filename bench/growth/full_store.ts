/**
 * Whether a run costs more when the store is full: the same chains in a store that is empty and in others that hold many
 * runs, a slice of work in each in turn, once for each number and kind of runs that lie there:
 *
 * - finished: completed, with their results
 * - delayed: of the same workflow, due in a year
 * - elsewhere: of another workflow, due, and nobody here serves it
 * - pending: of the same workflow, due
 *
 * and for each way in which a run comes to its runner: kept by the runner that starts it; claimed from where a client has
 * put it; or, beside a backlog of the same workflow, whose turn comes first, claimed from that by a runner that is opened
 * on it. Then what the server reads for one claim, by its own account.
 *
 * `deno run -A bench/growth/full_store.ts` or `bun bench/growth/full_store.ts`; `--size=1000000 --runs=2000 --rounds=9
 * --store=postgres`. Without `--size` it is 100,000 and then 1,000,000.
 *
 * @module
 */
import process from "node:process";
import postgres from "postgres";
import { type Client, createClient, createRunner, type DynamicWorkflow, type Runner } from "../../mod.ts";
import type { Store, StoreCounters } from "../../lib/store/port/store.ts";
import { openPostgresStore } from "../../lib/store/postgres/store.ts";
import { openSqliteStore } from "../../lib/store/sqlite/mod.ts";
import { databaseUrl } from "../../tests/postgres_server.ts";
import { explainClaim } from "../../tests/store/postgres_backlog.ts";
import { choice, flag, inFlight, median, report } from "../measure.ts";
import { type EmptyStore, emptyStore, type StoreKind } from "../stores.ts";
import { chain, complete } from "../workloads.ts";
import { type Crowd, fill } from "./fill.ts";
import { serverCpuMs } from "./server.ts";

// What a commit survives makes no difference to how its cost grows, and the waiting for a disk would hide it.
const KINDS = choice<StoreKind>("store", ["sqlite-process", "postgres"]);
const SIZES = flag("size", 0) > 0 ? [flag("size", 0)] : [100_000, 1_000_000];
const RUNS = flag("runs", 2_000);
const ROUNDS = flag("rounds", 9);
const FLIGHT = flag("flight", 1_000);
const LIMIT = flag("limit", 100);
const WARM = 2;
const PAYLOAD = "x".repeat(10);

const workflow = chain(3);
const own = { workflow: workflow.name, version: workflow.version };

const CROWDS = {
  finished: { are: "finished", ...own },
  delayed: { are: "delayed", ...own },
  elsewhere: { are: "pending", workflow: "another", version: "0000000000000000" },
  pending: { are: "pending", ...own },
} satisfies Record<string, Omit<Crowd, "runs">>;

type Held = keyof typeof CROWDS;
type Way = "kept" | "claimed" | "drained";

/** What can be compared with an empty store, and how. */
const WAYS: Readonly<Record<Way, readonly Held[]>> = {
  kept: ["finished", "delayed", "elsewhere"],
  claimed: ["finished", "delayed", "elsewhere"],
  drained: ["pending"],
};

for (const kind of KINDS) {
  // Before anybody else asks for it: what is filled in would else be written out while something is measured.
  if (kind === "postgres") await databaseUrl(["fsync=on", "max_wal_size=8GB"]);
  for (const size of SIZES) await compare(kind, size);
}

async function compare(kind: StoreKind, size: number): Promise<void> {
  await using stores = new AsyncDisposableStack();
  const open = async (held?: Held): Promise<Subject> => {
    const store = stores.use(await emptyStore(kind));
    const began = performance.now();
    if (held !== undefined) await fill(store, { runs: size, ...CROWDS[held] });
    if (held !== undefined) report({ bench: "fill", store: kind, held, size, ms: performance.now() - began });
    return { held, store };
  };
  const empty = await open();
  const full: Record<Held, Subject> = {
    finished: await open("finished"),
    delayed: await open("delayed"),
    elsewhere: await open("elsewhere"),
    pending: await open("pending"),
  };
  for (const way of ["kept", "claimed", "drained"] as const) {
    await measure(kind, size, way, [empty, ...WAYS[way].map((held) => full[held])]);
  }
  if (kind === "postgres") { for (const subject of [empty, ...Object.values(full)]) await explain(size, subject); }
}

/** A store, and its content in addition to the measured runs. */
interface Subject {
  readonly held: Held | undefined;
  readonly store: EmptyStore;
}

/** Of one slice, for each run. */
interface Cost {
  readonly cpu: number;
  readonly wall: number;
  readonly statements: number;
  readonly rows: number;
}

async function measure(kind: StoreKind, size: number, way: Way, subjects: readonly Subject[]): Promise<void> {
  await using open = new AsyncDisposableStack();
  const server = kind === "postgres" ? connect(subjects[0]!.store.url) : undefined;
  open.defer(() => server?.end());
  const works = [];
  for (const { store } of subjects) works.push(open.use(await (way === "drained" ? drain(store) : serve(store, way))));
  const costs = subjects.map((): Cost[] => []);
  const serverMs = subjects.map((): (number | undefined)[] => []);
  for (let round = 0; round < WARM + ROUNDS; round++) {
    for (let i = 0; i < subjects.length; i++) {
      // The order changes, because the first side may collect the garbage of another.
      const at = (round + i) % subjects.length;
      const cost = await works[at]!.slice();
      if (round >= WARM) costs[at]!.push(cost);
    }
    if (server === undefined || way === "drained") continue;
    if (round !== WARM - 1 && round !== WARM + ROUNDS - 1) continue;
    for (const [at, { store }] of subjects.entries()) {
      serverMs[at]!.push(await serverCpuMs(server, store.options.schema!));
    }
  }
  const serverMicros = serverMs.map(([before, after]) =>
    before === undefined || after === undefined ? undefined : (after - before) * 1_000 / (RUNS * ROUNDS)
  );
  subjects.forEach(({ held }, at) => {
    const all = costs[at]!;
    report({
      bench: "full store",
      store: kind,
      runsAre: way,
      holds: held ?? "nothing",
      size: held === undefined ? 0 : size,
      runs: RUNS * ROUNDS,
      cpuMicrosPerRun: median(all.map(({ cpu }) => cpu)),
      wallMicrosPerRun: median(all.map(({ wall }) => wall)),
      ...spread("cpuRatio", all.map(({ cpu }, round) => cpu / costs[0]![round]!.cpu)),
      ...spread("wallRatio", all.map(({ wall }, round) => wall / costs[0]![round]!.wall)),
      serverCpuMicrosPerRun: serverMicros[at],
      serverCpuRatio: serverMicros[at] === undefined ? undefined : serverMicros[at] / serverMicros[0]!,
      statementsPerRun: median(all.map(({ statements }) => statements)),
      rowsPerRun: median(all.map(({ rows }) => rows)),
    });
  });
}

function spread(name: string, ratios: readonly number[]): Record<string, number> {
  return { [name]: median(ratios), [`${name}Least`]: Math.min(...ratios), [`${name}Most`]: Math.max(...ratios) };
}

interface Work extends AsyncDisposable {
  /** Carries `RUNS` runs to their end. */
  slice(): Promise<Cost>;
}

/** With one runner, which keeps what it starts, or claims what a client starts. */
async function serve(place: EmptyStore, way: "kept" | "claimed"): Promise<Work> {
  let left = 0;
  let done = (): void => {};
  const stores = [await openStore(place), await openStore(place)] as const;
  const runner = await serveOn(stores[0], () => --left === 0 && done());
  const client = await createClient(stores[1], { workflows: [workflow] });
  return {
    async slice() {
      const before = counted(stores);
      const meter = startMeter();
      if (way === "kept") await inFlight(RUNS, FLIGHT, () => complete(runner, workflow, PAYLOAD));
      else {
        const all = new Promise<void>((resolve) => done = resolve);
        left = RUNS;
        await put(client, RUNS);
        await all;
      }
      return { ...meter.stop(), ...difference(before, counted(stores)) };
    },
    async [Symbol.asyncDispose]() {
      await runner.stop();
      await client.stop();
      for (const store of stores) await store.close();
    },
  };
}

/** With a client that puts runs into the store, and a runner for each slice that takes them out. */
async function drain(place: EmptyStore): Promise<Work> {
  const own = await openStore(place);
  const client = await createClient(own, { workflows: [workflow] });
  // A runner that stops hands back its runs.
  await put(client, 2 * FLIGHT);
  return {
    async slice() {
      const before = counted([own]);
      const meter = startMeter();
      await put(client, RUNS);
      let left = RUNS;
      const all = Promise.withResolvers<void>();
      const store = await openStore(place);
      const runner = await serveOn(store, () => --left === 0 && all.resolve());
      await all.promise;
      const taken = meter.stop();
      const after = counted([own, store]);
      await runner.stop({ timeout: 0 });
      await store.close();
      return { ...taken, ...difference(before, after) };
    },
    async [Symbol.asyncDispose]() {
      await client.stop();
      await own.close();
    },
  };
}

async function put(client: Client<DynamicWorkflow<"chain">>, runs: number): Promise<void> {
  await client.startMany(workflow, Array.from({ length: runs }, () => PAYLOAD));
}

// Opened here and not by the runner, whose stats() would count the runs in it each time.
async function openStore({ url, options }: EmptyStore): Promise<Store> {
  const { schema, durability = "process" } = options;
  return schema === undefined ? await openSqliteStore(url, { durability }) : await openPostgresStore(url, { schema });
}

function serveOn(store: Store, completed: () => void): Promise<Runner<DynamicWorkflow<"chain">>> {
  return createRunner(store, {
    workflows: [workflow],
    maxRuns: FLIGHT,
    onEvent(event) {
      if (event.type === "run.completed") completed();
    },
  });
}

/** The output of all of them. */
function counted(stores: readonly Store[]): Counted {
  const sum = (what: keyof Counted): number => stores.reduce((all, store) => all + store.counters()[what], 0);
  return { statements: sum("statements"), rows: sum("rows") };
}

type Counted = Pick<StoreCounters, "statements" | "rows">;

function difference(before: Counted, after: Counted): Counted {
  return { statements: (after.statements - before.statements) / RUNS, rows: (after.rows - before.rows) / RUNS };
}

function startMeter(): { stop(): Pick<Cost, "cpu" | "wall"> } {
  const cpu = process.cpuUsage();
  const began = performance.now();
  return {
    stop() {
      const ms = performance.now() - began;
      const { user, system } = process.cpuUsage(cpu);
      return { cpu: (user + system) / RUNS, wall: ms * 1_000 / RUNS };
    },
  };
}

/** What the server reads for a claim, by its own account. */
async function explain(size: number, { held, store: { url, options } }: Subject): Promise<void> {
  const client = await createClient(url, { ...options, workflows: [workflow] });
  await client.startMany(workflow, Array.from({ length: 3 * LIMIT }, () => PAYLOAD));
  await client.stop();
  const store = await openPostgresStore(url, options);
  const card = { host: "here", pid: 1, pidStartedAt: undefined, served: [own], pinned: false };
  const runner = await store.join({ ...card, concurrency: 1, maxRuns: LIMIT }, 86_400_000);
  const request = { runner, limit: LIMIT, served: [own], pinned: false };
  // The first one warms up what the second one touches.
  await explainClaim(url, options.schema!, request, true);
  const { ways, rowsRead, buffers, written: claimed } = await explainClaim(url, options.schema!, request, true);
  if (claimed !== LIMIT) throw new Error(`${claimed} runs were claimed, not ${LIMIT}`);
  await store.leave(runner);
  await store.close();
  const counts = { rowsReadPerRun: rowsRead / LIMIT, pagesPerRun: buffers / LIMIT };
  const plan = { bench: "full store, a claim", store: "postgres", holds: held ?? "nothing", limit: LIMIT };
  report({ ...plan, size: held === undefined ? 0 : size, ...counts, ways: ways.join(", ") });
}

function connect(url: string): postgres.Sql {
  return postgres(url, { max: 1, onnotice() {} });
}
