import type { ErrorRecord, Failure } from "../errors.ts";
import type { JournalRecord, RecordWrite, RunMove } from "../store/batch.ts";
import type { TaskContext } from "../definition/context.ts";
import { progressOf, type Recorded, type RunProgress } from "./progress.ts";
import type { Draft } from "./outbox.ts";
import type { Plan } from "./plan.ts";
import type { AttemptTrace, RunTrace, TracedRun } from "./tracing.ts";

/** A run that this process owns and holds in memory. */
export interface LiveRun {
  /** Its id. */
  readonly id: string;
  /** Its row. */
  readonly seq: number;
  /** The fence for all its writes. */
  readonly epoch: number;
  /** Its workflow, numbered. */
  readonly plan: Plan;
  /** Its input as JSON text. */
  readonly input: string | undefined;
  /** When a runner first took it. */
  readonly begunAt: number | undefined;
  /** When it must have ended; later by as long as it was paused. */
  deadlineAt: number | undefined;
  /** The limit behind it. */
  readonly timeoutMs: number | undefined;
  /** How many runners have died with it. */
  readonly crashes: number;
  /** What the state machine knows of it. */
  readonly progress: RunProgress;
  /** Outputs of completed tasks as JSON text, by task number. */
  readonly outputs: (string | undefined)[];
  /** Failed attempts, by task number. Like the other maps it is made when it is needed: most runs never do. */
  failures: Map<number, readonly Failure[]> | undefined;
  /** When the latest attempt of a task began, by task number. */
  readonly startedAt: (number | undefined)[];
  /** Tasks whose rows in the journal are not terminal, or were there when the run came into memory, by task number. */
  written: Set<number> | undefined;
  /** Outputs of steps as JSON text, which are durable or about to be, by task number and name. */
  steps: Map<string, Promise<string | undefined>> | undefined;
  /** Attempts whose end is not durable, by task number. */
  readonly attempts: (Attempt | undefined)[];
  /** Takes back the timer of a waiting task, by task number, or one of the run's own. */
  timers: Map<number, () => void> | undefined;
  /** What waits to be written and may still grow. */
  draft: LiveDraft | undefined;
  /** Why it is being ended from outside. */
  closing: Closing | undefined;
  /** What its row says. */
  stored: "running" | "waiting";
  /** Whether this process has let go of it: whatever still comes in is ignored. */
  gone: boolean;
  /** Whether what takes it out of memory is on its way to the store: nothing new may happen to it. */
  isLeaving: boolean;
  /** Whether the database refused something of it. */
  isRefused: boolean;
  /** What the last attempt of a failed task threw, for its hook, by task number. */
  thrown: Map<number, unknown> | undefined;
  /** Hooks that have been called and return a promise. */
  hooks: Promise<unknown>[] | undefined;
  /** Where its starter was in a trace. */
  readonly origin: string | undefined;
  /** What follows it, if something does. */
  trace: RunTrace | undefined;
}

/** Why a run is ended from outside. */
export interface Closing {
  /** What its bodies are aborted with. */
  readonly cause: Error;
  /** What a cancelled one is recorded with. */
  readonly reason: string | undefined;
  /** What a failed one is recorded with. */
  readonly error: ErrorRecord | undefined;
}

/** One try at a task. */
export interface Attempt {
  /** Its run. */
  readonly run: LiveRun;
  /** Its task's number. */
  readonly task: number;
  /** Which try, counted from 1. */
  readonly number: number;
  /** `queued` waits for a free place, `over` has ended for the engine, whatever its body still does. */
  stage: "new" | "queued" | "running" | "over";
  /** Its place among the attempts that run; -1 for none. */
  place: number;
  /** When it began. */
  startedAt: number;
  /** What its body and hooks receive. */
  context: AttemptContext | undefined;
  /** Why it was aborted. */
  aborted: { readonly reason: unknown } | undefined;
  /** Takes back its time-out. */
  disarm: (() => void) | undefined;
  /** Whether the journal knows that it runs. */
  isMarked: boolean;
  /** Whether its end is durable already: a transaction has recorded it. */
  isRecorded: boolean;
  /** What `ctx.progress` said last, as JSON text. */
  progress: string | undefined;
  /** What follows it, if something does. */
  trace: AttemptTrace | undefined;
}

/** A context whose signal can be aborted. */
export interface AttemptContext extends TaskContext {
  /** Aborts the signal, whether or not anybody has asked for it. */
  abort(reason: unknown): void;
}

/** What a live run has to write. */
export interface LiveDraft extends Draft {
  /** The run. */
  readonly run: LiveRun;
  /** Who waits for it: told when it is durable, or why it is not. */
  waiting: { readonly done: () => void; readonly failed: (error: Error) => void }[] | undefined;
}

/** What is known of a run when it comes into memory. */
export interface Arrival {
  readonly id: string;
  readonly seq: number;
  readonly epoch: number;
  readonly input: string | undefined;
  readonly startedAt: number | undefined;
  readonly deadlineAt: number | undefined;
  readonly timeoutMs: number | undefined;
  readonly crashes: number;
  readonly trace: string | undefined;
  readonly journal: readonly JournalRecord[];
}

/** Brings a run into memory. */
export function liveRun(plan: Plan, arrival: Arrival): LiveRun {
  const { journal } = arrival;
  const own = journal.length === 0 ? journal : ownRows(plan, journal);
  const run: LiveRun = {
    id: arrival.id,
    seq: arrival.seq,
    epoch: arrival.epoch,
    plan,
    input: arrival.input,
    begunAt: arrival.startedAt,
    deadlineAt: arrival.deadlineAt,
    timeoutMs: arrival.timeoutMs,
    crashes: arrival.crashes,
    progress: own.length === 0 ? progressOf(plan) : progressOf(plan, recordedBy(plan, own)),
    outputs: new Array(plan.tasks.length).fill(undefined),
    failures: undefined,
    startedAt: new Array(plan.tasks.length).fill(undefined),
    written: own.length === 0 ? undefined : new Set(own.map(({ task }) => plan.numbers.get(task)!)),
    steps: undefined,
    attempts: new Array(plan.tasks.length).fill(undefined),
    timers: undefined,
    draft: undefined,
    closing: undefined,
    stored: "running",
    gone: false,
    isLeaving: false,
    isRefused: false,
    thrown: undefined,
    hooks: undefined,
    origin: arrival.trace,
    trace: undefined,
  };
  for (const record of own) {
    const number = plan.numbers.get(record.task)!;
    run.outputs[number] = record.output;
    run.startedAt[number] = record.startedAt;
    if (record.failures.length > 0) (run.failures ??= new Map()).set(number, record.failures);
  }
  for (const { task, step, output } of journal) {
    const number = plan.numbers.get(task);
    if (number !== undefined && step !== "") {
      (run.steps ??= new Map()).set(stepKey(number, step), Promise.resolve(output));
    }
  }
  return run;
}

function ownRows(plan: Plan, journal: readonly JournalRecord[]): readonly JournalRecord[] {
  return journal.filter((record) => isOfTask(record) && plan.numbers.has(record.task));
}

/** Whether a row says how far a task itself is, not one of its items or steps. */
export function isOfTask({ item, step }: JournalRecord): boolean {
  return item === -1 && step === "";
}

/** The next try at a task. */
export function newAttempt(run: LiveRun, task: number): Attempt {
  return {
    run,
    task,
    number: run.progress.tasks[task]!.attempts,
    stage: "new",
    place: -1,
    startedAt: 0,
    context: undefined,
    aborted: undefined,
    disarm: undefined,
    isMarked: false,
    isRecorded: false,
    progress: undefined,
    trace: undefined,
  };
}

/** What is told of a run to what follows it. */
export function tracedRun({ id, plan, epoch, origin }: LiveRun): TracedRun {
  const { name, version } = plan.workflow;
  return { runId: id, workflow: name, version, epoch, trace: origin };
}

/** Where a step is remembered. */
export function stepKey(task: number, name: string): string {
  return `${task} ${name}`;
}

/** The row of a task as it is now. */
export function recordOf(run: LiveRun, number: number, now: number): RecordWrite {
  const task = run.progress.tasks[number]!;
  const isOver = task.state === "completed" || task.state === "failed" || task.state === "skipped";
  return {
    task: run.plan.tasks[number]!.id,
    item: -1,
    step: "",
    state: task.state,
    attempts: task.attempts,
    output: run.outputs[number],
    failures: run.failures?.get(number) ?? NO_FAILURES,
    reason: task.reason,
    startedAt: run.startedAt[number],
    endedAt: isOver ? now : undefined,
    dueAt: task.state === "waiting" ? task.dueAt : undefined,
    progress: run.attempts[number]?.progress,
    isNew: run.written?.has(number) !== true,
  };
}

/** The row of a task as it will be when its attempt, which is a transaction, is committed with `output`. */
export function committedRecord({ run, task }: Attempt, output: string | undefined, now: number): RecordWrite {
  return { ...recordOf(run, task, now), state: "completed", output, reason: undefined, endedAt: now };
}

/** The row of a step that has completed. */
export function stepRecord(attempt: Attempt, name: string, output: string | undefined, now: number): RecordWrite {
  return {
    task: attempt.run.plan.tasks[attempt.task]!.id,
    item: -1,
    step: name,
    state: "completed",
    attempts: attempt.number,
    output,
    failures: NO_FAILURES,
    reason: undefined,
    startedAt: attempt.startedAt,
    endedAt: now,
    dueAt: undefined,
    progress: undefined,
    // Steps in the journal were read when the run came into memory, and no step is recorded twice.
    isNew: true,
  };
}

/** Whether what becomes of a run takes it out of memory. */
export function isFarewell(move: RunMove): boolean {
  return move.to !== "running" && (move.to !== "waiting" || move.release);
}

const NO_FAILURES: readonly Failure[] = [];

function recordedBy(plan: Plan, journal: readonly JournalRecord[]): readonly Recorded[] {
  return journal.map((record) => recorded(plan, record));
}

function recorded(plan: Plan, record: JournalRecord): Recorded {
  // No row says `cancelled`; one that did would be a task to run again.
  const state = record.state === "cancelled" ? "pending" : record.state;
  return {
    task: plan.numbers.get(record.task)!,
    state,
    // The attempt that was under way when the runner died does not count.
    attempts: state === "running" ? record.attempts - 1 : record.attempts,
    dueAt: record.dueAt,
    reason: record.reason,
  };
}
