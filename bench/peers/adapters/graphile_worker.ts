/**
 * graphile-worker with the preset of its own benchmark “with batching”: a local queue of 500 jobs, 24 at once, and
 * completions gathered. It deletes a job that is done.
 */
import { body, load, PAYLOAD, type Place, type Session, settled, type Workload } from "../adapter.ts";
import { countOf, openPool } from "./pg.ts";

const CONCURRENCY = 24;
const BATCH = 10_000;
const JOB = { identifier: "work", payload: { text: PAYLOAD } };

export async function open(_workload: Workload, { url }: Place): Promise<Session> {
  const { Logger, makeWorkerUtils, run, runMigrations } = await load<Package>("graphile-worker");
  const logger = new Logger(() => () => {});
  const preset = {
    worker: {
      concurrentJobs: CONCURRENCY,
      localQueue: { size: 500, refetchDelay: { durationMs: 10 } },
      completeJobBatchDelay: 0,
      failJobBatchDelay: 0,
      logger,
    },
  };
  // With a pool of its own it leaves connections behind when it has stopped.
  const pgPool = await openPool(url, CONCURRENCY + 1);
  await runMigrations({ preset, pgPool });
  const utils = await makeWorkerUtils({ pgPool, logger });
  const taskList = { work: (payload: { readonly text: string }) => body(payload.text) };
  let enqueued = 0;
  let runner: Stoppable | undefined;
  const ended = async (): Promise<number> => {
    return enqueued - await countOf(pgPool, "select count(*) from graphile_worker._private_jobs");
  };
  return {
    async enqueue(runs) {
      for (let left = runs; left > 0; left -= BATCH) {
        await utils.addJobs(Array.from({ length: Math.min(left, BATCH) }, () => JOB));
      }
      enqueued = runs;
    },
    async carry(runs) {
      const begin = async () => runner = await run({ preset, pgPool, taskList, noHandleSignals: true, crontab: "" });
      await settled(begin, { runs, bodies: runs, ended });
    },
    ended,
    async close() {
      await runner?.stop();
      await utils.release();
      await pgPool.end();
    },
  };
}

interface Stoppable {
  stop(): Promise<void>;
}

interface Package {
  readonly Logger: new (scoped: () => () => void) => unknown;
  makeWorkerUtils(options: Readonly<Record<string, unknown>>): Promise<{
    addJobs(jobs: readonly (typeof JOB)[]): Promise<unknown>;
    release(): Promise<void>;
  }>;
  run(options: Readonly<Record<string, unknown>>): Promise<Stoppable>;
  runMigrations(options: Readonly<Record<string, unknown>>): Promise<void>;
}
