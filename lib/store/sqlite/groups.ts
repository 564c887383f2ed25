/**
 * The plain part of a batch, in statements for sixteen rows each: in either runtime the call of a statement costs about
 * as much as what SQLite does for a row. More than sixteen gain no more, as calls with so many values get slow.
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

const INSERT = `
insert into runs (epoch, owner, state, id, workflow, version, priority, due_at, created_at, started_at, input)
values ${rowsOf("(1, $1, 'running', ?, ?, ?, 0, $2, $2, $2, ?)", 3)}`;

const RECORD = `
insert into tasks (run, task, part, epoch, state, attempts, started_at, ended_at, output)
select seq, column3, '', epoch, 'completed', 1, column4, column5, column6
  from (values ${rowsOf("(?, ?, ?, ?, ?, ?)")})
 cross join runs
 where seq = column1 and epoch = column2 and owner is not null
${UNLESS_TERMINAL}`;

const COMPLETE = `
update runs
   set state = 'completed', owner = null, ended_at = column3, reason = null
  from (values ${rowsOf("(?, ?, ?)")})
 where seq = column1 and epoch = column2 and owner is not null`;

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
  inGroups(records, (group) => recordGroup(session, group), ({ at, write, record }) => {
    if (!writeRecord(session, write, record)) verdicts[at] = "fenced";
  });
  inGroups(ends, (group) => completeGroup(session, group), ({ at, write, endedAt }) => {
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
  const first = session.run(INSERT, ...values).lastInsertRowid - SIZE + 1;
  return Array.from({ length: SIZE }, (_, at) => ({ kind: "started", seq: first + at, owned: true, at: site.now }));
}

function recordGroup(session: Session, group: readonly PlainRecord[]): boolean {
  const values: Bindable[] = [];
  for (const { write: { seq, epoch }, record: { task, startedAt, endedAt, output } } of group) {
    values.push(seq, epoch, task, startedAt, endedAt, output);
  }
  return session.run(RECORD, ...values).changes === SIZE;
}

function completeGroup(session: Session, group: readonly PlainEnd[]): boolean {
  const values: Bindable[] = [];
  for (const { write: { seq, epoch }, endedAt } of group) values.push(seq, epoch, endedAt);
  return session.run(COMPLETE, ...values).changes === SIZE;
}

/** Full groups go to `all`, which says whether every row was taken; the rest, and what was not, row by row to `one`. */
function inGroups<Row>(
  rows: readonly Row[],
  all: (group: readonly Row[]) => boolean,
  one: (row: Row) => void,
): void {
  for (let from = 0; from < rows.length; from += SIZE) {
    const group = rows.slice(from, from + SIZE);
    if (group.length < SIZE || !all(group)) group.forEach(one);
  }
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

/** A row of values for each of a group, its `?` numbered from `$first` on. */
function rowsOf(row: string, first = 1): string {
  let next = first;
  return Array.from({ length: SIZE }, () => row.replaceAll("?", () => `$${next++}`)).join(", ");
}
