/**
 * Absurd: tasks of checkpointed steps, spawned, then claimed in batches by one worker in the same process. Its SQL is
 * that of its tool `absurdctl` of the same version.
 */
import process from "node:process";
import { body, load, PAYLOAD, type Place, type Session, settled, spread, WIDTH, type Workload } from "../adapter.ts";
import { countOf, openPool } from "./pg.ts";

const QUEUE = "bench";
const CONCURRENCY = 100;
const POOL = 20;

export async function open(workload: Workload, { url }: Place): Promise<Session> {
  const { Absurd } = await load<Package>("absurd-sdk");
  const { readFileSync } = await import("node:fs");
  const pool = await openPool(url, POOL);
  await pool.query(readFileSync(process.env["ABSURD_SQL"]!, "utf8"));
  const silent = { log() {}, info() {}, warn() {}, error: console.error };
  const app = new Absurd({ db: pool, queueName: QUEUE, log: silent });
  await app.createQueue(QUEUE);
  const isFan = workload === "1 + 100 + 1";
  const isLatency = workload === "latency of a chain of 3";
  const waiting: (() => void)[] = [];
  app.registerTask({ name: "work" }, async (payload, context) => {
    const result = await (isFan ? fan : chain)(payload, context);
    waiting.shift()?.();
    return result;
  });
  const ended = () => countOf(pool, `select count(*) from absurd.t_${QUEUE} where state = 'completed'`);
  let worker: Worker | undefined;
  const work = async () => {
    worker ??= await app.startWorker({
      concurrency: isLatency ? 4 : CONCURRENCY,
      claimTimeout: 120,
      pollInterval: isLatency ? 0.005 : 0.05,
      fatalOnLeaseTimeout: false,
    });
  };
  return {
    async carry(runs) {
      await spread(runs, POOL, () => app.spawn("work", { text: PAYLOAD }));
      await settled(work, { runs, bodies: runs * (isFan ? WIDTH + 2 : 3), ended });
    },
    async one() {
      await work();
      const done = new Promise<void>((resolve) => waiting.push(resolve));
      const { taskID } = await app.spawn("work", { text: PAYLOAD });
      await done;
      // Its own way to wait for a result asks at 50, 150, 350 … ms.
      while ((await app.fetchTaskResult(taskID))?.state !== "completed");
    },
    ended,
    async close() {
      await worker?.close();
      await pool.end();
    },
  };
}

async function chain({ text }: Payload, context: Context): Promise<string> {
  const first = await context.step("first", () => body(text));
  const second = await context.step("second", () => body(first));
  return await context.step("third", () => body(second));
}

async function fan({ text }: Payload, context: Context): Promise<string> {
  const first = await context.step("first", () => body(text));
  const items = await Promise.all(
    Array.from(
      { length: WIDTH },
      (_, at) => context.step(`item${at}`, () => body(first)),
    ),
  );
  return await context.step("last", () => body(items[0]!));
}

interface Payload {
  readonly text: string;
}

interface Context {
  step(name: string, run: () => Promise<string>): Promise<string>;
}

interface Worker {
  close(): Promise<void>;
}

interface Package {
  readonly Absurd: new (options: Readonly<Record<string, unknown>>) => {
    createQueue(name: string): Promise<void>;
    registerTask(
      options: { readonly name: string },
      run: (payload: Payload, context: Context) => Promise<string>,
    ): void;
    spawn(name: string, payload: Payload): Promise<{ readonly taskID: string }>;
    fetchTaskResult(taskID: string): Promise<{ readonly state: string } | null>;
    startWorker(options: Readonly<Record<string, unknown>>): Promise<Worker>;
  };
}
