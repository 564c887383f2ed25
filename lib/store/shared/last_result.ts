/**
 * The last result of a run that completes is stored in the run's own row. The end of the run changes that row anyway, so
 * that one row of the journal less is written. On Postgres a queued run of one task writes 961 instead of 1,121 bytes to the
 * log (tests/floors_test.ts).
 *
 * Only a run that completes has such a result, and whatever begins it anew moves the result to the table first (see
 * sql/last_result.ts). So queries about runs that go on read the table `tasks`, and queries about any run read
 * `JOURNAL`, which unites both.
 *
 * @module
 */
import type { JournalRecord, RecordWrite, RunWrite } from "../port/batch.ts";

// In characters. A larger output is a row of the table: on Postgres, the new version of the run's row would not fit into
// the page of the old one, and an index entry for it costs more than the row in the table.
const LONGEST_OUTPUT = 256;

/** Returns whether a record contains only that a task or item completed on its first attempt, and its output. */
export function isPlainRecord(record: JournalRecord): boolean {
  return record.state === "completed" && record.attempts === 1 && record.step === "" &&
    record.failures.length === 0 && record.reason === undefined && record.dueAt === undefined &&
    record.progress === undefined && record.items === undefined;
}

/** Returns the record of a write that is written to the row of its run, and not to the table. */
export function lastResultOf({ records, move }: RunWrite): RecordWrite | undefined {
  if (move?.to !== "completed") return undefined;
  const last = records[records.length - 1];
  return last !== undefined && last.isNew === true && last.item < 0 && last.endedAt === move.at &&
      (last.output?.length ?? 0) <= LONGEST_OUTPUT && isPlainRecord(last)
    ? last
    : undefined;
}

const COLUMNS =
  "run, task, item, step, epoch, state, attempts, started_at, ended_at, due_at, output, failures, reason, " +
  "progress, items, input";

/** The last results in rows of runs, as rows of the journal. */
export const LAST_RESULTS = `select seq as run, last_task as task, -1 as item, '' as step, epoch, 'completed' as state,
       1 as attempts, last_started_at as started_at, ended_at, cast(null as bigint) as due_at, last_output as output,
       cast(null as text) as failures, cast(null as text) as reason, cast(null as text) as progress,
       cast(null as integer) as items, cast(null as text) as input
  from @runs
 where last_task is not null`;

/**
 * A query of the rows of the table and the last results, both as `t`. For joins on Postgres, which hands constants down
 * to the parts of `JOURNAL`, but no columns of other tables, and would read both tables from end to end.
 */
export function journalSql(
  { select = COLUMNS, where }: { readonly select?: string; readonly where: string },
): string {
  return `
select ${select}
  from @tasks as t
 where ${where}
 union all
select ${select}
  from (${LAST_RESULTS}) as t
 where ${where}`;
}

/** The rows of the table and the last results, after `from`. */
export const JOURNAL = `(
select ${COLUMNS}
  from @tasks
 union all
select ${COLUMNS}
  from (${LAST_RESULTS}) as last)`;
