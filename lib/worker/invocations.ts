/**
 * Calls of the functions that a worker has. From the request `invoke` to its response a call is an invocation: until then
 * the worker may run steps, start runs and report progress in its name.
 *
 * @module
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { StepOptions, TaskContext } from "../definition/context.ts";
import { newChecks } from "../definition/checks.ts";
import type { RetryPolicy } from "../definition/retry.ts";
import { refuse } from "../engine/options.ts";
import { toErrorRecord } from "../engine/errors/error_record.ts";
import type { Asked, Channel } from "./channel.ts";
import { isRetried } from "./errors.ts";
import { type Members, ProtocolError } from "./protocol.ts";

/** A function of a worker. */
export interface FunctionRef {
  /** Its id. */
  readonly fn: string;
  /** The outputs that it takes; `undefined` for all. */
  readonly takes: ReadonlySet<string> | undefined;
}

/** A call of a function. */
export interface Call {
  /** The runner or client on whose behalf it is called. */
  readonly runner: number;
  readonly fn: string;
  readonly args: Members;
  /** The context of the attempt; `undefined` for a function that does not belong to one. */
  readonly ctx: TaskContext | undefined;
  /** Aborts when the call shall end, and nothing awaits it any more; `undefined` for a call that nothing ends. */
  readonly signal: AbortSignal | undefined;
}

/** The invocations of a worker. */
export interface Invocations {
  /** Calls a function; returns its output. */
  call(call: Call): Promise<unknown>;
  /** Runs a step for the request with an id; returns its output. */
  step(params: Members, requestId: number): Promise<unknown>;
  /** Starts a run. */
  startRun(params: Members): Promise<unknown>;
  /** Reports progress, unless the invocation is over. */
  progress(params: Members): void;
  /** Writes a log line, unless the invocation is over. */
  log(params: Members): void;
  /** The worker has gone: calls wait until their attempts or checks are aborted, so that these do not count as failed. */
  leave(): void;
}

/** Calls a function in an async context. */
type Scope = <T>(call: () => T) => T;

interface Invocation {
  readonly ctx: TaskContext;
  /** Async contexts of the steps that run, by the ids of their requests. */
  readonly steps: Map<number, Scope>;
}

type LogLevel = "debug" | "info" | "warn" | "error";

const LOG_LEVELS: Readonly<Record<LogLevel, true>> = { debug: true, info: true, warn: true, error: true };

/** A call that waits for the worker. */
interface Waiting {
  /** Aborts with the attempt or the check of the call; `undefined` for a call that belongs to neither. */
  readonly signal: AbortSignal | undefined;
  readonly reject: (reason: unknown) => void;
}

/** Creates the invocations of a worker, of which there are none yet. */
export function createInvocations(channel: Channel): Invocations {
  const open = new Map<number, Invocation>();
  const calls = new Set<Waiting>();
  let hasLeft = false;
  return {
    call,
    step,
    startRun,
    progress,
    log,
    leave() {
      hasLeft = true;
      for (const waiting of calls) abandon(waiting);
    },
  };

  async function call({ runner, fn, args, ctx, signal }: Call): Promise<unknown> {
    signal?.throwIfAborted();
    const asked = channel.ask("invoke", { runner, fn, context: ctx && describe(ctx), args });
    if (ctx !== undefined) open.set(asked.id, { ctx, steps: new Map() });
    const abort = (): void => channel.notify("abort", { of: asked.id, reason: toErrorRecord(signal?.reason) });
    signal?.addEventListener("abort", abort);
    try {
      return await outputOf(asked, signal);
    } finally {
      open.delete(asked.id);
      signal?.removeEventListener("abort", abort);
    }
  }

  function outputOf({ response }: Asked, signal: AbortSignal | undefined): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const waiting = { signal, reject };
    calls.add(waiting);
    if (hasLeft) abandon(waiting);
    response.then((result) => {
      calls.delete(waiting);
      resolve(result["output"]);
    }, (thrown) => {
      calls.delete(waiting);
      reject(thrown);
    });
    return promise;
  }

  async function step(params: Members, requestId: number): Promise<unknown> {
    const checks = newChecks();
    const read = checks.options(params, "params", ["of", "name", "retry", "timeout", "in"]);
    refuse("run a step", checks);
    const name = read["name"] as string;
    const invocation = find(read["of"]);
    const within = read["in"] === undefined ? undefined : invocation.steps.get(Number(read["in"]));
    if (read["in"] !== undefined && within === undefined) {
      throw new ProtocolError(
        "unknown_invocation",
        `Cannot run step ${JSON.stringify(name)}: no step runs in ${read["in"]}`,
      );
    }
    const run = (): Promise<unknown> => invocation.ctx.step(name, body, optionsOf(read));
    return { output: await (within === undefined ? run() : within(run)) };

    async function body(): Promise<unknown> {
      const asked = channel.ask("invokeStep", { of: read["of"], step: requestId, name });
      invocation.steps.set(asked.id, AsyncLocalStorage.snapshot());
      try {
        return await outputOf(asked, invocation.ctx.signal);
      } finally {
        invocation.steps.delete(asked.id);
      }
    }
  }

  async function startRun(params: Members): Promise<unknown> {
    const checks = newChecks();
    const { of, workflow, input, options } = checks.options(params, "params", ["of", "workflow", "input", "options"]);
    const name = checks.name(workflow, "workflow");
    refuse("start a run", checks);
    // A decoder's cast: the engine checks the options.
    return await find(of).ctx.start(name, input, options as Parameters<TaskContext["start"]>[2]);
  }

  function progress({ of, done, total, message }: Members): void {
    // Checked by the context.
    open.get(Number(of))?.ctx.progress(done as number, total as number | undefined, message as string | undefined);
  }

  function log({ of, level = "info", message, fields }: Members): void {
    const invocation = open.get(Number(of));
    if (invocation === undefined) return;
    if (typeof level !== "string" || !Object.hasOwn(LOG_LEVELS, level) || typeof message !== "string") {
      throw new ProtocolError("protocol_error", "Cannot write a log line: it needs a level and a message");
    }
    invocation.ctx.log[level as LogLevel](message, fields as Members | undefined);
  }

  function find(of: unknown): Invocation {
    const invocation = open.get(Number(of));
    if (invocation !== undefined) return invocation;
    throw new ProtocolError("unknown_invocation", `There is no open invocation ${JSON.stringify(of)}`);
  }
}

function optionsOf({ retry, timeout }: Members): StepOptions {
  const policy = typeof retry === "number" ? { attempts: retry } : retry;
  return {
    // Checked by the context.
    ...(policy !== undefined && { retry: { ...policy as RetryPolicy, retryIf: isRetried } }),
    ...(timeout !== undefined && { timeout: timeout as number }),
  };
}

function describe({ runId, workflow, taskId, attempt, item, tenant, idempotencyKey }: TaskContext): Members {
  return { runId, workflow, taskId, attempt, item, tenant, idempotencyKey };
}

/**
 * Rejects a call that the worker will not answer: in an attempt or check only when that is aborted, as it must not count as
 * failed.
 */
function abandon({ signal, reject }: Waiting): void {
  if (signal === undefined) {
    reject(new ProtocolError("worker_gone", "Cannot call a function of the worker: it has gone"));
  } else if (signal.aborted) reject(signal.reason);
  else signal.addEventListener("abort", () => reject(signal.reason), { once: true });
}
