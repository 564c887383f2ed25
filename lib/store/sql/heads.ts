/**
 * Rows of the journal as the inspector shows them: with the beginnings of outputs, and with failures as far as a number of
 * bytes lasts. Of long outputs and failures only the sizes are read first.
 *
 * @module
 */
import type { Row } from "../shared/decode.ts";
import type { HeadsQuery, ItemHeadsQuery, JournalHead, JournalHeads } from "../port/inspection.ts";
import { JOURNAL, LAST_RESULTS } from "../shared/last_result.ts";
import { decodeShownHead, RECORD_COLUMNS } from "../shared/rows.ts";
import { type Dialect, texts } from "./dialect.ts";
import { all, type Op } from "./operation.ts";
import { withImpliedWaits } from "./implied_waits.ts";
import { itemsOf } from "./runs.ts";
import { taskIds } from "./task_ids.ts";
import { raw, type Sql, sql } from "./statement.ts";
import { isStorable } from "./texts.ts";

// In bytes. Of more failures of a task the latest is read.
const LONGEST_FAILURES = 32_768;

// In bytes. Longer failures of tasks are read in the order of their ids, up to a number of bytes in all.
const SHORT_FAILURES = 1_024;
const MOST_FAILURE_BYTES = 4 * 1_024 * 1_024;

/** The tasks and steps of a run. A task without an output and with failures that were not read seems to have none. */
export function* readHeads(db: Dialect, seq: number, query: HeadsQuery): Op<JournalHeads> {
  const columns = columnsOf(query);
  const found = yield* all(sql`
with recursive ${taskIds(sql`${seq}`)}
select *
  from (select *
          from (${columns}
                  from ids
                 cross join @tasks
                 where run = ${seq} and task = id and item = -1
                 ${db.inOrder("task, step")}
                 limit ${query.rows + 1}) as recorded
         union all
        ${columns}
          from (${raw(LAST_RESULTS)}) as last
         where run = ${seq}) as journal
 order by task, step
 limit ${query.rows + 1}`);
  const heads = yield* completed(db, seq, found.slice(0, query.rows), query);
  return { heads, isTruncated: found.length > query.rows };
}

/** Items of a task, in ascending order. */
export function* readItemHeads(db: Dialect, query: ItemHeadsQuery): Op<readonly JournalHead[]> {
  if (!isStorable(query.task)) return [];
  const found = yield* all(sql`${columnsOf(query)} ${itemsOf(query)}`);
  const heads = yield* completed(db, query.seq, found, query);
  return yield* withImpliedWaits(query, heads, (wait) => ({ ...wait, outputBytes: undefined }));
}

/** What is read of long values. */
type Lengths = Pick<HeadsQuery, "characters" | "bytes">;

function columnsOf({ characters }: Pick<Lengths, "characters">): Sql {
  const columns = RECORD_COLUMNS.split(", ").filter((name) => name !== "output" && name !== "failures").join(", ");
  return sql`
select ${raw(columns)},
       case when octet_length(output) <= ${characters} then output end as output,
       octet_length(output) as output_bytes,
       case when octet_length(failures) <= ${SHORT_FAILURES} then failures end as failures,
       octet_length(failures) as failure_bytes`;
}

/** Reads the beginnings of long outputs, and long failures, as far as the bytes last. */
function* completed(
  db: Dialect,
  seq: number,
  rows: readonly Row[],
  { characters, bytes }: Lengths,
): Op<readonly JournalHead[]> {
  const outputs = yield* readLong(db, seq, {
    rows: longRows(rows, "output_bytes", { above: characters, most: bytes }),
    value: sql`substr(output, 1, ${characters})`,
  });
  const failures = yield* readLong(db, seq, {
    rows: longRows(rows, "failure_bytes", { above: SHORT_FAILURES, most: MOST_FAILURE_BYTES }),
    value: sql`case when octet_length(failures) > ${LONGEST_FAILURES} then ${db.lastOf("failures")} else failures end`,
  });
  return rows.map((row) =>
    decodeShownHead({
      ...row,
      output: outputs.get(keyOf(row)) ?? row["output"],
      failures: failures.get(keyOf(row)) ?? row["failures"],
    })
  );
}

/** The first rows with more bytes than `above` in a column that have at most `most` bytes in all. */
function longRows(
  rows: readonly Row[],
  column: string,
  { above, most }: { readonly above: number; readonly most: number },
): readonly Row[] {
  let left = most;
  return rows.filter((row) => {
    const size = Math.min(Number(row[column] ?? 0), column === "failure_bytes" ? LONGEST_FAILURES : Infinity);
    if (size <= above || size > left) return false;
    left -= size;
    return true;
  });
}

/** A value of some rows of a run, by `keyOf`. */
function* readLong(
  db: Dialect,
  seq: number,
  { rows, value }: { readonly rows: readonly Row[]; readonly value: Sql },
): Op<ReadonlyMap<string, string>> {
  if (rows.length === 0) return new Map();
  const keys = db.rows("long", {
    task: texts(rows.map((row) => String(row["task"]))),
    item: { type: "integer", items: rows.map((row) => Number(row["item"])) },
    step: texts(rows.map((row) => String(row["step"]))),
  });
  const read = yield* all(sql`
select task, item, step, ${value} as value
  from ${raw(JOURNAL)} as journal
 where run = ${seq} and (task, item, step) in (select task, item, step from ${keys})`);
  return new Map(read.map((row) => [keyOf(row), String(row["value"])]));
}

function keyOf(
  { task, item, step }: { readonly task?: unknown; readonly item?: unknown; readonly step?: unknown },
): string {
  return JSON.stringify([task, item, step]);
}
