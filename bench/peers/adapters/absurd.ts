/**
 * Absurd: tasks of checkpointed steps, spawned and claimed in batches by one worker in the same process. Its SQL is that
 * of its tool `absurdctl` of the same version. The next run starts when the function of one has returned, which is sooner
 * than Absurd's own way to wait for a result would tell.
 */
import process from "node:process";
import { body, load, PAYLOAD, type Session, settled, spread, WIDTH, type Work } from "../adapter.ts";
import { countOf, openPool } from "./pg.ts";

const QUEUE = "bench";
const POOL = 20;

export async function open({ workload, place: { url }, flight }: Work): Promise<Session> {
  const { Absurd } = await load<Package>("absurd-sdk");
  const { readFileSync } = await import("node:fs");
  const pool = await openPool(url, POOL);
  await pool.query(readFileSync(process.env["ABSURD_SQL"]!, "utf8"));
  const silent = { log() {}, info() {}, warn() {}, error: console.error };
  const app = new Absurd({ db: pool, queueName: QUEUE, log: silent });
  await app.createQueue(QUEUE);
  const isFan = workload === "1 + 100 + 1";
  const waiting: (() => void)[] = [];
  app.registerTask({ name: "work" }, async (payload, context) => {
    const result = await (isFan ? fan : chain)(payload, context);
    waiting.shift()?.();
    return result;
  });
  const ended = () => countOf(pool, `select count(*) from absurd.t_${QUEUE} where state = 'completed'`);
  let worker: Worker | undefined;
  const spawned = async (): Promise<string> => {
    const done = new Promise<void>((resolve) => waiting.push(resolve));
    const { taskID } = await app.spawn("work", { text: PAYLOAD });
    await done;
    return taskID;
  };
  return {
    async begin() {
      worker = await app.startWorker({
        concurrency: flight,
        claimTimeout: 120,
        pollInterval: 0.005,
        fatalOnLeaseTimeout: false,
      });
    },
    async carry(runs) {
      const bodies = runs * (isFan ? WIDTH + 2 : 3);
      await settled(() => spread(runs, flight, spawned), { runs, bodies, ended });
    },
    async one() {
      const taskID = await spawned();
      // Its own wait for a result polls after 50, 150, 350 … ms.
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
