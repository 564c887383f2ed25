/**
 * A process for the fault tests, with a runner, or with a client that only starts runs. It prints to standard output:
 *
 * - `ready`, when it is open;
 * - `durable <id>`, when a run that it started is in the database;
 * - `no more load`, when it starts no more runs, as requested;
 * - `re-registered`, when its lease expired and it continues under a new id.
 *
 * No fault may cause an error here: a test fails if the library logs one.
 *
 * @module
 */
import { existsSync, writeSync } from "node:fs";
import process from "node:process";
import { createClient, createRunner, type Logger, type TaskContext } from "../../mod.ts";
import { writeEffect } from "../crash/effects.ts";
import { crashWorkflows, type World } from "../crash/workflows.ts";
import { randomOfProcess } from "../random.ts";
import { LOAD, openWitness, type Witness } from "./witness.ts";

/** The configuration of a worker. */
export interface WorkerConfig {
  /** The URL through which the library connects. */
  readonly url: string;
  /** The URL through which the witness connects, without a proxy. */
  readonly direct: string;
  /** The schema. */
  readonly schema: string;
  /** The effect log. */
  readonly log: string;
  /** Whether it only starts runs. */
  readonly clientOnly?: boolean;
  /** Whether it starts runs until the test ends the load. */
  readonly load?: boolean;
  /** The lease of the runner. @default {"30s"} */
  readonly lease?: string;
  /** The longest duration of a body, in milliseconds; each takes a random part of it. @default {10} */
  readonly bodyMs?: number;
}

/** Returns the path of a file beside the effect log: once it exists, no more runs are started. */
export function enoughOf(log: string): string {
  return `${log}.enough`;
}

/** Higher than any number of crashes in a test: every run must reach its end. */
const NO_LIMIT = 1_000_000;

/** The shortest duration of a round of the load, which is five runs, in milliseconds. */
const TURN_MS = 60;

/** No runs are started while more than this many have not ended. */
const MOST_OPEN = 300;

if (import.meta.main) await main(JSON.parse(process.argv[2]!));

async function main(config: WorkerConfig): Promise<void> {
  const { url, schema, lease = "30s" } = config;
  const logger = {
    debug() {},
    info() {},
    warn: (...what) => complain("warn", ...what),
    error: (...what) => complain("error", ...what),
  } satisfies Logger;
  const witness = openWitness(config.direct, schema);
  const workflows = Object.values(crashWorkflows(worldOf(config, witness)));
  const { client, stop } = config.clientOnly === true ? await openClient() : await openRunner();
  const stopped = Promise.withResolvers<void>();
  process.once("SIGTERM", () => stopped.resolve());
  say("ready");
  if (config.load === true) await load();
  await stopped.promise;
  await stop();
  await witness.close();

  async function openClient() {
    const client = await createClient(url, { schema, workflows, logger });
    return { client, stop: () => client.stop() };
  }

  async function openRunner() {
    const options = { schema, workflows, logger, lease: lease as "30s", recoveryLimit: NO_LIMIT };
    const client = await createRunner(url, options);
    // On a slow machine bodies may exceed the ten seconds after which other runners would repeat them.
    return { client, stop: () => client.stop({ timeout: "1h" }) };
  }

  async function load(): Promise<void> {
    let isOver = false;
    void stopped.promise.then(() => isOver = true);
    for (let n = 0; !isOver && !existsSync(enoughOf(config.log)); n++) {
      const turn = new Promise((resolve) => setTimeout(resolve, TURN_MS));
      const runs = await Promise.all(LOAD.map((name) => client.start(name, { n })));
      for (const { id } of runs) say(`durable ${id}`);
      await turn;
      // Runs must not be started faster than they are executed.
      while (n % 10 === 9 && !isOver && await witness.open() > MOST_OPEN) {
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
    say("no more load");
  }
}

function worldOf({ log, bodyMs = 10 }: WorkerConfig, { committed }: Witness): World {
  const random = randomOfProcess();
  return {
    effect: (ctx, value) => act(ctx, ctx.taskId, value),
    step: (ctx, name, value) => act(ctx, `${ctx.taskId}/${name}`, value),
    die() {
      throw new Error("nobody dies of their own accord here");
    },
  };

  async function act({ runId, attempt }: TaskContext, unit: string, value: number): Promise<number> {
    const effect = { runId, unit, attempt, pid: process.pid };
    writeEffect(log, { kind: "begin", ...effect, committed: await committed(runId) });
    await new Promise((resolve) => setTimeout(resolve, random.next() * bodyMs));
    writeEffect(log, { kind: "end", ...effect, committed: [] });
    return value;
  }
}

function complain(level: string, message: string, fields?: Readonly<Record<string, unknown>>): void {
  if (message.includes("re-registered")) say("re-registered");
  writeSync(2, `${level}: ${message} ${fields === undefined ? "" : JSON.stringify(fields)}\n`);
}

// Not console.log(): its output may not be written yet when the process is killed.
function say(line: string): void {
  writeSync(1, `${line}\n`);
}
