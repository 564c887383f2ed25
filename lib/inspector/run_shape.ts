/**
 * The shape of a run's page. The conventions of shapes.ts apply.
 *
 * @module
 */
import type { Reason } from "../engine/reading/explain.ts";
import type { TaskInfo } from "../engine/reading/run_reader.ts";
import type { UndoInfo } from "../engine/reading/undo_info.ts";
import type { ErrorRecord } from "../errors.ts";
import type { TaskState } from "../store/port/batch.ts";
import type { ActionLink } from "./actions.ts";
import type { MapDetail } from "./map_shape.ts";
import type { Answer, Graph, RunLink, RunSummary } from "./shapes.ts";

/** A payload: an input or an output. */
export interface Payload {
  /** Its JSON text, or the beginning of it, with what `redact` hides replaced by `"[redacted]"`. */
  readonly text: string;
  /** Bytes of the whole, before anything was hidden. */
  readonly bytes: number;
  /** Whether `text` is only the beginning; it may be empty then, where a run has many large outputs. */
  readonly isTruncated: boolean;
  /** Where the whole is to be had. */
  readonly href: string;
}

/** An attempt of a task. */
export interface AttemptDetail {
  /** Which, counted from 1. */
  readonly number: number;
  /** How it went. `interrupted`: its runner died or was stopped, or a pause came. */
  readonly state: "running" | "completed" | "failed" | "cancelled" | "interrupted";
  /** When it began; `undefined` if it was not recorded. */
  readonly startedAt: number | undefined;
  /** When it ended; `undefined` if it runs, or if it was not recorded. */
  readonly endedAt: number | undefined;
  /** What it threw. */
  readonly error: ErrorRecord | undefined;
}

/** A named, memoised piece of a task that has completed. */
export interface StepDetail {
  /** Its name. */
  readonly name: string;
  /** When it ended. */
  readonly endedAt: number | undefined;
  /** What it answered. */
  readonly output: Payload | undefined;
}

/** The undo of a task whose run is compensated. */
export interface UndoDetail extends
  Pick<
    UndoInfo,
    "state" | "attempts" | "reason" | "error" | "startedAt" | "endedAt" | "dueAt" | "progress"
  > {
  /** Its attempts, oldest first; of more than ten failed ones the first and the nine latest. */
  readonly history: readonly AttemptDetail[];
}

/** A task of a run. The graph contains its dependencies. */
export interface TaskDetail extends
  Pick<
    TaskInfo,
    "id" | "kind" | "state" | "attempts" | "reason" | "error" | "startedAt" | "endedAt" | "dueAt" | "progress"
  > {
  /** Its output, if it completed and has one. */
  readonly output: Payload | undefined;
  /** Its attempts, oldest first; of more than ten failed ones the first and the nine latest. */
  readonly history: readonly AttemptDetail[];
  /** Its completed steps, by when they ended; at most a hundred. */
  readonly steps: readonly StepDetail[];
  /** The items of a map whose array is computed. */
  readonly items?: MapDetail | undefined;
  /** The child run that it started; after a retry the latest. */
  readonly child?: RunLink | undefined;
  /** Links to tools of the user. @default {[]} */
  readonly actions?: readonly ActionLink[];
  /** Its undo, once the compensation of the run has reached it. */
  readonly undo: UndoDetail | undefined;
}

/** An event of a run, derived from its rows. */
export interface RunPageEvent {
  /** When. */
  readonly at: number;
  /**
   * `run.created`, `run.started`, `run.completed`, `run.failed`, `run.cancelled`, `task.started`, `task.completed`,
   * `task.failed`, `task.retrying`, `task.skipped`, `step.completed`, `undo.started`, `undo.completed`, `undo.failed`,
   * `undo.retrying`, and the rare facts `fact.cancel`, `fact.pause`,
   * `fact.resume`, `fact.recovery`, `fact.retry`, `fact.stranded`, `fact.handBack`, `fact.claim`.
   */
  readonly kind: string;
  /** The task concerned. */
  readonly taskId: string | undefined;
  /** Which attempt. */
  readonly attempt: number | undefined;
  /** In words. */
  readonly detail: string | undefined;
}

/** Why a run is not progressing. */
export interface ExplanationDetail {
  /** Every reason, the decisive one first; `kind` is `ended`, `task`, `timer`, `limit`, `paused`, `version`, `runner`, … */
  readonly reasons: readonly (Omit<Reason, "runId" | "limit"> & {
    /** The child run that it is about. */
    readonly run?: RunLink | undefined;
  })[];
  /** The reasons as one sentence. */
  readonly summary: string;
}

/** `/runs/:id` and `/api/runs/:id`: one run. */
export interface RunPage extends Answer {
  /** The run. */
  readonly run: RunSummary & {
    /** What it was started with. */
    readonly input: Payload | undefined;
    /** When it must have ended. */
    readonly deadlineAt: number | undefined;
    /** The limit for its duration. */
    readonly timeoutMs: number | undefined;
    /** Why it failed, in full. */
    readonly error: ErrorRecord | undefined;
    /** The version that could not go on with it. */
    readonly strandedBy: string | undefined;
    /** How often it has changed hands. */
    readonly epoch: number;
  };
  /** Its graph, as its version was defined. */
  readonly graph: Graph;
  /** The tasks of `graph`, in its order, also those of which nothing is recorded. */
  readonly tasks: readonly TaskDetail[];
  /** How many tasks are in each state, those that `graph` leaves out included. */
  readonly taskCounts: Readonly<Record<TaskState, number>>;
  /** Whether so much is recorded of the run that not all of it is here. */
  readonly isTruncated: boolean;
  /** What is left out of a very large run, in a sentence. */
  readonly leftOut?: string;
  /** What has happened, oldest first. */
  readonly events: readonly RunPageEvent[];
  /** Why it is not further, or what it is at. */
  readonly explanation: ExplanationDetail;
  /** Related runs. */
  readonly links: {
    /** The run it was forked from. */
    readonly forkedFrom: RunLink | undefined;
    /** Runs that were forked from it, newest first; at most a hundred. */
    readonly forks: readonly RunLink[];
    /** The run that started it as a child run. */
    readonly parent: RunLink | undefined;
    /** Its child runs: failed ones first, then those that have not ended; at most a hundred. */
    readonly children: readonly RunLink[];
  };
  /** Links to tools of the user. */
  readonly actions: readonly ActionLink[];
  /** The page of its workflow. */
  readonly workflowHref: string;
}
