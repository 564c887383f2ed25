import { type Clock, systemClock } from "../clock.ts";
import type { StepOptions, TaskContext } from "../definition/context.ts";
import { validate } from "../definition/schema.ts";
import type { StartedRun } from "../definition/task_start.ts";
import { Workflow } from "../definition/builder.ts";
import type { Startable } from "../definition/child.ts";
import { decodeJson, encodeJson } from "../definition/json.ts";
import { taskLog } from "../engine/execution/attempt_context.ts";
import type { Progress } from "../engine/reading/events.ts";
import { startSettings, TASK_START_OPTIONS } from "../engine/client/start_options.ts";
import { startedAgain } from "../engine/execution/task_starts.ts";
import { readStepOptions, repeatStep, type StepRule, withinLimit } from "../engine/execution/step_attempts.ts";
import { RunCancelledError } from "../errors.ts";
import type { Logger } from "../logger.ts";
import { knownOptions } from "../option_names.ts";

/** Options of `createTestContext`. */
export interface TestContextOptions {
  /** The run. @default {"test-run"} */
  readonly runId?: string;
  /** Name of the workflow of the run. @default {"test-workflow"} */
  readonly workflow?: string;
  /** The tenant. @default {undefined} */
  readonly tenant?: string;
  /** The task. @default {"test-task"} */
  readonly taskId?: string;
  /** Number of the attempt, counted from 1. @default {1} */
  readonly attempt?: number;
  /** The index of the item of a map, from 0. @default {undefined} */
  readonly item?: number;
  /** Outputs of steps that an earlier attempt has completed, by name. @default {{}} */
  readonly steps?: Readonly<Record<string, unknown>>;
  /** The largest output of a step, in bytes of JSON. @default {1_048_576} */
  readonly maxPayloadBytes?: number;
  /** The clock for delays and timeouts of steps. @default {undefined} the clock of the machine */
  readonly clock?: Clock;
}

const TEST_CONTEXT_OPTIONS: readonly (keyof TestContextOptions)[] = [
  "runId",
  "workflow",
  "tenant",
  "taskId",
  "attempt",
  "item",
  "steps",
  "maxPayloadBytes",
  "clock",
];

/** A line that `ctx.log` wrote. */
export interface LoggedLine {
  /** The level of the line. */
  readonly level: keyof Logger;
  /** The message. */
  readonly message: string;
  /** The fields of the line, including the run, task and attempt. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A run that `ctx.start` started. */
export interface TestStart {
  /** The name of the workflow. */
  readonly workflow: string;
  /** The input, as its schema returned it. */
  readonly input: unknown;
  /** The key of the run. */
  readonly key: string;
  /** The id of the run. */
  readonly runId: string;
}

/** A context that records the calls of a body and can be aborted. */
export interface TestContext extends TaskContext {
  /** The arguments of the calls of `ctx.progress`, in order. */
  readonly progressed: readonly Progress[];
  /** The runs that `ctx.start` started, in order. Nothing executes them. */
  readonly started: readonly TestStart[];
  /** The lines that `ctx.log` wrote, in order. */
  readonly logged: readonly LoggedLine[];
  /** Outputs of the steps that have completed, by name. */
  readonly steps: ReadonlyMap<string, unknown>;
  /** Aborts `ctx.signal`. @default {RunCancelledError} for `reason` */
  abort(reason?: unknown): void;
}

/**
 * Creates a `ctx` for unit tests of task bodies, without a runner or store.
 *
 * Steps behave as in a run: the output of each is stored as JSON, a body that throws is repeated according to its
 * options and not stored, and a value that JSON cannot represent is refused.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { task, type TaskContext } from "@sluice/sluice";
 * import { createTestContext } from "@sluice/sluice/testing";
 *
 * const transform = task({
 *   async run({ extract, ctx }: { extract: number[]; ctx: TaskContext }) {
 *     ctx.progress(extract.length);
 *     return await ctx.step("double", () => extract.map((n) => n * 2));
 *   },
 * });
 *
 * const ctx = createTestContext();
 * assertEquals(await transform.run({ extract: [1, 2], ctx }), [2, 4]);
 * assertEquals(ctx.progressed, [{ done: 2 }]);
 * ```
 */
export function createTestContext(options: TestContextOptions = {}): TestContext {
  knownOptions(options, "create a test context", TEST_CONTEXT_OPTIONS);
  const { runId = "test-run", taskId = "test-task", attempt = 1, item, maxPayloadBytes = 1_048_576 } = options;
  const { workflow = "test-workflow", tenant, clock = systemClock } = options;
  const idempotencyKey = item === undefined ? `${runId}/${taskId}` : `${runId}/${taskId}/${item}`;
  const controller = new AbortController();
  const progressed: Progress[] = [];
  const logged: LoggedLine[] = [];
  const started: TestStart[] = [];
  const steps = new Map(Object.entries(options.steps ?? {}));
  const logger = recordingLogger(logged);
  const underWay = new Map<string, Promise<unknown>>();
  return {
    runId,
    workflow,
    tenant,
    taskId,
    attempt,
    item,
    signal: controller.signal,
    idempotencyKey,
    // A decoder's cast, as in a run: what a step answers is the JSON of what its body answered.
    step: step as TaskContext["step"],
    progress(done, total, message) {
      progressed.push({
        done,
        ...(total === undefined ? {} : { total }),
        ...(message === undefined ? {} : { message }),
      });
    },
    log: taskLog(logger, { runId, taskId, attempt }),
    start: async (target, ...[input, options]) => await start(target, input, options),
    progressed,
    started,
    logged,
    steps,
    abort: (reason = new RunCancelledError(runId, undefined)) => controller.abort(reason),
  };

  async function step(name: string, body: () => unknown, options?: StepOptions): Promise<unknown> {
    const rule = readStepOptions(name, options);
    if (steps.has(name)) return copyOf(name, steps.get(name));
    let output = underWay.get(name);
    if (output === undefined) {
      output = perform(name, body, rule);
      underWay.set(name, output);
    }
    return copyOf(name, await output);
  }

  async function start(target: Startable | string, input: unknown, options: unknown): Promise<StartedRun> {
    const name = typeof target === "string" ? target : target.name;
    const action = `start workflow "${name}"`;
    const settings = startSettings(options, action, { allowed: TASK_START_OPTIONS, hasOwnKey: true });
    const { key = idempotencyKey } = settings;
    const known = started.find((run) => run.workflow === name && run.key === key);
    if (known !== undefined) {
      if (settings.key === undefined) throw startedAgain(action);
      return { runId: known.runId, isNew: false };
    }
    const schema = target instanceof Workflow ? target.input : undefined;
    const value = await validate(schema, input, `Cannot ${action}`);
    const stored = decodeJson(encodeJson(value, "input", maxPayloadBytes));
    const run: TestStart = { workflow: name, input: stored, key, runId: `test-start-${started.length + 1}` };
    started.push(run);
    return { runId: run.runId, isNew: true };
  }

  async function perform(name: string, body: () => unknown, { retry, timeoutMs }: StepRule): Promise<unknown> {
    const after = (ms: number, fire: () => void): () => void => clock.after(ms, fire);
    const attempt = async (): Promise<unknown> => {
      const limit = { name, after, expired: () => {} };
      const work = timeoutMs === undefined ? body() : withinLimit(body, { ...limit, timeoutMs });
      return copyOf(name, await work);
    };
    const check = (): void => {};
    const port = { after, random: Math.random, logger, signal: () => controller.signal, check };
    try {
      const output = await repeatStep(retry, attempt, port);
      steps.set(name, output);
      return output;
    } finally {
      underWay.delete(name);
    }
  }

  function copyOf(name: string, output: unknown): unknown {
    return decodeJson(encodeJson(output, `the output of step "${name}"`, maxPayloadBytes));
  }
}

/** Returns a logger that appends to a list. */
export function recordingLogger(lines: LoggedLine[]): Logger {
  const write = (level: keyof Logger): Logger["info"] => (message, fields = {}) => {
    lines.push({ level, message, fields });
  };
  return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
}
