/**
 * A process with a runner, for the crash tests. It reports its progress on standard output, so that a test can end it
 * at a named moment:
 *
 * - `ready`, when the runner is open and has recovered the runs of dead runners;
 * - `holding b`, when a body that is held has begun;
 * - `aborted b LeaseLostError`, when the signal of such a body aborts, with the name of the reason;
 * - `dying`, when it is about to kill itself;
 * - `task.retrying b` and so on, the events of the runner, unless it is quiet;
 * - `turned [1764539435310,…]`, after it has stopped: the times at which its event loop turned (`watchEventLoop()`).
 *
 * @module
 */
import { existsSync, writeSync } from "node:fs";
import process from "node:process";
import { createRunner, type Logger, type RunEvent, type Runner, type TaskContext } from "../../mod.ts";
import { watchEventLoop } from "../event_loop.ts";
import { openPlace, type Place, readPlace } from "../place.ts";
import { randomOfProcess } from "../random.ts";
import { JOURNAL } from "../journal.ts";
import { passes } from "../passes.ts";
import { clockWithoutPolls } from "./clock_without_polls.ts";
import { gateOf, writeEffect, writeEnd } from "./effects.ts";
import { type Moment, mortalStore } from "./mortal_store.ts";
import { crashWorkflows, unitOf, type World } from "./workflows.ts";

/** The configuration of a worker. */
export interface WorkerConfig {
  /** The location of the store. */
  readonly place: Place;
  /** The effect log. */
  readonly log: string;
  /** The lease of the runner; by default it does not expire during a test. @default {"1h"} */
  readonly lease?: string;
  /** How many bodies run at once. @default {64} */
  readonly concurrency?: number;
  /** Whether polls are disabled, so that only notifications cause work. */
  readonly neverPolls?: boolean;
  /** The number of crashes after which a run fails. @default {5} */
  readonly recoveryLimit?: number;
  /** The moment at which it kills itself. */
  readonly moment?: Moment;
  /**
   * Tasks whose bodies are held, and how: until their signal aborts, after which they return a late result (`"late"`)
   * or throw (`"heed"`); forever (`"deaf"`); until the test opens the gate (`"gate"`); for half a second (`"slow"`); or
   * blocking the event loop until the test opens the gate with the name of the task (`"busy"`).
   */
  readonly hold?: Readonly<Record<string, Hold>>;
  /** The longest duration of a body that is not held, in milliseconds; each takes a random part of it. @default {0} */
  readonly bodyMs?: number;
  /** Runs that it starts itself: the workflow, and the number that is the input and the key. */
  readonly starts?: readonly (readonly [workflow: string, n: number])[];
  /** Whether it starts runs until it ends, at most `MOST_OPEN` at a time. */
  readonly load?: boolean;
  /** How long it waits for running bodies on SIGTERM. @default {"10s"} */
  readonly drain?: string;
  /** Whether it does not print the events of the runner. */
  readonly quiet?: boolean;
}

type Hold = "late" | "heed" | "deaf" | "gate" | "slow" | "busy";

// Without a bound, a worker that starts runs faster than it executes them leaves thousands of unfinished runs.
const MOST_OPEN = 500;

/** The result of a body that continued after its signal aborted. */
export const LATE = -1_000_000;

if (import.meta.main) await main(JSON.parse(process.argv[2]!));

async function main(config: WorkerConfig): Promise<void> {
  const { place, moment } = config;
  const logger = {
    debug() {},
    info() {},
    warn: (...what) => complain("warn", ...what),
    error: (...what) => complain("error", ...what),
  } satisfies Logger;
  const store = moment && mortalStore(await openPlace(place, { logger }), place, moment, () => dieOf(config));
  const witness = openWitness(place);
  const workflows = crashWorkflows(worldOf(config, witness.committed));

  const runner: Runner<typeof workflows[string]> = await createRunner(store ?? place.url, {
    ...(store === undefined ? place.options : {}),
    workflows: Object.values(workflows),
    logger,
    ...(config.concurrency === undefined ? {} : { concurrency: config.concurrency }),
    ...(config.neverPolls === true ? { clock: clockWithoutPolls } : {}),
    lease: (config.lease ?? "1h") as "1h",
    ...(config.recoveryLimit === undefined ? {} : { recoveryLimit: config.recoveryLimit }),
    ...(config.quiet === true ? {} : { onEvent: tell }),
  });
  const turns = watchEventLoop();
  let isStopping = false;
  process.once("SIGTERM", () =>
    void stop().catch((error) => {
      complain("error", String(error));
      process.exit(1);
    }));
  say("ready");
  for (const [name, n] of config.starts ?? []) await runner.start(workflows[name]!, { n }, { key: `${n}` });
  const names = ["chain", "diamond", "flaky", "stepwise", "failing", "wide", "parent"] as const;
  let open = 0;
  for (let n = 0; config.load === true && !isStopping; n++) {
    const run = await runner.start(workflows[names[n % names.length]!]!, { n });
    // The run is durable from here on, so that the test expects it to exist.
    say(`durable ${run.id}`);
    open++;
    const ended = () => void open--;
    run.outcome().then(ended, ended);
    if (n % names.length === 0) await passes(15);
    while (open >= MOST_OPEN && !isStopping) await passes(15);
  }

  async function stop(): Promise<void> {
    isStopping = true;
    await runner.stop({ timeout: (config.drain ?? "10s") as "10s" });
    await store?.close();
    await witness.close();
    say(`turned ${JSON.stringify(turns())}`);
  }
}

function worldOf(config: WorkerConfig, committed: Witness["committed"]): World {
  const random = randomOfProcess();
  return {
    async effect(ctx, value) {
      const end = await begin(ctx, unitOf(ctx));
      const how = config.hold?.[ctx.taskId];
      if (how !== undefined) value = await hold(ctx, how, value, config.log);
      else if (config.bodyMs) await new Promise((resolve) => setTimeout(resolve, random.next() * config.bodyMs!));
      end();
      return value;
    },
    async step(ctx, name, value) {
      const end = await begin(ctx, `${ctx.taskId}/${name}`);
      await new Promise((resolve) => setTimeout(resolve, random.next() * (config.bodyMs ?? 0)));
      end();
      return value;
    },
    async die(ctx) {
      await begin(ctx, ctx.taskId);
      return dieOf(config);
    },
  };

  /** Logs the beginning of a body or step; the returned function logs its end. */
  async function begin({ runId, attempt }: TaskContext, unit: string): Promise<() => void> {
    const effect = { runId, unit, attempt, pid: process.pid };
    writeEffect(config.log, { kind: "begin", ...effect, committed: await committed(runId) });
    return () => writeEffect(config.log, { kind: "end", ...effect, committed: [] });
  }
}

async function hold(ctx: TaskContext, how: Hold, value: number, log: string): Promise<number> {
  const { signal, taskId } = ctx;
  signal.addEventListener("abort", () => say(`aborted ${taskId} ${signal.reason.name}`));
  say(`holding ${taskId}`);
  switch (how) {
    case "deaf":
      return await new Promise(() => {});
    case "late":
      return await new Promise((resolve) => signal.addEventListener("abort", () => resolve(LATE)));
    case "heed":
      return await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    case "gate":
      while (!existsSync(gateOf(log))) await new Promise((resolve) => setTimeout(resolve, 5));
      return value;
    case "slow":
      return await new Promise((resolve) => setTimeout(() => resolve(value), 500));
    case "busy":
      while (!existsSync(gateOf(log, taskId)));
      return LATE;
  }
}

interface Witness {
  committed(runId: string): Promise<string[]>;
  close(): Promise<void>;
}

/** Reads the database through a separate connection, which sees only committed rows. */
function openWitness(place: Place): Witness {
  const reader = readPlace(place);
  return {
    async committed(runId) {
      const units = await reader.query(
        `select task || case when item < 0 then '' else '#' || item end || case when step = '' then '' else '/' || step end as unit
           from ${JOURNAL}
          where run = (select seq from runs where id = $1) and state in ('completed', 'failed', 'skipped')`,
        runId,
      );
      return units.map(({ unit }) => String(unit));
    },
    close: reader.close,
  };
}

function tell(event: RunEvent): void {
  say(`${event.type} ${"taskId" in event ? event.taskId : event.runId}`);
}

function dieOf({ log }: WorkerConfig): never {
  writeEnd(log, "kill", process.pid);
  say("dying");
  process.kill(process.pid, "SIGKILL");
  // The signal is delivered a little later; nothing else may run until then.
  for (;;);
}

function complain(level: string, message: string, fields?: Readonly<Record<string, unknown>>): void {
  writeSync(2, `${level}: ${message} ${fields === undefined ? "" : JSON.stringify(fields)}\n`);
}

// Not console.log(): its output may not be written yet when the process is killed.
function say(line: string): void {
  writeSync(1, `${line}\n`);
}
