/**
 * OpenWorkflow: runs are started, then one worker in the same process carries them to their ends; it learns of runs by
 * polling, which is what its latency is made of.
 */
import { body, load, PAYLOAD, type Place, type Session, settled, spread, WIDTH, type Workload } from "../adapter.ts";
import { countOf, openPool } from "./pg.ts";

const CONCURRENCY = 100;
const POOL = 20;

export async function open(workload: Workload, place: Place): Promise<Session> {
  const { OpenWorkflow } = await load<Package>("openworkflow");
  const backend = await openBackend(place);
  const ow = new OpenWorkflow({ backend });
  const isFan = workload === "1 + 100 + 1";
  const work = isFan ? ow.defineWorkflow({ name: "work" }, fan) : ow.defineWorkflow({ name: "work" }, chain);
  const ended = await openCount(place);
  let worker: Worker | undefined;
  return {
    async carry(runs) {
      // SQLite's driver is synchronous: more at once would change nothing.
      await spread(runs, place.kind === "sqlite" ? 1 : 2 * POOL, () => work.run({ payload: PAYLOAD }));
      const drainer = worker = ow.newWorker({ concurrency: CONCURRENCY });
      await settled(() => drainer.start(), { runs, bodies: runs * (isFan ? WIDTH + 2 : 3), ended: ended.count });
    },
    async one() {
      if (worker === undefined) {
        worker = ow.newWorker({ concurrency: 1 });
        await worker.start();
      }
      await (await work.run({ payload: PAYLOAD })).result();
    },
    ended: ended.count,
    async close() {
      await worker?.stop();
      await ended.close();
      await backend.stop();
    },
  };
}

async function chain({ input, step }: Given): Promise<string> {
  const first = await step.run({ name: "first" }, () => body(input.payload));
  const second = await step.run({ name: "second" }, () => body(first));
  return await step.run({ name: "third" }, () => body(second));
}

async function fan({ input, step }: Given): Promise<string> {
  const first = await step.run({ name: "first" }, () => body(input.payload));
  const items = await Promise.all(
    Array.from(
      { length: WIDTH },
      (_, at) => step.run({ name: `item${at}` }, () => body(first)),
    ),
  );
  return await step.run({ name: "last" }, () => body(items[0]!));
}

async function openBackend({ kind, url }: Place): Promise<Backend> {
  if (kind === "sqlite") {
    return (await load<Sqlite>("openworkflow/sqlite")).BackendSqlite.connect(url);
  }
  const { BackendPostgres } = await load<Postgres>("openworkflow/postgres");
  // Makes the tables, but has ten connections; `fromPool` is its way to have more.
  await (await BackendPostgres.connect(url)).stop();
  const { default: postgres } = await load<PostgresJs>("postgres");
  return BackendPostgres.fromPool(
    postgres(url, {
      max: POOL,
      onnotice() {},
      transform: { column: { from: postgres.toCamel } },
    }),
  );
}

async function openCount({ kind, url }: Place): Promise<Count> {
  const query = "select count(*) as runs from workflow_runs where status in ('completed', 'succeeded')";
  if (kind === "postgres") {
    const pool = await openPool(url);
    return {
      count: () => countOf(pool, query.replace("workflow_runs", "openworkflow.workflow_runs")),
      close: () => pool.end(),
    };
  }
  const { openConnection } = await import("../../../lib/store/sqlite/driver.ts");
  const db = await openConnection(url);
  const counted = db.prepare(query);
  return {
    count: () => Promise.resolve(Number(counted.get()!["runs"])),
    close: () => Promise.resolve(db.close()),
  };
}

interface Count {
  count(): Promise<number>;
  close(): Promise<void>;
}

interface Given {
  readonly input: { readonly payload: string };
  readonly step: {
    run<Output>(options: { readonly name: string }, run: () => Promise<Output>): Promise<Output>;
  };
}

interface Worker {
  start(): Promise<void>;
  stop(): Promise<void>;
}

interface Backend {
  stop(): Promise<void>;
}

interface Package {
  readonly OpenWorkflow: new (options: { readonly backend: Backend }) => {
    defineWorkflow(options: { readonly name: string }, run: (given: Given) => Promise<string>): {
      run(input: { readonly payload: string }): Promise<{ result(): Promise<string> }>;
    };
    newWorker(options: { readonly concurrency: number }): Worker;
  };
}

interface Sqlite {
  readonly BackendSqlite: { connect(path: string): Backend };
}

interface Postgres {
  readonly BackendPostgres: {
    connect(url: string): Promise<Backend>;
    fromPool(sql: unknown): Backend;
  };
}

interface PostgresJs {
  readonly default: {
    (url: string, options: Readonly<Record<string, unknown>>): unknown;
    readonly toCamel: unknown;
  };
}
