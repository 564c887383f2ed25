/**
 * graphile-worker with the preset of its own benchmark “with batching”: 24 jobs at once, completions gathered, and a local
 * queue, whose size is the window. It deletes a job that is done.
 */
import { body, inParts, load, PAYLOAD, type Session, settled, type Work } from "../adapter.ts";
import { countOf, openPool } from "./pg.ts";

const CONCURRENCY = 24;
const BATCH = 10_000;
const JOB = { identifier: "work", payload: { text: PAYLOAD } };

export async function open({ place: { url }, flight }: Work): Promise<Session> {
  const { Logger, makeWorkerUtils, run, runMigrations } = await load<Package>("graphile-worker");
  const logger = new Logger(() => () => {});
  const preset = {
    worker: {
      concurrentJobs: CONCURRENCY,
      localQueue: { size: flight, refetchDelay: { durationMs: 10 } },
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
    async begin() {
      runner = await run({ preset, pgPool, taskList, noHandleSignals: true, crontab: "" });
    },
    async carry(runs) {
      enqueued = runs;
      const insert = (part: number) => utils.addJobs(Array.from({ length: part }, () => JOB));
      await settled(() => inParts(runs, BATCH, insert), { runs, bodies: runs, ended });
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
