/**
 * The plain part of a batch, in statements for many rows each: in either runtime the call of a statement costs about as
 * much as what SQLite does for a row, and each value that it binds a tenth of that. So rows that have their times and
 * epoch in common, as most of a commit under load do, go out thirty-two to a statement that binds those once; other
 * rows sixteen to a statement. Larger ones gain no more, as calls with so many values get slow.
 *
 * What is not plain, or left over, is written one by one. So is a group of which not every row was taken, as one is
 * when another runner owns a run: then each row finds out for itself.
 *
 * @module
 */
import type { JournalRecord, NewRun, RunWrite, StartVerdict, WriteVerdict } from "../batch.ts";
import type { Bindable } from "./driver.ts";
import { insertRun, isPlainStart, type StartSite } from "./inserts.ts";
import type { Session } from "./session.ts";
import { completeRun, isPlainRecord, UNLESS_TERMINAL, writeRecord, writeRun } from "./writes.ts";

const SIZE = 16;
const SIZE_ALIKE = 32;

const INSERT = `
insert into runs (epoch, owner, state, id, workflow, version, priority, due_at, created_at, started_at, input)
values ${rowsOf("(1, $1, 'running', ?, ?, ?, 0, $2, $2, $2, ?)", 3)}`;

const RECORD = recordSql(rowsOf("(?, ?, ?, ?, ?, ?)"));
// What the rows have in common stands in each of them as a value: compared with a parameter in the "where", it makes
// Bun's SQLite compile the statement anew at each call.
const RECORD_ALIKE = recordSql(rowsOf("(?, $1, ?, $2, $3, ?)", 4, SIZE_ALIKE));

const COMPLETE = completeSql(rowsOf("(?, ?, ?)"));
const COMPLETE_ALIKE = completeSql(rowsOf("(?, $1, $2)", 3, SIZE_ALIKE));

/** Inserts the runs of a batch. */
export function insertRuns(session: Session, starts: readonly NewRun[], site: StartSite): StartVerdict[] {
  const verdicts: StartVerdict[] = [];
  while (verdicts.length < starts.length) {
    const from = verdicts.length;
    if (isPlainGroup(starts, from, site)) verdicts.push(...insertGroup(session, starts, from, site));
    else verdicts.push(insertRun(session, starts[from]!, site));
  }
  return verdicts;
}

/** Writes the writes of a batch. */
export function writeRuns(session: Session, writes: readonly RunWrite[], now: number): WriteVerdict[] {
  // Groups take rows out of their order, which the rows of one run have to keep.
  if (isSmall(writes) || hasTwins(writes)) return writes.map((write) => writeRun(session, write, now));
  const verdicts = new Array<WriteVerdict>(writes.length).fill("accepted");
  const records: PlainRecord[] = [];
  const ends: PlainEnd[] = [];
  for (let at = 0; at < writes.length; at++) {
    const write = writes[at]!;
    if (!isPlainWrite(write)) {
      verdicts[at] = writeRun(session, write, now);
      continue;
    }
    for (const record of write.records) records.push({ at, write, record });
    if (write.move?.to === "completed") ends.push({ at, write, endedAt: write.move.at });
  }
  const mixedRecords = inGroups(records, SIZE_ALIKE, areRecordsAlike, (group) => recordAlike(session, group));
  inGroups(mixedRecords, SIZE, undefined, (group) => recordMixed(session, group)).forEach(({ at, write, record }) => {
    if (!writeRecord(session, write, record)) verdicts[at] = "fenced";
  });
  const mixedEnds = inGroups(ends, SIZE_ALIKE, areEndsAlike, (group) => completeAlike(session, group));
  inGroups(mixedEnds, SIZE, undefined, (group) => completeMixed(session, group)).forEach(({ at, write, endedAt }) => {
    if (!completeRun(session, write, endedAt)) verdicts[at] = "fenced";
  });
  return verdicts;
}

interface PlainRecord {
  readonly at: number;
  readonly write: RunWrite;
  readonly record: JournalRecord;
}

interface PlainEnd {
  readonly at: number;
  readonly write: RunWrite;
  readonly endedAt: number;
}

function insertGroup(session: Session, starts: readonly NewRun[], from: number, site: StartSite): StartVerdict[] {
  const values: Bindable[] = [starts[from]!.owner, site.now];
  for (let at = from; at < from + SIZE; at++) {
    const { id, workflow, version, input } = starts[at]!;
    values.push(id, workflow, version, input);
  }
  // A statement numbers its rows one after the other, in the order in which it names them.
  const first = session.execute(INSERT, values).lastInsertRowid - SIZE + 1;
  return Array.from({ length: SIZE }, (_, at) => ({ kind: "started", seq: first + at, owned: true, at: site.now }));
}

function areRecordsAlike(one: PlainRecord, other: PlainRecord): boolean {
  return one.record.endedAt === other.record.endedAt && one.record.startedAt === other.record.startedAt &&
    one.write.epoch === other.write.epoch;
}

function recordAlike(session: Session, group: readonly PlainRecord[]): boolean {
  const { write: { epoch }, record: { startedAt, endedAt } } = group[0]!;
  const values: Bindable[] = [epoch, startedAt, endedAt];
  for (const { write, record } of group) values.push(write.seq, record.task, record.output);
  return session.execute(RECORD_ALIKE, values).changes === group.length;
}

function recordMixed(session: Session, group: readonly PlainRecord[]): boolean {
  const values: Bindable[] = [];
  for (const { write: { seq, epoch }, record: { task, startedAt, endedAt, output } } of group) {
    values.push(seq, epoch, task, startedAt, endedAt, output);
  }
  return session.execute(RECORD, values).changes === group.length;
}

function areEndsAlike(one: PlainEnd, other: PlainEnd): boolean {
  return one.endedAt === other.endedAt && one.write.epoch === other.write.epoch;
}

function completeAlike(session: Session, group: readonly PlainEnd[]): boolean {
  const { write: { epoch }, endedAt } = group[0]!;
  const values: Bindable[] = [epoch, endedAt];
  for (const { write } of group) values.push(write.seq);
  return session.execute(COMPLETE_ALIKE, values).changes === group.length;
}

function completeMixed(session: Session, group: readonly PlainEnd[]): boolean {
  const values: Bindable[] = [];
  for (const { write: { seq, epoch }, endedAt } of group) values.push(seq, epoch, endedAt);
  return session.execute(COMPLETE, values).changes === group.length;
}

/**
 * Hands full groups of rows that follow each other, and are alike if that is asked for, to `write`, which says whether
 * every row was taken. Answers the rows of which that cannot be said.
 */
function inGroups<Row>(
  rows: readonly Row[],
  size: number,
  areAlike: ((one: Row, other: Row) => boolean) | undefined,
  write: (group: readonly Row[]) => boolean,
): readonly Row[] {
  const left: Row[] = [];
  for (let from = 0; from < rows.length;) {
    const first = rows[from]!;
    let to = from + 1;
    while (to < rows.length && to - from < size && (areAlike === undefined || areAlike(first, rows[to]!))) to++;
    const group = rows.slice(from, to);
    if (group.length < size || !write(group)) left.push(...group);
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

function isPlainWrite({ records, move }: RunWrite): boolean {
  return (move === undefined ? records.length > 0 : move.to === "completed") && records.every(isPlainRecord);
}

function isSmall(writes: readonly RunWrite[]): boolean {
  return writes.length < SIZE && writes.reduce((rows, { records }) => rows + records.length, 0) < SIZE;
}

function hasTwins(writes: readonly RunWrite[]): boolean {
  const seen = new Set<number>();
  for (const { seq } of writes) seen.add(seq);
  return seen.size < writes.length;
}

function recordSql(rows: string): string {
  return `
insert into tasks (run, task, part, epoch, state, attempts, started_at, ended_at, output)
select seq, column3, '', epoch, 'completed', 1, column4, column5, column6
  from (values ${rows})
 cross join runs
 where seq = column1 and epoch = column2 and owner is not null
${UNLESS_TERMINAL}`;
}

function completeSql(rows: string): string {
  return `
update runs
   set state = 'completed', owner = null, ended_at = column3, reason = null
  from (values ${rows})
 where seq = column1 and epoch = column2 and owner is not null`;
}

/** A row of values for each of a group, its `?` numbered from `$first` on. */
function rowsOf(row: string, first = 1, size = SIZE): string {
  let next = first;
  return Array.from({ length: size }, () => row.replaceAll("?", () => `$${next++}`)).join(", ");
}
