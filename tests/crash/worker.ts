/**
 * A process with a runner, for the crash tests. It says on its standard output what happens, so that a test can end it
 * at a named moment:
 *
 * - `ready`, when the runner is open and has taken over from the dead;
 * - `holding b`, when a body has begun that is to be held;
 * - `aborted b LeaseLostError`, when such a body's signal aborts, with the name of the reason;
 * - `dying`, when it is about to kill itself;
 * - `task.retrying b` and so on, the runner's own events, unless it is quiet;
 * - `turned [1764539435310,…]`, when it has stopped: when its event loop turned (`watchEventLoop()`).
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
  /** Where the store is. */
  readonly place: Place;
  /** The effect log. */
  readonly log: string;
  /** The runner's lease; by default too long for a test to wait for its end. @default {"1h"} */
  readonly lease?: string;
  /** Bodies at once. @default {64} */
  readonly concurrency?: number;
  /** Whether it never polls, so that all it does is caused by a notification. */
  readonly neverPolls?: boolean;
  /** The runner's limit of crashes. @default {5} */
  readonly recoveryLimit?: number;
  /** When to die. */
  readonly moment?: Moment;
  /**
   * Tasks whose bodies are held, and how: until they are aborted, answering late (`"late"`) or heeding it
   * (`"heed"`), for ever (`"deaf"`), until the test opens the gate (`"gate"`), for half a second (`"slow"`), or
   * blocking the event loop until the test opens the gate that is named like the task (`"busy"`).
   */
  readonly hold?: Readonly<Record<string, Hold>>;
  /** The longest a body takes that is not held, in milliseconds; it takes a random part of it. @default {0} */
  readonly bodyMs?: number;
  /** Runs that it starts itself, by workflow, each with its own number as the input and the key. */
  readonly starts?: readonly (readonly [workflow: string, n: number])[];
  /** Whether it starts runs until it ends; it pauses while `MOST_OPEN` of them have not ended. */
  readonly load?: boolean;
  /** How long it lets bodies finish on SIGTERM. @default {"10s"} */
  readonly drain?: string;
  /** Whether it keeps the events to itself. */
  readonly quiet?: boolean;
}

type Hold = "late" | "heed" | "deaf" | "gate" | "slow" | "busy";

// Without a bound, a worker that starts runs faster than it executes them leaves thousands to its test.
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
    // It is durable by now, so the test holds us to it.
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

  /** Writes down that a body or step begins; the answer, that it ends. */
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

/** Looks at the database with its own connection, and so sees what is committed and nothing else. */
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
  // The signal comes a moment later; until then nothing more may happen.
  for (;;);
}

function complain(level: string, message: string, fields?: Readonly<Record<string, unknown>>): void {
  writeSync(2, `${level}: ${message} ${fields === undefined ? "" : JSON.stringify(fields)}\n`);
}

// Not console.log(): what it prints may still be on its way when the process is killed.
function say(line: string): void {
  writeSync(1, `${line}\n`);
}
