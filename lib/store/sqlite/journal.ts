/** Reads of the journal, in slices with a yield to the event loop after each: SQLite runs in the caller's thread. */
import type { Heads, RecordHead } from "../port/batch.ts";
import type { ItemRange } from "../port/item_range.ts";
import type { JournalOutput, OutputsRequest } from "../port/outputs.ts";
import { createSlices, type Slices } from "../shared/breathe.ts";
import { impliedWait, isRunningMap } from "../port/children.ts";
import { SLICE_ROWS } from "../shared/claim_bounds.ts";
import { JOURNAL } from "../shared/last_result.ts";
import { decodeOutput, decodeRecordHead, RECORD_HEAD_COLUMNS } from "../shared/rows.ts";
import type { Row } from "./driver.ts";
import type { Session } from "./session.ts";

const HEADS = `
select ${RECORD_HEAD_COLUMNS}
  from tasks
 where run = $1 and (task, item, step) > ($2, $3, $4)
 order by task, item, step
 limit $5`;

// Items of a task with child runs, whether or not they have rows: a read of those without may be long.
const CHILDREN = `
select parent_item as item, created_at,
       exists (select 1
                 from tasks as t
                where t.run = c.parent and t.task = c.parent_task and t.item = c.parent_item and t.step = '') as is_recorded
  from runs as c
 where parent = $1 and parent_task = $2 and parent_item > $3 and coalesce(superseded, 0) = 0
 order by parent_item
 limit $4`;

/** The first parameters of the queries for outputs: run, task, the item and step after which to read, a range of items. */
// `+` keeps the second lower bound out of the index condition: SQLite uses one of two, and would read from it each time.
const AFTER = "run = $1 and task = $2 and (item, step) > ($3, $4) and +item >= $5 and item <= $6";

const OUTPUTS: Readonly<Record<OutputsRequest["of"], string>> = {
  results: `
select run, task, item, step, output, case when output is null then failures end as failures
  from ${JOURNAL.replaceAll("@", "")} as journal
 where ${AFTER} and step = '' and (output is not null or (item >= 0 and state = 'failed'))
 order by item, step
 limit $7`,
  steps: `
select run, task, item, step, output, null as failures
  from tasks
 where ${AFTER} and step <> '' and output is not null
 order by item, step
 limit $7`,
  input: `
select run, task, item, step, input as output, null as failures
  from tasks
 where ${AFTER} and item = -1 and step = '' and input is not null
 limit $7`,
};

// Outputs can be large, so the size of the first rows of a request determines how many to read at once.
const FIRST_OUTPUTS = 8;

// A read of this many bytes of output takes about as long as a read of a row.
const BYTES_LIKE_A_ROW = 8_192;

/** Reads the journal of a run as a claim returns it. */
export async function readHeads(session: Session, seq: number, slices: Slices): Promise<Heads> {
  const journal: RecordHead[] = [];
  const completedItems: ItemRange[] = [];
  let after: readonly [string, number, string] = ["", -1, ""];
  for (;;) {
    const rows = await session.read("read", () => session.all(HEADS, seq, ...after, SLICE_ROWS));
    for (const row of rows) if (!addCompleted(completedItems, row)) journal.push(decodeRecordHead(row));
    await slices.done(rows.length + 1);
    const last = rows.at(-1);
    if (last === undefined || rows.length < SLICE_ROWS) break;
    after = [String(last["task"]), Number(last["item"]), String(last["step"])];
  }
  for (const { task } of journal.filter(isRunningMap)) {
    for await (const wait of impliedWaits(session, seq, task, slices)) journal.push(wait);
  }
  return { journal, completedItems };
}

/** Yields the items of a task that wait for child runs and have no rows. */
async function* impliedWaits(session: Session, seq: number, task: string, slices: Slices): AsyncGenerator<RecordHead> {
  for (let after = -1;;) {
    const rows = await session.read("read", () => session.all(CHILDREN, seq, task, after, SLICE_ROWS));
    for (const { item, created_at, is_recorded } of rows) {
      after = Number(item);
      if (is_recorded === 0) yield impliedWait(task, after, Number(created_at));
    }
    await slices.done(rows.length + 1);
    if (rows.length < SLICE_ROWS) return;
  }
}

/** Adds a completed item to its range; returns true for its row and for those of its steps, which follow it. */
function addCompleted(ranges: ItemRange[], row: Row): boolean {
  const task = String(row["task"]);
  const item = Number(row["item"]);
  const last = ranges.at(-1);
  if (row["step"] !== "") return last !== undefined && last.task === task && last.last === item;
  if (item < 0 || row["state"] !== "completed") return false;
  if (last !== undefined && last.task === task && last.last === item - 1) {
    ranges[ranges.length - 1] = { ...last, last: item };
  } else ranges.push({ task, first: item, last: item });
  return true;
}

/** Reads outputs from the journals of runs. */
export async function readOutputs(
  session: Session,
  requests: readonly OutputsRequest[],
): Promise<readonly JournalOutput[]> {
  const outputs: JournalOutput[] = [];
  const slices = createSlices();
  for (const { seq, task, of, item } of requests) {
    let after: readonly [number, string] = item === undefined ? [-2, ""] : [item - 1, AFTER_ALL_STEPS];
    let limit = FIRST_OUTPUTS;
    for (;;) {
      const rows = await session.read(
        "read",
        () => session.all(OUTPUTS[of], seq, task, ...after, item ?? -1, item ?? Number.MAX_SAFE_INTEGER, limit),
      );
      const read = rows.map(decodeOutput);
      outputs.push(...read);
      const bytes = read.reduce((sum, { output = "" }) => sum + output.length, 0);
      await slices.done(rows.length + 1 + Math.ceil(bytes / BYTES_LIKE_A_ROW));
      if (rows.length < limit) break;
      after = [read.at(-1)!.item, read.at(-1)!.step];
      limit = bytes < limit * BYTES_LIKE_A_ROW ? Math.min(2 * limit, SLICE_ROWS) : Math.max(1, limit >> 1);
    }
  }
  return outputs;
}

/** Sorts after the names of steps, so that the query begins near the item. */
const AFTER_ALL_STEPS = "\u{10ffff}";
