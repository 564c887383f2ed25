import type { NewRun, RecordWrite, StartVerdict } from "../port/batch.ts";
import { createIsPlain, type GivenColumn, type RunColumns, startValues } from "../shared/columns.ts";
import { IS_COPIED } from "../shared/copied.ts";
import { replaceSql, withoutDebounce } from "../shared/debounce.ts";
import type { Debounce } from "../port/debounced.ts";
import { JOURNAL } from "../shared/last_result.ts";
import { RUN_COLUMNS } from "../shared/run_columns.ts";
import { HAS_ACTIVE_KEY, HAS_KEY, holdsKeySql } from "../sql/sources.ts";
import type { Bindable, Row } from "./driver.ts";
import { faultOf } from "./faults.ts";
import type { Session } from "./session.ts";

const hasNoOptions = createIsPlain(RUN_COLUMNS);

// SQLite numbers a run after the newest one. So that no number is used twice, in which case a late owner of the first
// run could write into the second one, a deletion of the newest run leaves a mark (see prune.ts). `autoincrement`
// instead would write a page more with each commit that starts runs.
const MARK = "select cast(value as integer) from meta where key = 'next_run'";

/** The number of the next run after a deletion of the newest one; otherwise null. */
const NEXT_NUMBER = `(${MARK} and cast(value as integer) > (select coalesce(max(seq), 0) from runs))`;

/** The same for the first run of a group: a statement that read `runs` would gather its rows before it inserts them. */
export const FIRST_NUMBER = `(${MARK})`;

const DELETE_USED_MARK = `
delete from meta
 where key = 'next_run' and cast(value as integer) <= (select max(seq) from runs)`;

/** The columns of runs that are not debounced, as nearly all are. */
export const PLAIN_COLUMNS: RunColumns = withoutDebounce(RUN_COLUMNS);

// Nearly every run is owned by the runner that starts it and has no options. Most of the cost of a statement is the
// binding of its values, so this statement binds as few as possible.
const INSERT_PLAIN = insertSql({ life: "owned", isPlain: true });

// A key and a parent are the only reasons for which a run may exist already. A run that a body starts, and that exists,
// has both its key and its id.
const UNLESS_THERE = `
on conflict (id) do nothing
on conflict (workflow, key) where ${HAS_KEY} do nothing
on conflict (workflow, key, coalesce(key_freed, 0)) where ${HAS_ACTIVE_KEY} do nothing
on conflict (parent, parent_task, parent_item, coalesce(superseded, 0)) where parent is not null do nothing`;
const INSERT_DEBOUNCED = insertSql(
  { life: "pending", isPlain: false, columns: RUN_COLUMNS },
  `\n${replaceSql({ now: "$2", run: "runs" })}`,
);
const INSERT_OWNED = insertSql({ life: "owned", isPlain: false }, UNLESS_THERE);
const INSERT_PENDING = insertSql({ life: "pending", isPlain: false }, UNLESS_THERE);

// No owner has epoch 0: the initial results of a fork do not count as its own progress.
const INSERT_RECORD = `
insert into tasks (run, task, item, step, epoch, state, attempts, started_at, ended_at, due_at, output, failures, reason,
                   progress, items, input)
values ($1, $2, $3, $4, 0, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`;

const COPY_RECORDS = `
insert into tasks (run, task, item, step, epoch, state, attempts, started_at, ended_at, due_at, output, failures, reason,
                   progress, items, input)
select $1, task, item, step, 0, state, attempts, started_at, ended_at, due_at, output, failures, reason, progress, items,
       input
  from ${JOURNAL.replaceAll("@", "")} as journal
 where run = $2 and task in (select value from json_each($3)) and ${IS_COPIED}`;

const BY_KEY = `select id from runs where ${holdsKeySql({ workflow: "$1", key: "$2", scope: "ever" })}`;

// A body that is repeated finds the run that it has started by its id, also if it has freed its key.
const BY_ACTIVE_KEY = `
select id
  from runs
 where id = $3 or (${holdsKeySql({ workflow: "$1", key: "$2", scope: "active" })})
 order by id <> $3
 limit 1`;

const BY_DEBOUNCE_KEY = `
select seq, id, due_at
  from runs
 where debouncing is not null and workflow = $1 and debouncing = $2`;

const BY_PARENT =
  `select id from runs where parent = $1 and parent_task = $2 and parent_item = $3 and superseded is null`;

/** The owners and the time of inserted runs. */
export interface StartSite {
  /** The runners that may own runs; the run of any other runner is inserted as pending. */
  readonly owners: ReadonlySet<number>;
  /** The current time of the store's clock. */
  readonly now: number;
}

/** An insert of a run: $1 is the owner, $2 the time, and the values of the columns in `given` follow. */
export interface RunInsert {
  /** The columns of the insert. */
  readonly columns: string;
  /** A row of SQL values, in which `:number` stands for the number of the run. */
  readonly row: string;
  /** The columns whose given values are bound, in order. */
  readonly given: readonly GivenColumn[];
}

/** Which runs an insert is for. */
interface InsertKind {
  /** Whether they are owned. */
  readonly life: "owned" | "pending";
  /** Whether they have no options. */
  readonly isPlain: boolean;
  /** The columns that they may have. @default {PLAIN_COLUMNS} */
  readonly columns?: RunColumns;
}

/** Returns the insert of runs; that of plain runs binds no options. `parameter` writes a parameter. */
export function insertOf(
  { life, isPlain, columns = PLAIN_COLUMNS }: InsertKind,
  parameter: (index: number) => string,
): RunInsert {
  const bound: GivenColumn[] = [];
  const values = startValues(columns, life, {
    owner: "$1",
    now: "$2",
    given(column) {
      if (isPlain && column.plain !== undefined) return String(column.plain.value ?? null);
      if (!bound.includes(column)) bound.push(column);
      return parameter(3 + bound.indexOf(column));
    },
  });
  return {
    columns: ["seq", ...values.keys()].join(", "),
    row: `(:number, ${[...values.values()].join(", ")})`,
    given: bound,
  };
}

function insertSql(
  kind: InsertKind,
  conflict = "",
): { readonly sql: string; readonly given: readonly GivenColumn[] } {
  const { columns, row, given } = insertOf(kind, (index) => `$${index}`);
  return { sql: `insert into runs (${columns}) values ${row.replace(":number", NEXT_NUMBER)}${conflict}`, given };
}

/**
 * Executes an insert of a group of runs, of which the first has `FIRST_NUMBER`. If a run has that number by now, the mark
 * is deleted, and the statement is executed again.
 */
export function executeGroup(session: Session, sql: string, values: Bindable[]): number {
  try {
    return session.execute(sql, values).lastInsertRowid;
  } catch (error) {
    if (faultOf(error) !== "values" || session.run(DELETE_USED_MARK).changes === 0) throw error;
    return session.execute(sql, values).lastInsertRowid;
  }
}

/** Inserts a run and the initial results of a fork. */
export function insertRun(session: Session, run: NewRun, site: StartSite): StartVerdict {
  if (run.debounce !== undefined) return insertDebounced(session, run, run.debounce, site);
  const { now } = site;
  const owned = isOwned(run, site);
  const { sql, given } = !owned ? INSERT_PENDING : hasNoOptions(run) ? INSERT_PLAIN : INSERT_OWNED;
  const values: Bindable[] = [owned ? run.owner : undefined, now];
  for (const column of given) values.push(column.given(run));
  const { changes, lastInsertRowid } = session.run(sql, ...values);
  if (changes === 0) {
    const existing = readExisting(session, run);
    if (existing !== undefined) return { kind: "existing", id: String(existing["id"]) };
  }
  for (const record of run.fork?.journal ?? []) session.run(INSERT_RECORD, lastInsertRowid, ...recordValues(record));
  if (run.fork?.copy !== undefined) {
    session.run(COPY_RECORDS, lastInsertRowid, run.fork.copy.seq, JSON.stringify(run.fork.copy.tasks));
  }
  return { kind: "started", seq: lastInsertRowid, owned, at: now };
}

/** Inserts a debounced run, or replaces the pending run with its debounce key. */
function insertDebounced(session: Session, run: NewRun, { key }: Debounce, { now }: StartSite): StartVerdict {
  const values: Bindable[] = [undefined, now];
  for (const column of INSERT_DEBOUNCED.given) values.push(column.given(run));
  session.run(INSERT_DEBOUNCED.sql, ...values);
  const row = session.get(BY_DEBOUNCE_KEY, run.workflow, key);
  return row?.["id"] === run.id
    ? { kind: "started", seq: Number(row["seq"]), owned: false, at: now }
    : { kind: "replaced", id: String(row?.["id"]), dueAt: Number(row?.["due_at"]) };
}

function readExisting(session: Session, { id, workflow, key, keyScope, parent }: NewRun): Row | undefined {
  if (key !== undefined && keyScope === "active") return session.get(BY_ACTIVE_KEY, workflow, key, id);
  const sameKey = key === undefined ? undefined : session.get(BY_KEY, workflow, key);
  if (sameKey !== undefined || parent === undefined) return sameKey;
  return session.get(BY_PARENT, parent.run, parent.task, parent.item);
}

/** Returns whether the starting runner owns the run and the run has no options. */
export function isPlainStart(run: NewRun, site: StartSite): boolean {
  return isOwned(run, site) && hasNoOptions(run);
}

function isOwned({ owner, fork }: NewRun, { owners }: StartSite): boolean {
  return owner !== undefined && !fork && owners.has(owner);
}

/** Returns the values of a journal row except its run and epoch, in the column order of the inserts. */
export function recordValues(record: RecordWrite): Bindable[] {
  return [
    record.task,
    record.item,
    record.step,
    record.state,
    record.attempts,
    record.startedAt,
    record.endedAt,
    record.dueAt,
    record.output,
    record.failures.length === 0 ? undefined : JSON.stringify(record.failures),
    record.reason,
    record.progress,
    record.items,
    record.input,
  ];
}
