/**
 * Runs the bodies of tasks, at most so many at once: the only place where user code is called with a result to wait
 * for. Whatever it throws ends its own attempt and nothing else.
 *
 * @module
 */
import type { TaskArguments, TaskStatus } from "../definition/context.ts";
import { decodeJson, encodeJson } from "../definition/json.ts";
import { TaskTimeoutError } from "../errors.ts";
import type { Clock } from "../clock.ts";
import type { TransactionVerdict } from "../store/port.ts";
import { type ContextPort, createContext } from "./attempt_context.ts";
import type { Attempt } from "./live_run.ts";
import { statusOf } from "./progress.ts";
import type { AttemptTrace, TracedEnd } from "./tracing.ts";

/** How an attempt ended. */
export type AttemptEnd =
  | { readonly kind: "returned"; readonly output: string | undefined }
  /** The same, and its row is durable. */
  | { readonly kind: "committed"; readonly output: string | undefined }
  /** Another runner owns its run. */
  | { readonly kind: "fenced" }
  | { readonly kind: "threw"; readonly thrown: unknown }
  | { readonly kind: "declined" };

/** Places for bodies. */
export interface Bodies {
  /** Attempts that run now. */
  readonly active: readonly Attempt[];
  /** Attempts that wait for a place. */
  readonly queued: number;
  /** Whether an attempt at that task is among them. */
  isQueued(runId: string, taskId: string): boolean;
  /** Runs an attempt as soon as there is a place. */
  queue(attempt: Attempt): void;
  /** Aborts an attempt's signal; its place stays taken until the body settles. */
  abort(attempt: Attempt, reason: unknown): void;
  /** Ends an attempt for the engine: its place is free, and whatever its body still answers is ignored. */
  drop(attempt: Attempt): void;
}

/** What bodies need of the engine. */
export interface BodiesOptions extends ContextPort {
  /** How many at once. */
  readonly concurrency: number;
  /** The largest output, in bytes of JSON. */
  readonly maxPayloadBytes: number;
  /** Time-outs run on it. */
  readonly clock: Clock;
  /** The store's time. */
  readonly now: () => number;
  /** A body is about to be called. */
  readonly began: (attempt: Attempt) => void;
  /** `when` said yes; resolves once that is durable. */
  readonly admit: (attempt: Attempt) => Promise<void>;
  /** Runs `body` in a transaction that also records the output it answers, as JSON text. */
  readonly transact: (
    attempt: Attempt,
    body: (tx: unknown) => Promise<string | undefined>,
  ) => Promise<TransactionVerdict>;
  /** An attempt has ended. Called once for each that was not dropped. */
  readonly ended: (attempt: Attempt, end: AttemptEnd) => void;
}

/** Places for `concurrency` bodies. */
export function createBodies(options: BodiesOptions): Bodies {
  const active: Attempt[] = [];
  // Those who wait, in the order of their coming: `line` from its end, then `coming`. No sets: entering and leaving two
  // of them cost Deno a tenth of all that a short task costs. One that is dropped is passed over in its turn.
  let line: Attempt[] = [];
  let coming: Attempt[] = [];
  let queued = 0;
  let isPumping = false;
  return {
    active,
    get queued() {
      return queued;
    },
    isQueued(runId, taskId) {
      return [...line, ...coming].some(({ run, task, stage }) =>
        stage === "queued" && run.id === runId && run.plan.tasks[task]!.id === taskId
      );
    },
    queue(attempt) {
      attempt.stage = "queued";
      coming.push(attempt);
      queued++;
      pump();
    },
    abort(attempt, reason) {
      attempt.aborted ??= { reason };
      attempt.context?.abort(reason);
    },
    drop(attempt) {
      if (attempt.stage === "over") return;
      if (attempt.stage === "queued") queued--;
      leave(attempt);
      attempt.trace?.ended({ kind: "aborted", reason: attempt.aborted?.reason });
      pump();
    },
  };

  // A loop and not a call from each end to the next start: bodies that return at once would pile up the stack.
  function pump(): void {
    if (isPumping) return;
    isPumping = true;
    while (queued > 0 && active.length < options.concurrency) {
      const attempt = next();
      if (attempt.stage === "queued") launch(attempt);
    }
    isPumping = false;
    // All who are left were dropped.
    if (queued === 0 && line.length + coming.length > 0) line.length = coming.length = 0;
  }

  function next(): Attempt {
    if (line.length === 0) {
      line = coming.reverse();
      coming = [];
    }
    return line.pop()!;
  }

  function launch(attempt: Attempt): void {
    const { run, task } = attempt;
    const definition = run.plan.tasks[task]!;
    queued--;
    attempt.stage = "running";
    attempt.startedAt = options.now();
    attempt.place = active.push(attempt) - 1;
    attempt.trace = run.trace?.attempt({ taskId: definition.id, kind: definition.kind, attempt: attempt.number });
    options.began(attempt);
    attempt.context = createContext(attempt, options);
    if (definition.timeoutMs !== undefined) arm(attempt, definition.timeoutMs);
    if (definition.when === undefined || run.progress.tasks[task]!.admitted) return call(attempt);
    void ask(attempt, definition.when);
  }

  function call(attempt: Attempt): void {
    const definition = attempt.run.plan.tasks[attempt.task]!;
    if (definition.kind === "transaction") return callWithin(attempt, definition.run);
    let answer: unknown;
    try {
      answer = called(attempt, definition.run, argumentsOf(attempt));
      if (!isThenable(answer)) return finish(attempt, returned(answer));
    } catch (thrown) {
      return finish(attempt, { kind: "threw", thrown });
    }
    follow(attempt, answer);
  }

  function follow(attempt: Attempt, answer: PromiseLike<unknown>): void {
    Promise.resolve(answer).then(
      (output) => attempt.stage === "running" && finish(attempt, returned(output)),
      (thrown) => finish(attempt, { kind: "threw", thrown }),
    );
  }

  function callWithin(attempt: Attempt, run: (args: TaskArguments) => unknown): void {
    // The arguments anew each time: the body is called again when the database could not carry out its transaction.
    const body = async (tx: unknown): Promise<string | undefined> => {
      // Taken back by a commit that was under way and failed.
      const { timeoutMs } = attempt.run.plan.tasks[attempt.task]!;
      if (timeoutMs !== undefined && attempt.disarm === undefined && attempt.stage === "running") {
        arm(attempt, timeoutMs);
      }
      const args = argumentsOf(attempt, tx);
      return encodeJson(await called(attempt, run, args), "output", options.maxPayloadBytes);
    };
    options.transact(attempt, body).then(
      (verdict) => finish(attempt, verdict),
      (thrown) => finish(attempt, { kind: "threw", thrown }),
    );
  }

  async function ask(attempt: Attempt, when: (args: TaskArguments) => unknown): Promise<void> {
    try {
      if (!await called(attempt, when, argumentsOf(attempt))) return finish(attempt, { kind: "declined" });
      if (attempt.stage !== "running") return;
      await options.admit(attempt);
    } catch (thrown) {
      return finish(attempt, { kind: "threw", thrown });
    }
    if (attempt.stage !== "running") return;
    // Cancelled or stopped while it was asked: nothing new starts.
    if (attempt.aborted !== undefined) return finish(attempt, { kind: "threw", thrown: attempt.aborted.reason });
    call(attempt);
  }

  function arm(attempt: Attempt, timeoutMs: number): void {
    const leftMs = Math.max(0, attempt.startedAt + timeoutMs - options.now());
    attempt.disarm = options.clock.after(leftMs, () => expire(attempt, timeoutMs));
  }

  function expire(attempt: Attempt, timeoutMs: number): void {
    if (attempt.stage !== "running") return;
    const error = new TaskTimeoutError(attempt.run.plan.tasks[attempt.task]!.id, timeoutMs);
    attempt.aborted ??= { reason: error };
    attempt.context?.abort(error);
    finish(attempt, { kind: "threw", thrown: error });
  }

  function finish(attempt: Attempt, end: AttemptEnd): void {
    if (attempt.stage !== "running") return;
    leave(attempt);
    attempt.trace?.ended(tracedEnd(attempt, end));
    options.ended(attempt, end);
    pump();
  }

  function leave(attempt: Attempt): void {
    attempt.stage = "over";
    attempt.disarm?.();
    if (attempt.place < 0) return;
    const last = active.pop()!;
    if (last !== attempt) active[last.place = attempt.place] = last;
    attempt.place = -1;
  }

  function returned(value: unknown): AttemptEnd {
    try {
      return { kind: "returned", output: encodeJson(value, "output", options.maxPayloadBytes) };
    } catch (thrown) {
      return { kind: "threw", thrown };
    }
  }
}

/** Calls what the user wrote. */
function called(attempt: Attempt, write: (args: TaskArguments) => unknown, args: TaskArguments): unknown {
  return attempt.trace === undefined ? write(args) : calledWithin(attempt.trace, write, args);
}

function calledWithin(trace: AttemptTrace, write: (args: TaskArguments) => unknown, args: TaskArguments): unknown {
  return trace.within(() => write(args));
}

function tracedEnd({ aborted }: Attempt, end: AttemptEnd): TracedEnd {
  switch (end.kind) {
    case "returned":
    case "committed":
      return { kind: "completed" };
    case "declined":
      return { kind: "skipped" };
    case "fenced":
      return { kind: "aborted", reason: aborted?.reason };
    case "threw":
      // A time-out is the attempt's own end, all else that aborts it is its run's.
      return aborted === undefined || aborted.reason instanceof TaskTimeoutError
        ? { kind: "failed", thrown: end.thrown }
        : { kind: "aborted", reason: aborted.reason };
  }
}

/**
 * What a body receives. Every body gets its own copy of each output, read from the stored text: no body can change what
 * another sees, and a resumed run sees the same as an unbroken one.
 */
function argumentsOf(attempt: Attempt, tx?: unknown): TaskArguments {
  const { run, task } = attempt;
  const args = run.plan.newRecord();
  const status = run.plan.newRecord<TaskStatus>();
  for (const dependency of run.plan.dependencies[task]!) {
    const { id } = run.plan.tasks[dependency]!;
    args[id] = decodeJson(run.outputs[dependency], "the output", id);
    status[id] = statusOf(run.progress.tasks[dependency]!);
  }
  args["input"] = decodeJson(run.input, "the input of the run");
  args["ctx"] = attempt.context;
  args["status"] = status;
  if (tx !== undefined) args["tx"] = tx;
  return args as TaskArguments;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (typeof value === "object" || typeof value === "function") && value !== null &&
    typeof (value as { then?: unknown }).then === "function";
}
