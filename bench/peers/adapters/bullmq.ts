/**
 * BullMQ on Redis or on Postgres: jobs added in bulk and removed when they are done. A fan-out is a flow of 100 children
 * and their parent, which the body of a first job adds, as a flow is a tree.
 */
import { body, inParts, load, PAYLOAD, type Session, settled, WIDTH, type Work } from "../adapter.ts";
import { openPool } from "./pg.ts";

const QUEUE = "work";
const CONNECTIONS = 16;
const BATCH = 1_000;
const UNENDED = ["waiting", "active", "waiting-children", "prioritized", "delayed", "failed"];
const OPTS = { removeOnComplete: true };
const DATA = { text: PAYLOAD };

export async function open({ workload, place: { kind, url }, flight }: Work): Promise<Session> {
  const { createPostgresBackend, FlowProducer, Queue, runMigrations, Worker } = await load<Package>("bullmq");
  const isRedis = kind === "redis";
  const connection = isRedis ? { url, maxRetriesPerRequest: null } : { connectionString: url, max: CONNECTIONS };
  const factory = isRedis ? [] : [createPostgresBackend];
  if (!isRedis) {
    const pool = await openPool(url);
    await runMigrations(pool);
    await pool.end();
  }
  const isFan = workload === "1 + 100 + 1";
  const tasks = isFan ? WIDTH + 2 : 1;
  const queue = new Queue(QUEUE, { connection, defaultJobOptions: OPTS }, ...factory);
  const flows = isFan ? new FlowProducer({ connection }, ...factory) : undefined;
  let worker: Closable | undefined;
  let enqueued = 0;
  let done = 0;
  const ended = async (): Promise<number> => {
    const counts = await queue.getJobCounts(...UNENDED);
    const left = Object.values(counts).reduce((sum, count) => sum + count, 0);
    return left === 0 ? enqueued : Math.min(done, enqueued - 1);
  };
  return {
    async begin() {
      worker = new Worker(QUEUE, work, { connection, concurrency: flight }, ...factory);
      worker.on("error", (error) => console.error(error));
      await worker.waitUntilReady();
    },
    carry(runs) {
      enqueued = runs;
      const job = { name: isFan ? "first" : "only", data: DATA, opts: OPTS };
      const insert = (part: number) => queue.addBulk(Array.from({ length: part }, () => job));
      return settled(() => inParts(runs, BATCH, insert), { runs, bodies: runs * tasks, ended });
    },
    ended,
    async close() {
      await worker?.close();
      await flows?.close();
      await queue.close();
    },
  };

  async function work({ name, data }: Job): Promise<string> {
    const text = await body(data.text);
    if (name === "first") await flows!.add(fan());
    if (name === "last" || name === "only") done++;
    return text;
  }
}

function fan(): Flow {
  const node = { queueName: QUEUE, data: DATA, opts: OPTS };
  return {
    name: "last",
    ...node,
    children: Array.from({ length: WIDTH }, () => ({ name: "item", ...node })),
  };
}

interface Job {
  readonly name: string;
  readonly data: { readonly text: string };
}

interface Flow extends Job {
  readonly queueName: string;
  readonly opts: typeof OPTS;
  readonly children?: readonly Flow[];
}

interface Closable {
  on(event: "error", listener: (error: Error) => void): void;
  waitUntilReady(): Promise<unknown>;
  close(): Promise<void>;
}

type Options = Readonly<Record<string, unknown>>;

interface Package {
  readonly createPostgresBackend: unknown;
  runMigrations(client: unknown): Promise<void>;
  readonly FlowProducer: new (options: Options, ...factory: readonly unknown[]) => {
    add(flow: Flow): Promise<unknown>;
    close(): Promise<void>;
  };
  readonly Queue: new (name: string, options: Options, ...factory: readonly unknown[]) => {
    addBulk(jobs: readonly (Job & { readonly opts: typeof OPTS })[]): Promise<unknown>;
    getJobCounts(...states: readonly string[]): Promise<Readonly<Record<string, number>>>;
    close(): Promise<void>;
  };
  readonly Worker: new (
    name: string,
    work: (job: Job) => Promise<string>,
    options: Options,
    ...factory: readonly unknown[]
  ) => Closable;
}
