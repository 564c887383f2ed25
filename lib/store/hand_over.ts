/**
 * What must hold whenever a run changes hands or ends, for both databases. Each statement that clears `owner` takes its
 * assignments from here, so that whatever depends on ownership is added once.
 *
 * @module
 */

/** How a run is released. All members are SQL. */
export interface ReleaseSql {
  /** The time. */
  readonly now: string;
  /** The run's state, unless it is paused or ends. */
  readonly state: string;
  /** When it is due. */
  readonly dueAt: string;
  /** How many changes from outside its owner has seen. @default {"acknowledged"} */
  readonly seen?: string;
}

/**
 * The assignments of an update that releases runs. A run of which a cancel is recorded ends, as no owner is left to end
 * it; a run that was changed from outside without its owner's knowledge is due at once, so that no wake-up is lost.
 */
export function releaseSql({ now, state, dueAt, seen = "acknowledged" }: ReleaseSql): string {
  return `owner = null,
       state = case when cancel_at is not null then 'cancelled' when state = 'paused' then 'paused' else ${state} end,
       ended_at = case when cancel_at is not null then ${now} end,
       due_at = case when attention > ${seen} then ${now} else ${dueAt} end,
       acknowledged = attention`;
}

/** How a run ends. All members are SQL. */
export interface EndSql {
  /** The final state. */
  readonly state: string;
  /** The time of the end. */
  readonly at: string;
  /** Why it was cancelled. @default {"null"} */
  readonly reason?: string;
}

/** The assignments of an update that ends runs. */
export function endSql({ state, at, reason = "null" }: EndSql): string {
  return `owner = null,
       state = ${state},
       ended_at = ${at},
       reason = ${reason},
       acknowledged = attention`;
}

/**
 * The condition under which a run may end as completed. A cancel that has resolved stands: its owner must
 * end it as cancelled instead.
 */
export const MAY_COMPLETE = "cancel_at is null";
