/**
 * OpenWorkflow: one worker in the same process executes the runs. It learns of them by polling, which is what its latency
 * is made of. The next run starts when the function of one has returned, which is sooner than its `result()` would tell.
 */
import { body, load, PAYLOAD, type Place, type Session, settled, spread, WIDTH, type Work } from "../adapter.ts";
import { countOf, openPool } from "./pg.ts";

const POOL = 20;

export async function open({ workload, place, flight }: Work): Promise<Session> {
  const { OpenWorkflow } = await load<Package>("openworkflow");
  const backend = await openBackend(place);
  const ow = new OpenWorkflow({ backend });
  const isFan = workload === "1 + 100 + 1";
  const waiting: (() => void)[] = [];
  const work = ow.defineWorkflow({ name: "work" }, async (given) => {
    const result = await (isFan ? fan : chain)(given);
    waiting.shift()?.();
    return result;
  });
  const ended = await openCount(place);
  let worker: Worker | undefined;
  return {
    async begin() {
      worker = ow.newWorker({ concurrency: flight });
      await worker.start();
    },
    async carry(runs) {
      const one = async (): Promise<void> => {
        const done = new Promise<void>((resolve) => waiting.push(resolve));
        await work.run({ payload: PAYLOAD });
        await done;
      };
      const bodies = runs * (isFan ? WIDTH + 2 : 3);
      await settled(() => spread(runs, flight, one), { runs, bodies, ended: ended.count });
    },
    async one() {
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
