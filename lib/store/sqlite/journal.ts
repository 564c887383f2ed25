/** Reads of the journal, in slices with a yield to the event loop after each: SQLite runs in the caller's thread. */
import type { JournalOutput, OutputsRequest, RecordHead } from "../batch.ts";
import { createSlices, type Slices } from "../breathe.ts";
import { SLICE_ROWS } from "../claim_bounds.ts";
import { decodeOutput, decodeRecordHead, RECORD_HEAD_COLUMNS } from "../rows.ts";
import type { Session } from "./session.ts";

const HEADS = `
select ${RECORD_HEAD_COLUMNS}
  from tasks
 where run = $1 and (task, item, step) > ($2, $3, $4)
 order by task, item, step
 limit $5`;

const OUTPUTS = `
select run, task, item, step, output
  from tasks
 where run = $1 and task = $2 and (item, step) > ($3, $4) and (step <> '') = $5 and output is not null
 order by item, step
 limit $6`;

// Outputs can be large, so the size of the first rows of a request determines how many to read at once.
const FIRST_OUTPUTS = 8;

// A read of this many bytes of output takes about as long as a read of a row.
const BYTES_LIKE_A_ROW = 8_192;

/** Reads the journal of a run without outputs. */
export async function readHeads(session: Session, seq: number, slices: Slices): Promise<readonly RecordHead[]> {
  const heads: RecordHead[] = [];
  let after: readonly [string, number, string] = ["", -1, ""];
  for (;;) {
    const rows = await session.read("read", () => session.all(HEADS, seq, ...after, SLICE_ROWS));
    for (const row of rows) heads.push(decodeRecordHead(row));
    await slices.done(rows.length + 1);
    if (rows.length < SLICE_ROWS) return heads;
    const last = heads.at(-1)!;
    after = [last.task, last.item, last.step];
  }
}

/** Reads outputs from the journals of runs. */
export async function readOutputs(
  session: Session,
  requests: readonly OutputsRequest[],
): Promise<readonly JournalOutput[]> {
  const outputs: JournalOutput[] = [];
  const slices = createSlices();
  for (const { seq, task, of } of requests) {
    let after: readonly [number, string] = [-2, ""];
    let limit = FIRST_OUTPUTS;
    for (;;) {
      const rows = await session.read(
        "read",
        () => session.all(OUTPUTS, seq, task, ...after, Number(of === "steps"), limit),
      );
      const read = rows.map(decodeOutput);
      outputs.push(...read);
      const bytes = read.reduce((sum, { output }) => sum + output.length, 0);
      await slices.done(rows.length + 1 + Math.ceil(bytes / BYTES_LIKE_A_ROW));
      if (rows.length < limit) break;
      after = [read.at(-1)!.item, read.at(-1)!.step];
      limit = bytes < limit * BYTES_LIKE_A_ROW ? Math.min(2 * limit, SLICE_ROWS) : Math.max(1, limit >> 1);
    }
  }
  return outputs;
}
