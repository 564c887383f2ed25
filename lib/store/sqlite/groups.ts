/**
 * Writes the plain rows of a batch in multi-row statements. In both runtimes a statement call costs about as much as
 * the work of SQLite for a row, and each bound value costs a tenth of that. Rows with the same times and epoch, which
 * are most rows of a commit under load, are written thirty-two per statement, and the statement binds the shared values
 * once. Items of a task also share their run and task. Other plain rows are written sixteen per statement. Larger
 * statements gain nothing, because calls with that many values get slow.
 *
 * Rows that are not plain or do not fill a group are written one per statement. If a group statement does not write all
 * of its rows, for example because another runner owns a run, each row of the group is written again by itself, which
 * determines its verdict.
 *
 * @module
 */
import type { NewRun, RecordWrite, RunMove, RunWrite, StartVerdict, WriteVerdict } from "../port/batch.ts";
import type { ChildSite } from "./children.ts";
import type { Bindable } from "./driver.ts";
import { executeGroup, FIRST_NUMBER, insertOf, insertRun, isPlainStart, type StartSite } from "./inserts.ts";
import type { Session } from "./session.ts";
import { isPlainRecord, lastResultOf } from "../shared/last_result.ts";
import { REPLACE } from "../shared/replace_record.ts";
import { completeRun, completeSql, writeRecord, writeRun } from "./writes.ts";

const SIZE = 16;
const SIZE_ALIKE = 32;

const PLAIN = insertOf({ life: "owned", isPlain: true }, () => "?");
const INSERT = `insert into runs (${PLAIN.columns}) values ${
  rowsOf(PLAIN.row, 3).replace(":number", FIRST_NUMBER).replaceAll(":number", "null")
}`;

const RECORD = recordSql(rowsOf("(?, ?, ?, ?, ?, ?)"));
// Every row of values repeats the shared values. A comparison with a parameter in the "where" instead makes Bun's SQLite
// recompile the statement on each call.
const RECORD_ALIKE = recordSql(rowsOf("(?, $1, ?, $2, $3, ?)", 4, SIZE_ALIKE));

const ITEMS = recordSql(rowsOf("($1, $2, $3, ?, ?, ?, ?)", 4), "column7");
const ITEMS_ALIKE = recordSql(rowsOf("($1, $2, $3, $4, $5, ?, ?)", 6, SIZE_ALIKE), "column7");

const COMPLETE = completeGroupSql(rowsOf("(?, ?, ?, ?, ?, ?)"));
const COMPLETE_ALIKE = completeGroupSql(rowsOf("(?, $1, $2, ?, $3, ?)", 4, SIZE_ALIKE));

/** Inserts the runs of a batch. */
export function insertRuns(session: Session, starts: readonly NewRun[], site: StartSite): StartVerdict[] {
  const verdicts: StartVerdict[] = [];
  while (verdicts.length < starts.length) {
    const from = verdicts.length;
    if (isPlainGroup(starts, from, site)) insertGroup(session, starts, verdicts, site);
    else verdicts.push(insertRun(session, starts[from]!, site));
  }
  return verdicts;
}

/** Writes the writes of a batch. */
export function writeRuns(session: Session, writes: readonly RunWrite[], site: ChildSite): WriteVerdict[] {
  // Groups reorder rows, and the rows of a run must keep their order.
  if (isSmall(writes) || hasTwins(writes)) return writes.map((write) => writeRun(session, write, site));
  const verdicts = new Array<WriteVerdict>(writes.length).fill("accepted");
  const plain: Plain = { writes, at: [], records: [], ends: [], kept: [] };
  for (let at = 0; at < writes.length; at++) {
    const write = writes[at]!;
    if (!isPlainWrite(write)) verdicts[at] = writeRun(session, write, site);
    else if (!addPlain(session, plain, at)) verdicts[at] = "fenced";
  }
  const { ends, kept } = plain;
  const rows = plain.at.map((_, row) => row);
  const items = rows.filter((row) => plain.records[row]!.item >= 0);
  const tasks = items.length === 0 ? rows : rows.filter((row) => plain.records[row]!.item < 0);
  for (const row of [...writeItems(session, plain, items), ...writeTasks(session, plain, tasks)]) {
    const at = plain.at[row]!;
    if (!writeRecord(session, writes[at]!, plain.records[row]!)) verdicts[at] = "fenced";
  }
  const mixedEnds = inGroups(ends, SIZE_ALIKE, (one, other) => areEndsAlike(writes, one, other), (from) => {
    return completeAlike(session, writes, ends, from);
  });
  const oddEnds = inGroups(mixedEnds, SIZE, undefined, (from) => completeMixed(session, writes, mixedEnds, from));
  for (const at of oddEnds) {
    const verdict = completeRun(session, writes[at]!, endOf(writes[at]!));
    if (verdict !== "accepted") verdicts[at] = verdict;
  }
  for (const at of kept) verdicts[at] = writeRun(session, { ...writes[at]!, records: [] }, site);
  return verdicts;
}

/** Writes groups of plain rows of tasks; returns the rows that are left. */
function writeTasks(session: Session, plain: Plain, rows: readonly number[]): readonly number[] {
  const mixed = inGroups(rows, SIZE_ALIKE, (one, other) => areRowsAlike(plain, one, other), (from) => {
    return recordAlike(session, plain, rows, from);
  });
  return inGroups(mixed, SIZE, undefined, (from) => recordMixed(session, plain, mixed, from));
}

/** Writes groups of plain rows of items; returns the rows that are left. */
function writeItems(session: Session, plain: Plain, rows: readonly number[]): readonly number[] {
  const { at, records } = plain;
  const isSameTask = (one: number, other: number): boolean =>
    at[one] === at[other] && records[one]!.task === records[other]!.task;
  const areAlike = (one: number, other: number): boolean => isSameTask(one, other) && areRowsAlike(plain, one, other);
  const mixed = inGroups(rows, SIZE_ALIKE, areAlike, (from) => recordItemsAlike(session, plain, rows, from));
  return inGroups(mixed, SIZE, isSameTask, (from) => recordItems(session, plain, mixed, from));
}

/** The plain rows of a batch, stored as columns: an object for each row would cost garbage collection. */
interface Plain {
  readonly writes: readonly RunWrite[];
  /** For each row, the index of its write. */
  readonly at: number[];
  /** For each row, its journal record. */
  readonly records: RecordWrite[];
  /** The indexes of the writes that complete their runs. */
  readonly ends: number[];
  /** The indexes of the writes that insert child runs, or move their runs otherwise; these keep their owner. */
  readonly kept: number[];
}

/**
 * Adds the plain rows of a write and writes its other rows; returns false if another runner owns the run. This is a
 * function of its own because V8 optimizes code that is called often, and `writeRuns` is called once for each commit: as
 * part of its loop this took 199 of 1,299 ms of JavaScript (`perf record -e cpu-clock` of bench/children/side.ts under
 * Deno, 140,000 chains of three tasks).
 */
function addPlain(session: Session, { writes, at, records, ends, kept }: Plain, index: number): boolean {
  const write = writes[index]!;
  let isOwned = true;
  const last = lastResultOf(write);
  for (const record of write.records) {
    if (record === last) continue;
    if (isPlainRecord(record)) {
      at.push(index);
      records.push(record);
    } else if (!writeRecord(session, write, record)) isOwned = false;
  }
  if (write.move?.to === "completed") ends.push(index);
  else if (write.move !== undefined || write.children !== undefined) kept.push(index);
  return isOwned;
}

/** Inserts the runs of a group, and adds their verdicts to those of the runs before them. */
function insertGroup(session: Session, starts: readonly NewRun[], verdicts: StartVerdict[], site: StartSite): void {
  const from = verdicts.length;
  const values = new Array<Bindable>(2 + PLAIN.given.length * SIZE);
  values[0] = starts[from]!.owner;
  values[1] = site.now;
  let to = 2;
  for (let at = from; at < from + SIZE; at++) {
    for (const { given } of PLAIN.given) values[to++] = given(starts[at]!);
  }
  // A statement assigns consecutive row numbers in the order of its rows.
  const first = executeGroup(session, INSERT, values) - SIZE + 1;
  for (let at = 0; at < SIZE; at++) verdicts.push({ kind: "started", seq: first + at, owned: true, at: site.now });
}

function areRowsAlike({ writes, at, records }: Plain, one: number, other: number): boolean {
  return records[one]!.endedAt === records[other]!.endedAt && records[one]!.startedAt === records[other]!.startedAt &&
    writes[at[one]!]!.epoch === writes[at[other]!]!.epoch;
}

function recordItemsAlike(session: Session, plain: Plain, rows: readonly number[], from: number): boolean {
  const { writes, at, records } = plain;
  const { task, startedAt, endedAt } = records[rows[from]!]!;
  const { seq, epoch } = writes[at[rows[from]!]!]!;
  const values: Bindable[] = [seq, epoch, task, startedAt, endedAt];
  for (const row of rows.slice(from, from + SIZE_ALIKE)) values.push(records[row]!.output, records[row]!.item);
  return session.execute(ITEMS_ALIKE, values).changes === SIZE_ALIKE;
}

function recordItems(session: Session, plain: Plain, rows: readonly number[], from: number): boolean {
  const { writes, at, records } = plain;
  const { seq, epoch } = writes[at[rows[from]!]!]!;
  const values: Bindable[] = [seq, epoch, records[rows[from]!]!.task];
  for (const row of rows.slice(from, from + SIZE)) {
    const { startedAt, endedAt, output, item } = records[row]!;
    values.push(startedAt, endedAt, output, item);
  }
  return session.execute(ITEMS, values).changes === SIZE;
}

function recordAlike(session: Session, plain: Plain, rows: readonly number[], from: number): boolean {
  const { writes, at, records } = plain;
  const values = new Array<Bindable>(3 + 3 * SIZE_ALIKE);
  values[0] = writes[at[rows[from]!]!]!.epoch;
  values[1] = records[rows[from]!]!.startedAt;
  values[2] = records[rows[from]!]!.endedAt;
  let to = 3;
  for (const row of rows.slice(from, from + SIZE_ALIKE)) {
    const { task, output } = records[row]!;
    values[to++] = writes[at[row]!]!.seq;
    values[to++] = task;
    values[to++] = output;
  }
  return session.execute(RECORD_ALIKE, values).changes === SIZE_ALIKE;
}

function recordMixed(session: Session, { writes, at, records }: Plain, rows: readonly number[], from: number): boolean {
  const values: Bindable[] = [];
  for (const row of rows.slice(from, from + SIZE)) {
    const { seq, epoch } = writes[at[row]!]!;
    const { task, startedAt, endedAt, output } = records[row]!;
    values.push(seq, epoch, task, startedAt, endedAt, output);
  }
  return session.execute(RECORD, values).changes === SIZE;
}

function endOf({ move }: RunWrite): number {
  return move?.to === "completed" ? move.at : NaN;
}

function areEndsAlike(writes: readonly RunWrite[], one: number, other: number): boolean {
  const [first, second] = [writes[one]!, writes[other]!];
  return endOf(first) === endOf(second) && first.epoch === second.epoch &&
    lastResultOf(first)?.startedAt === lastResultOf(second)?.startedAt;
}

function completeAlike(session: Session, writes: readonly RunWrite[], ends: readonly number[], from: number): boolean {
  const first = writes[ends[from]!]!;
  const values: Bindable[] = [first.epoch, endOf(first), lastResultOf(first)?.startedAt];
  for (const at of ends.slice(from, from + SIZE_ALIKE)) {
    const last = lastResultOf(writes[at]!);
    values.push(writes[at]!.seq, last?.task, last?.output);
  }
  return session.execute(COMPLETE_ALIKE, values).changes === SIZE_ALIKE;
}

function completeMixed(session: Session, writes: readonly RunWrite[], ends: readonly number[], from: number): boolean {
  const values: Bindable[] = [];
  for (const at of ends.slice(from, from + SIZE)) {
    const write = writes[at]!;
    const last = lastResultOf(write);
    values.push(write.seq, write.epoch, endOf(write), last?.task, last?.startedAt, last?.output);
  }
  return session.execute(COMPLETE, values).changes === SIZE;
}

/**
 * Calls `write` with the index of the first row of each full group of consecutive rows, which are alike if `areAlike` is
 * given; `write` returns whether it wrote every row. Returns the rows of incomplete groups and of groups that were not
 * fully written.
 */
function inGroups(
  rows: readonly number[],
  size: number,
  areAlike: ((one: number, other: number) => boolean) | undefined,
  write: (from: number) => boolean,
): readonly number[] {
  const left: number[] = [];
  for (let from = 0; from < rows.length;) {
    let to = from + 1;
    while (to < rows.length && to - from < size && (areAlike === undefined || areAlike(rows[from]!, rows[to]!))) to++;
    if (to - from < size || !write(from)) { for (let at = from; at < to; at++) left.push(rows[at]!); }
    from = to;
  }
  return left;
}

function isPlainGroup(starts: readonly NewRun[], from: number, site: StartSite): boolean {
  if (from + SIZE > starts.length) return false;
  const { owner } = starts[from]!;
  for (let at = from; at < from + SIZE; at++) {
    if (starts[at]!.owner !== owner || !isPlainStart(starts[at]!, site)) return false;
  }
  return true;
}

/** Whether a run keeps its owner: its rows may be written before its move, in groups. */
function isKept(move: RunMove): boolean {
  return move.to === "running" || (move.to === "waiting" && !move.release);
}

/** Whether the rows of a write may be written in groups, before its child runs and its move. */
function isPlainWrite({ records, move, seen, children }: RunWrite): boolean {
  const isEnd = move?.to === "completed" && children === undefined;
  return seen === undefined && (move === undefined ? records.length > 0 : isEnd || isKept(move)) &&
    (records.every(isPlainRecord) || hasDistinctRows(records));
}

/** Returns whether the records are of distinct rows, so that they can be written in any order. */
function hasDistinctRows(records: readonly RecordWrite[]): boolean {
  // Two records of the same row are not both new.
  if (records.every(({ isNew }) => isNew === true)) return true;
  return new Set(records.map(({ task, item, step }) => JSON.stringify([task, item, step]))).size === records.length;
}

function isSmall(writes: readonly RunWrite[]): boolean {
  return writes.length < SIZE && writes.reduce((rows, { records }) => rows + records.length, 0) < SIZE;
}

function hasTwins(writes: readonly RunWrite[]): boolean {
  const seen = new Set<number>();
  for (const { seq } of writes) seen.add(seq);
  return seen.size < writes.length;
}

function recordSql(rows: string, item = "-1"): string {
  return `
insert into tasks as t (run, task, item, epoch, state, attempts, started_at, ended_at, output)
select seq, column3, ${item}, epoch, 'completed', 1, column4, column5, column6
  from (values ${rows})
 cross join runs
 where seq = column1 and epoch = column2 and owner is not null
${REPLACE}`;
}

function completeGroupSql(rows: string): string {
  const complete = completeSql("column3", ["column4", "column5", "column6"]);
  return `
update runs
   set ${complete.set}
  from (values ${rows})
 where seq = column1 and epoch = column2 and owner is not null and ${complete.where}`;
}

/** Returns a row of values for each row of a group; its `?` parameters are numbered from `$first`. */
function rowsOf(row: string, first = 1, size = SIZE): string {
  let next = first;
  return Array.from({ length: size }, () => row.replaceAll("?", () => `$${next++}`)).join(", ");
}
