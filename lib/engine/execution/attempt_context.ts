import type { StepOptions, TaskContext, TaskLog } from "../../definition/context.ts";
import type { StartedRun } from "../../definition/task_start.ts";
import { shown } from "../../definition/checks.ts";
import type { Logger } from "../../logger.ts";
import { nodeOf } from "../runs/attempt.ts";
import type { Attempt, AttemptContext } from "../runs/live_run.ts";
import type { Progress } from "../reading/events.ts";
import { NO_ITEM } from "../machine/run_state.ts";
import type { StartRequest } from "../client/start_run.ts";
import type { StepCall } from "./steps.ts";

/** The message of `ctx.progress` is shown in one line; a longer one is cut off. In characters. */
const LONGEST_MESSAGE = 500;

/** What a body's context needs of the engine. */
export interface ContextPort {
  /** The tenant of the store. */
  readonly tenant: string | undefined;
  /** Where `ctx.log` goes. */
  readonly logger: Logger;
  /** Runs a step of an attempt, or returns its recorded output. */
  readonly step: (attempt: Attempt, call: StepCall) => Promise<unknown>;
  /** Starts a run for the body of an attempt. */
  readonly start: (attempt: Attempt, request: StartRequest) => Promise<StartedRun>;
  /** Receives the progress that `ctx.progress` reports. */
  readonly progress: (attempt: Attempt, progress: Progress) => void;
}

/**
 * Creates the `ctx` of an attempt. Everything but its numbers is created on first use: most bodies use none of it, and an
 * `AbortController` for each would cost more than the rest of a short task.
 */
export function createContext(attempt: Attempt, port: ContextPort): AttemptContext {
  return new LazyContext(attempt, port);
}

// A class, because getters on a shared prototype cost nothing for each attempt.
class LazyContext implements AttemptContext {
  readonly #attempt: Attempt;
  readonly #port: ContextPort;
  #controller: AbortController | undefined;

  constructor(attempt: Attempt, port: ContextPort) {
    this.#attempt = attempt;
    this.#port = port;
  }

  get runId(): string {
    return this.#attempt.unit.run.id;
  }

  get workflow(): string {
    return this.#attempt.unit.run.plan.workflow.name;
  }

  get tenant(): string | undefined {
    return this.#port.tenant;
  }

  get taskId(): string {
    return nodeOf(this.#attempt).id;
  }

  get attempt(): number {
    return this.#attempt.number;
  }

  get item(): number | undefined {
    const { item } = this.#attempt.unit;
    return item === NO_ITEM ? undefined : item;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      const { aborted } = this.#attempt;
      if (aborted !== undefined) this.#controller.abort(aborted.reason);
    }
    return this.#controller.signal;
  }

  get idempotencyKey(): string {
    const { item, taskId } = this;
    const { unit } = this.#attempt;
    // A task that was compensated runs again as if it had never run: its effects must not be taken for the former ones.
    const count = unit.run.compensations?.get(taskId);
    const parts = [this.runId, count === undefined ? taskId : `${taskId}#${count}`];
    if (item !== undefined) parts.push(`${item}`);
    if (nodeOf({ unit }).undo !== undefined) parts.push("undo");
    return parts.join("/");
  }

  get step(): TaskContext["step"] {
    const step = (name: string, body: () => unknown, options?: StepOptions): Promise<unknown> =>
      this.#port.step(this.#attempt, { name, body, options });
    // A decoder's cast: a step returns the decoded JSON of what its body returned.
    return step as TaskContext["step"];
  }

  get start(): TaskContext["start"] {
    return (target, ...[input, options]) => this.#port.start(this.#attempt, { target, input, options });
  }

  get progress(): TaskContext["progress"] {
    return (done, total, message) => {
      // It is shown to people and encoded as JSON, which has no NaN and no Infinity.
      if (!Number.isFinite(done) || (total !== undefined && !Number.isFinite(total))) {
        throw new TypeError(
          `Cannot report progress: done and total must be numbers, not ${shown(done)} and ${shown(total)}`,
        );
      }
      this.#port.progress(this.#attempt, {
        done,
        ...(total === undefined ? {} : { total }),
        ...(message === undefined ? {} : { message: textOf(message).slice(0, LONGEST_MESSAGE) }),
      });
    };
  }

  get log(): TaskLog {
    const { runId, taskId, attempt, item } = this;
    return taskLog(this.#port.logger, { runId, taskId, ...(item === undefined ? {} : { item }), attempt });
  }

  abort(reason: unknown): void {
    this.#controller?.abort(reason);
  }
}

function textOf(message: unknown): string {
  return typeof message === "string" ? message : shown(message);
}

/** A logger for a task: each line carries `fields`. */
export function taskLog(logger: Logger, fields: Readonly<Record<string, unknown>>): TaskLog {
  const info: Logger["info"] = (message, more) => logger.info(message, { ...fields, ...more });
  return Object.assign((message: string, more?: Readonly<Record<string, unknown>>) => info(message, more), {
    debug: ((message, more) => logger.debug(message, { ...fields, ...more })) satisfies Logger["debug"],
    info,
    warn: ((message, more) => logger.warn(message, { ...fields, ...more })) satisfies Logger["warn"],
    error: ((message, more) => logger.error(message, { ...fields, ...more })) satisfies Logger["error"],
  });
}
