/**
 * The SQL assignments that release or end a run, for both databases. Each statement that clears `owner` uses these
 * assignments, so that every column that depends on ownership is handled in one file.
 *
 * @module
 */

import type { RunMove, RunWrite } from "../port/batch.ts";
import { WAITS_FOR_CHILD } from "../port/children.ts";
import type { Closing } from "../port/listing.ts";

/** The values of the column `closing`. */
export const CLOSINGS: readonly Closing[] = ["cancel", "cancelOnly", "undoFailed", "undoCancelled"];

/** The fields of a run that say how it is being ended. */
export interface ClosingRun {
  readonly closing: Closing | undefined;
  readonly endedAt: number | undefined;
}

/** Whether the compensation of a run has begun; it may have ended. */
export function wasCompensated({ closing }: Pick<ClosingRun, "closing">): boolean {
  return closing === "undoFailed" || closing === "undoCancelled";
}

/** Whether the compensation of a run has begun and not ended. */
export function isCompensating(run: ClosingRun): boolean {
  return run.endedAt === undefined && wasCompensated(run);
}

/** Whether a cancel of a run is recorded that its owner has yet to carry out. */
export function isCancelling({ closing, endedAt }: ClosingRun): boolean {
  return endedAt === undefined && (closing === "cancel" || closing === "cancelOnly");
}

/** The fields of a run that say whether it is held. */
export interface HeldRun extends ClosingRun {
  readonly owner: number | undefined;
}

/**
 * Whether a run is held: it has no owner, and its cancel is recorded, which ends it after its descendants. It is paused
 * until then, so that no runner claims it. All other runs without an owner end with their cancel.
 */
export function isHeld(run: HeldRun): boolean {
  return run.owner === undefined && isCancelling(run);
}

/** The condition that a run that has not ended is held. */
export const IS_HELD = "(owner is null and closing is not null and (closing = 'cancel' or closing = 'cancelOnly'))";

/** The condition that the compensation of a run has begun; also true of a run that has ended after it. */
export function isUndoingSql(alias = ""): string {
  return `(${alias}closing = 'undoFailed' or ${alias}closing = 'undoCancelled')`;
}

/** The state of a run as it is reported. */
export const SHOWN_STATE: string =
  `case when ${isUndoingSql()} and (state = 'pending' or state = 'running' or state = 'waiting') then 'compensating' ` +
  "else state end";

/**
 * The condition that a run may have something to undo: by its workflow, and as a runner has owned it. `at` stands before
 * the names of tables, and `run` is the name of the run's row.
 */
export function mayUndoSql(at: "@" | "", run = "runs"): string {
  return `(${run}.epoch > 0 and exists (select 1
                               from ${at}workflows as w
                              where w.workflow = ${run}.workflow and w.version = ${run}.version and w.compensates = 1))`;
}

/**
 * The condition that a run without an owner may have something to undo: as before, and as a task or an item has completed,
 * or may have a child run. Not for a run with an owner, which may yet write such a row.
 */
export function hasEffectsSql(at: "@" | "", run = "runs"): string {
  return `(${mayUndoSql(at, run)}
           and exists (select 1
                         from ${at}tasks as t
                        where t.run = ${run}.seq and t.step = '' and t.epoch > 0
                          and (t.state = 'completed' or t.items is not null
                               or (t.state = 'waiting' and t.reason = '${WAITS_FOR_CHILD}'))))`;
}

/** The parameters of a release. All members are SQL expressions. */
export interface ReleaseSql {
  /** The current time. */
  readonly now: string;
  /** The next state of the run, unless it is paused or ends. */
  readonly state: string;
  /** When the run becomes due. */
  readonly dueAt: string;
  /** The number of external changes that the owner has seen. @default {"acknowledged"} */
  readonly seen?: string;
  /** What stands before the names of tables. */
  readonly at: "@" | "";
}

/**
 * Returns the assignments of an update that releases runs. The compensation of a run with a recorded cancel begins or, if
 * it has nothing to undo, the run ends, because no owner remains to do either. A run with external changes that its owner has not seen is due immediately, so that no wake-up is lost.
 */
export function releaseSql({ now, state, dueAt, seen = "acknowledged", at }: ReleaseSql): string {
  const ends = `closing = 'cancelOnly' or (closing = 'cancel' and not ${mayUndoSql(at)})`;
  return `owner = null,
       state = case when ${ends} then 'cancelled'
                    when closing = 'cancel' then 'pending'
                    when state = 'paused' then 'paused'
                    else ${state} end,
       ended_at = case when ${ends} then ${now} end,
       due_at = case when attention > ${seen} or closing = 'cancel' then ${now} else ${dueAt} end,
       closing = case when closing = 'cancel' and ${mayUndoSql(at)} then 'undoCancelled' else closing end,
       acknowledged = attention`;
}

/** The parameters of an end. All members are SQL expressions. */
export interface EndSql {
  /** The final state. */
  readonly state: string;
  /** The time of the end. */
  readonly at: string;
  /** The reason for a cancel. @default {"null"} */
  readonly reason?: string;
}

/** Returns the assignments of an update that ends runs. */
export function endSql({ state, at, reason = "null" }: EndSql): string {
  return `owner = null,
       state = ${state},
       ended_at = ${at},
       reason = ${reason},
       acknowledged = attention`;
}

/** Returns whether a move may end its run: a run with a recorded cancel can end when it is released. */
export function mayEnd(move: RunMove | undefined): boolean {
  return move !== undefined && move.to !== "running" && (move.to !== "waiting" || move.release);
}

/** Parents, and the epochs under which their owners wrote that they own them. */
export interface HeldParents {
  readonly seqs: readonly number[];
  readonly epochs: readonly number[];
}

/** Whether the run of a write has a parent. Most have none: then nothing is to be done about parents. */
export function hasParent({ parent }: RunWrite): boolean {
  return parent !== undefined;
}

/** Returns the parents of the runs of a batch that need not be woken if they are still owned under these epochs. */
export function heldParents(writes: readonly RunWrite[]): HeldParents {
  const epochs = new Map<number, number>();
  for (const { parent, parentHeldAs } of writes) {
    if (parent !== undefined && parentHeldAs !== undefined) epochs.set(parent, parentHeldAs);
  }
  // One of its children has to wake it.
  for (const { parent, parentHeldAs, move } of writes) {
    if (parent !== undefined && parentHeldAs === undefined && mayEnd(move)) epochs.delete(parent);
  }
  return { seqs: [...epochs.keys()], epochs: [...epochs.values()] };
}

/** Returns the numbers of the runs of a batch that have a parent and may end with it. */
export function endingChildren(writes: readonly RunWrite[]): number[] {
  const ending: number[] = [];
  for (const { seq, parent, move } of writes) if (parent !== undefined && mayEnd(move)) ending.push(seq);
  return ending;
}

/**
 * The condition under which a run may end as completed. A recorded cancel is final: the run must end as cancelled
 * instead.
 */
export const MAY_COMPLETE = "closing is null";

/**
 * The condition under which a run may end as failed. A run with a recorded cancel ends as cancelled, as its failure may
 * be a consequence of the cancel: its child runs were cancelled with it. A run that is compensated has failed before.
 */
export const MAY_FAIL: string = mayFailSql();

/** The same for a row with an alias. */
export function mayFailSql(alias = ""): string {
  return `(${alias}closing is null or ${isUndoingSql(alias)})`;
}
