/**
 * What the inspector asks of a store. Every question does an amount of work that is bounded, however many runs there are:
 * where no index answers it, a number of rows is looked at, and the answer says how far that went.
 *
 * @module
 */
import type { JournalRecord, RunState, Served, TaskState } from "./batch.ts";
import type { ListedRun, ListQuery } from "./listing.ts";

/** A number of rows; `isCapped` if counting stopped there. */
export interface Capped {
  /** How many were counted. */
  readonly count: number;
  /** Whether there are more. */
  readonly isCapped: boolean;
}

/** How many runs there are. */
export interface Tally {
  /** Live and unsuccessful runs by state, each counted up to a limit. */
  readonly states: Readonly<Record<Exclude<RunState, "completed">, Capped>>;
  /** Runs that nobody owns and that are due. */
  readonly backlog: Capped;
  /** Since when the one of them that has waited longest is due. */
  readonly oldestDueAt: number | undefined;
  /** All runs: how many there are, if `sample` is empty, or about how many. */
  readonly total: number;
  /** Runs by state in samples from all over the table; empty where it is small enough to be counted. */
  readonly sample: Readonly<Partial<Record<RunState, number>>>;
}

/** Which runs to look for. */
export interface SearchQuery extends ListQuery {
  /** How many rows may be looked at. */
  readonly budget: number;
}

/** Runs that were found. */
export interface Search {
  /** Newest first. */
  readonly runs: readonly ListedRun[];
  /** Where the search stopped because its budget was spent: the number of the last run looked at, and its `createdAt`. */
  readonly stoppedAt: { readonly seq: number; readonly createdAt: number } | undefined;
}

/** A row of the journal whose output is cut. */
export interface JournalHead extends JournalRecord {
  /** Bytes of the whole output; `undefined` for none. */
  readonly outputBytes: number | undefined;
}

/** A run's journal in short. */
export interface JournalHeads {
  /** Its rows, with outputs cut. */
  readonly heads: readonly JournalHead[];
  /** Whether there are more rows. */
  readonly isTruncated: boolean;
}

/** How much of a journal to read. */
export interface HeadsQuery {
  /** How many rows at most. */
  readonly rows: number;
  /** Characters of each output. */
  readonly characters: number;
  /** Bytes of outputs that may be read in all to cut them; of what is beyond only the size is told. */
  readonly bytes: number;
}

/** One of a run's payloads. */
export type PayloadName =
  | { readonly kind: "input" }
  | { readonly kind: "output"; readonly task: string; readonly item: number; readonly step: string };

/** A definition without its graph. */
export interface DefinitionRow extends Served {
  /** The same hash without code. */
  readonly structure: string;
  /** When it was stored. */
  readonly createdAt: number;
}

/** A run of which only the times are asked for. */
export interface Outline extends Served {
  /** Its row number. */
  readonly seq: number;
  /** Where it is. */
  readonly state: RunState;
  /** When it was inserted. */
  readonly createdAt: number;
  /** When it was first owned. */
  readonly startedAt: number | undefined;
  /** When it ended. */
  readonly endedAt: number | undefined;
}

/** A task of which only the times are asked for. */
export interface Timing {
  /** Its id. */
  readonly task: string;
  /** Where it is. */
  readonly state: TaskState;
  /** Attempts begun. */
  readonly attempts: number;
  /** When the latest one began. */
  readonly startedAt: number | undefined;
  /** When it ended. */
  readonly endedAt: number | undefined;
}

/** Questions of the inspector. */
export interface Inspection {
  /** How many runs there are, each state counted up to `most`. */
  tally(most: number): Promise<Tally>;
  /**
   * Runs, newest first, as `list()` has them, but with a bounded amount of work. `since` and `until` are found by halving,
   * which takes rows to stand in the order of their times: around a clock that was set back by more than two seconds runs may
   * be missed.
   */
  search(query: SearchQuery): Promise<Search>;
  /** Runs whose id or key begins like this; those by id first. */
  find(text: string, limit: number): Promise<readonly ListedRun[]>;
  /** Runs that were forked from one, newest first. */
  forks(id: string, limit: number): Promise<readonly ListedRun[]>;
  /** A run's journal with outputs cut. */
  heads(seq: number, query: HeadsQuery): Promise<JournalHeads>;
  /** A whole payload as JSON text; `undefined` if there is none. */
  payload(seq: number, name: PayloadName): Promise<string | undefined>;
  /** Stored definitions by workflow and version; at most `limit`. */
  definitions(limit: number): Promise<readonly DefinitionRow[]>;
  /** Stored definitions of a workflow, the latest first; at most `limit`. */
  versions(workflow: string, limit: number): Promise<readonly DefinitionRow[]>;
  /** The latest runs, of one workflow or (`undefined`) of all; at most `budget` are looked at and `limit` answered. */
  latest(workflow: string | undefined, limit: number, budget: number): Promise<readonly Outline[]>;
  /** Times of the tasks of some runs, steps left out; at most `limit`. */
  timings(seqs: readonly number[], limit: number): Promise<readonly Timing[]>;
  /** How many runs each runner owns; at most `most` are counted in all. */
  owned(most: number): Promise<{ readonly counts: ReadonlyMap<number, number>; readonly isCapped: boolean }>;
  /** Recorded tasks of the runs that runners own, by state; of at most `most` runs, and as many tasks. */
  heldTasks(most: number): Promise<ReadonlyMap<TaskState, number>>;
  /** A text that differs when something has changed of which lists of runs tell. */
  pulse(): Promise<string>;
  /** The same for some runs; a run that is not there is left out. */
  pulses(ids: readonly string[]): Promise<ReadonlyMap<string, { readonly text: string; readonly isOver: boolean }>>;
}
