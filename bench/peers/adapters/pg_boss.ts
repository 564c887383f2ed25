/**
 * pg-boss: jobs inserted in bulk, two loops that each fetch and complete half of the window at a time, which is quicker
 * than its `work()` by half. A fan-out is a flow, whose dependencies are resolved after each batch instead of once a second at most.
 */
import { body, inParts, load, PAYLOAD, type Session, settled, WIDTH, type Work } from "../adapter.ts";
import { countOf, openPool } from "./pg.ts";

const QUEUE = "work";
/** Jobs of a flow that are fetched at a time. */
const BATCH = 500;
const IDLE_MS = 2;
const LOOPS = 2;
const INSERTS = 10_000;
const WORK = { batchSize: BATCH, burstWhenBatchFull: true, localConcurrency: LOOPS, pollingIntervalSeconds: 0.5 };
const DATA: Data = { text: PAYLOAD };

export async function open({ workload, place: { url }, flight }: Work): Promise<Session> {
  const { PgBoss } = await load<Package>("pg-boss");
  const isFan = workload === "1 + 100 + 1";
  const boss = new PgBoss({
    connectionString: url,
    max: 10,
    supervise: isFan,
    flowIntervalSeconds: 1,
    schedule: false,
  });
  boss.on("error", (error) => console.error(error));
  await boss.start();
  await boss.createQueue(QUEUE);
  const pool = await openPool(url);
  const tasks = isFan ? WIDTH + 2 : 1;
  const ended = async (): Promise<number> => {
    return Math.floor(await countOf(pool, "select count(*) from pgboss.job where state = 'completed'") / tasks);
  };
  let isClosed = false;
  let loops: Promise<unknown> = Promise.resolve();
  return {
    async begin() {
      if (isFan) await boss.work(QUEUE, WORK, flow);
      else loops = Promise.all(Array.from({ length: LOOPS }, drain));
    },
    async carry(runs) {
      const insertJobs = () =>
        inParts(runs, INSERTS, (part) => boss.insert(QUEUE, Array.from({ length: part }, () => ({ data: DATA }))));
      const insertFlows = () => inParts(runs, 1, () => boss.flow(fan()));
      await settled(isFan ? insertFlows : insertJobs, { runs, bodies: runs * tasks, ended });
    },
    ended,
    async close() {
      isClosed = true;
      await loops;
      if (isFan) await boss.offWork(QUEUE);
      await boss.stop({ graceful: true, timeout: 2_000 });
      await pool.end();
    },
  };

  async function drain(): Promise<void> {
    while (!isClosed) {
      const jobs = await boss.fetch(QUEUE, { batchSize: Math.ceil(flight / LOOPS) });
      if (jobs.length === 0) {
        await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
        continue;
      }
      await Promise.all(jobs.map(({ data }) => body(data.text)));
      await boss.complete(QUEUE, jobs.map(({ id }) => id));
    }
  }

  async function flow(jobs: readonly Job[]): Promise<void> {
    await Promise.all(jobs.map(({ data }) => body(data.text)));
    // The jobs count as completed a little after this has returned.
    setTimeout(() => boss.resolveFlow().catch(() => {}), 15);
  }
}

function fan(): readonly FlowJob[] {
  const job = { name: QUEUE, data: DATA };
  const items = Array.from({ length: WIDTH }, (_, at) => ({ ref: `item${at}`, dependsOn: ["first"], ...job }));
  return [{ ref: "first", ...job }, ...items, { ref: "last", dependsOn: items.map(({ ref }) => ref), ...job }];
}

interface Data {
  readonly text: string;
}

interface Job {
  readonly id: string;
  readonly data: Data;
}

interface FlowJob {
  readonly ref: string;
  readonly name: string;
  readonly data: Data;
  readonly dependsOn?: readonly string[];
}

interface Package {
  readonly PgBoss: new (options: Readonly<Record<string, unknown>>) => {
    on(event: "error", listener: (error: Error) => void): void;
    start(): Promise<unknown>;
    stop(options: { readonly graceful: boolean; readonly timeout: number }): Promise<void>;
    createQueue(name: string): Promise<void>;
    insert(name: string, jobs: readonly { readonly data: Data }[]): Promise<unknown>;
    flow(jobs: readonly FlowJob[]): Promise<unknown>;
    resolveFlow(): Promise<void>;
    work(
      name: string,
      options: Readonly<Record<string, unknown>>,
      handler: (jobs: readonly Job[]) => Promise<void>,
    ): Promise<string>;
    fetch(name: string, options: { readonly batchSize: number }): Promise<readonly Job[]>;
    complete(name: string, ids: readonly string[]): Promise<unknown>;
    offWork(name: string): Promise<void>;
  };
}
