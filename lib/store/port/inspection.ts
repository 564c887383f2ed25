/**
 * The queries of the inspector. The work of every query is bounded, independent of the number of runs: without a
 * suitable index, a query reads a limited number of rows, and its result reports how far it got.
 *
 * @module
 */
import type { JournalRecord, RunState, Served, TaskState } from "./batch.ts";
import type { ListedRun, ListQuery } from "./listing.ts";

/** A number of rows; `isCapped` if counting stopped at that number. */
export interface Capped {
  /** The number of rows that were counted. */
  readonly count: number;
  /** Whether more rows exist. */
  readonly isCapped: boolean;
}

/** Counts of runs. */
export interface Tally {
  /** Live and unsuccessful runs by state, each counted up to a limit. */
  readonly states: Readonly<Record<Exclude<RunState, "completed">, Capped>>;
  /** Due runs without an owner. */
  readonly backlog: Capped;
  /** The due time of the run that has been due longest in the backlog. */
  readonly oldestDueAt: number | undefined;
  /** The number of all runs: exact if `sample` is empty, otherwise approximate. */
  readonly total: number;
  /** Runs by state in samples from the whole table; empty if the table is small enough to be counted. */
  readonly sample: Readonly<Partial<Record<RunState, number>>>;
}

/** The filters and the budget of a search. */
export interface SearchQuery extends ListQuery {
  /** The maximum number of rows to read. */
  readonly budget: number;
}

/** The result of a search. */
export interface Search {
  /** The runs found, newest first. */
  readonly runs: readonly ListedRun[];
  /** Where the search stopped when it had spent its budget: the row number and `createdAt` of the last run that it read. */
  readonly stoppedAt: { readonly seq: number; readonly createdAt: number } | undefined;
}

/** A row of the journal with a truncated output. */
export interface JournalHead extends JournalRecord {
  /** The size of the whole output in bytes; `undefined` for none. */
  readonly outputBytes: number | undefined;
}

/** The journal of a run with truncated outputs. */
export interface JournalHeads {
  /** The rows of the journal, with truncated outputs. */
  readonly heads: readonly JournalHead[];
  /** Whether the journal has more rows. */
  readonly isTruncated: boolean;
}

/** The limits of a read of a journal. */
export interface HeadsQuery {
  /** The maximum number of rows. */
  readonly rows: number;
  /** The maximum number of characters of each output. */
  readonly characters: number;
  /** The maximum bytes of all outputs that are read to truncate them; for outputs beyond it, only the size is returned. */
  readonly bytes: number;
}

/** The items of a task to read, with the limits of the read. */
export interface ItemHeadsQuery extends Pick<HeadsQuery, "characters" | "bytes"> {
  /** The row number of the run. */
  readonly seq: number;
  /** The task. */
  readonly task: string;
  /** Only items in this state. @default {undefined} in any state */
  readonly state?: TaskState | undefined;
  /** Only items with a higher number. */
  readonly after: number;
  /** Only items up to this number. */
  readonly until: number;
  /** The maximum number of items. */
  readonly limit: number;
}

/** The tasks and items whose child runs to read: each of these items of each of these tasks. */
export interface TaskChildrenQuery {
  /** The row number of the parent run. */
  readonly parent: number;
  /** The tasks. */
  readonly tasks: readonly string[];
  /** The numbers of the items; -1 for the tasks themselves. */
  readonly items: readonly number[];
}

/** The name of a payload of a run. */
export type PayloadName =
  | { readonly kind: "input" }
  | { readonly kind: "output"; readonly task: string; readonly item: number; readonly step: string };

/** A definition without its graph. */
export interface DefinitionRow extends Served {
  /** The content hash of the workflow without its code. */
  readonly structure: string;
  /** When the definition was stored. */
  readonly createdAt: number;
}

/** The state and the times of a run. */
export interface Outline extends Served {
  /** The row number of the run. */
  readonly seq: number;
  /** The state of the run. */
  readonly state: RunState;
  /** When the run was created. */
  readonly createdAt: number;
  /** When the run was first owned. */
  readonly startedAt: number | undefined;
  /** When the run ended. */
  readonly endedAt: number | undefined;
}

/** The state and the times of a task. */
export interface Timing {
  /** The id of the task. */
  readonly task: string;
  /** The state of the task. */
  readonly state: TaskState;
  /** The number of attempts started so far. */
  readonly attempts: number;
  /** When the latest attempt started. */
  readonly startedAt: number | undefined;
  /** When the task ended. */
  readonly endedAt: number | undefined;
}

/** Which failed runs to group, and how far to look. */
export interface FailuresQuery {
  /** Only runs of this workflow. */
  readonly workflow: string | undefined;
  /** Only runs that ended at or after this time. */
  readonly endedSince: number | undefined;
  /** Whether runs with the same message are a group, or those of the same workflow. */
  readonly by: "error" | "workflow";
  /** The maximum number of failed runs to read, the newest first. */
  readonly budget: number;
  /** The maximum number of groups. */
  readonly limit: number;
}

/** Failed runs with the same error, or of the same workflow. */
export interface FailureGroup {
  /** The first line of `name: message`, at most 300 characters; `undefined` for a group by workflow. */
  readonly error: string | undefined;
  /** The number of runs. */
  readonly runs: number;
  /** The workflows of the runs, that of the newest run first; at most three. */
  readonly workflows: readonly string[];
  /** The id of the run that was inserted last. */
  readonly latestId: string;
  /** When the first of the runs ended. */
  readonly firstEndedAt: number;
  /** When the last of the runs ended. */
  readonly lastEndedAt: number;
}

/** Groups of failed runs. */
export interface Failures {
  /** The largest groups, the largest first. */
  readonly groups: readonly FailureGroup[];
  /** The number of groups. */
  readonly groupCount: number;
  /** The number of runs that were grouped. */
  readonly runs: number;
  /** Whether failed runs exist beyond the budget. */
  readonly isCapped: boolean;
}

/** A span of time, divided into buckets of equal length. */
export interface OutcomesQuery {
  /** Where the first bucket starts. */
  readonly since: number;
  /** The length of a bucket in milliseconds. */
  readonly bucketMs: number;
  /** The number of buckets. */
  readonly buckets: number;
}

/** How many runs ended in each bucket of a span of time. */
export interface Outcomes {
  /** Completed runs. */
  readonly completed: readonly number[];
  /** Failed runs. */
  readonly failed: readonly number[];
  /** Cancelled runs. */
  readonly cancelled: readonly number[];
  /** Whether so many runs were inserted that the completed ones are estimated from a sample, or some others are not counted. */
  readonly isEstimated: boolean;
}

/** The queries of the inspector. */
export interface Inspection {
  /** Returns the counts of runs, each state counted up to `most`. */
  tally(most: number): Promise<Tally>;
  /**
   * Returns runs, newest first, like `list()`, but with bounded work. `since` and `until` are located by binary search,
   * which requires rows to be in the order of their times: around a clock that was set back by more than two seconds,
   * the search may miss runs.
   */
  search(query: SearchQuery): Promise<Search>;
  /** Returns runs whose id or key starts with `text`; matches by id come first. */
  find(text: string, limit: number): Promise<readonly ListedRun[]>;
  /** Returns the forks of a run, newest first. */
  forks(id: string, limit: number): Promise<readonly ListedRun[]>;
  /** Returns a run by its row number, such as the parent of another run; `undefined` if it does not exist. */
  bySeq(seq: number): Promise<ListedRun | undefined>;
  /**
   * Returns child runs of a run, those of retried tasks included: failed ones first, then those that have not ended, then
   * by task and item. Of more than 5,000 only the first by task and item are read.
   */
  children(parent: number, limit: number): Promise<readonly ListedRun[]>;
  /** Returns the child runs of tasks or items, those of retried ones included, in the order of their start. */
  taskChildren(query: TaskChildrenQuery): Promise<readonly ListedRun[]>;
  /**
   * Returns the journal of a run, without items and their steps, with truncated outputs. Of a task with more than 32 kB of failures the latest is
   * returned; after 4 MB of failures in all, tasks whose failures have more than 1 kB are returned without them.
   */
  heads(seq: number, query: HeadsQuery): Promise<JournalHeads>;
  /** Returns recorded items of a task without their steps, in ascending order, truncated like `heads()`. */
  items(query: ItemHeadsQuery): Promise<readonly JournalHead[]>;
  /** Returns a whole payload as JSON text; `undefined` for none. */
  payload(seq: number, name: PayloadName): Promise<string | undefined>;
  /** Returns at most `limit` stored definitions, ordered by workflow and version. */
  definitions(limit: number): Promise<readonly DefinitionRow[]>;
  /** Returns the size of a stored definition in bytes; `undefined` if it is not stored. */
  definitionBytes(of: Served): Promise<number | undefined>;
  /** Returns at most `limit` stored definitions of a workflow, the latest first. */
  versions(workflow: string, limit: number): Promise<readonly DefinitionRow[]>;
  /** Returns the latest runs of a workflow, or of all if `undefined`; reads at most `budget` runs and returns at most `limit`. */
  latest(workflow: string | undefined, limit: number, budget: number): Promise<readonly Outline[]>;
  /** Returns the times of at most `limit` tasks of the runs, without steps. */
  timings(seqs: readonly number[], limit: number): Promise<readonly Timing[]>;
  /** Returns the number of runs that each runner owns; counts at most `most` runs in total. */
  owned(most: number): Promise<{ readonly counts: ReadonlyMap<number, number>; readonly isCapped: boolean }>;
  /** Returns the number of recorded tasks of owned runs by state; counts at most `most` runs and `most` tasks. */
  heldTasks(most: number): Promise<ReadonlyMap<TaskState, number>>;
  /** Returns failed runs in groups. */
  failures(query: FailuresQuery): Promise<Failures>;
  /**
   * Returns how many runs ended when, for each of the spans. Of completed runs those count that were inserted in the span, or as
   * long before it as it lasts: 16,384 of them, or a sample of as many. Of failed and of cancelled runs the 5,000 newest
   * count.
   */
  outcomes(spans: readonly OutcomesQuery[]): Promise<readonly Outcomes[]>;
  /** Returns a change token for lists of runs: a text that differs after a change of any listed value. */
  pulse(): Promise<string>;
  /** Returns change tokens for runs by id, without runs that do not exist. */
  pulses(ids: readonly string[]): Promise<ReadonlyMap<string, { readonly text: string; readonly isOver: boolean }>>;
}
