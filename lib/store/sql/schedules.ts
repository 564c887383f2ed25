import type { NewRun } from "../port/batch.ts";
import { createReader, isTexts, type Row } from "../shared/decode.ts";
import { decodeListedRun, LISTED_COLUMNS } from "../shared/run_rows.ts";
import type { ListedRun } from "../port/listing.ts";
import type { ScheduleQuery, ScheduleRow, ScheduleStore, ScheduleVerdict, ScheduleWrite } from "../port/schedules.ts";
import { type Dialect, texts } from "./dialect.ts";
import { notify } from "./facts.ts";
import { insertRuns } from "./insert_runs.ts";
import { all, change, type Database, type Op, transaction, write } from "./operation.ts";
import { raw, type Sql, sql } from "./statement.ts";
import { isStorable } from "./texts.ts";

const schedules = createReader("schedules");
const readKind = schedules.oneOf(["schedule", "poll"] as const, "a kind of schedule");
const readState = schedules.oneOf(["active", "paused"] as const, "a state of a schedule");

const readNames = createReader("runners").json(isTexts);

/** Stands for no run, as arrays hold no null. */
const NO_RUN = "00000000-0000-0000-0000-000000000000";

/** Creates the operations on schedules of a database. */
export function createScheduleStore({ dialect: db, execute }: Database): ScheduleStore {
  return {
    read: (query) => execute(readSchedules(db, query)),
    write: (writes) => execute(writeSchedules(db, writes)),
    insert: (runs) => execute(transaction(() => insertDue(db, runs))),
    held: () => execute(readHeld(db)),
    counts: (overdueMs) => execute(countSchedules(db, overdueMs)),
    runs: (name, limit) => execute(readRuns(name, limit)),
  };
}

function* readSchedules(db: Dialect, query: ScheduleQuery): Op<readonly ScheduleRow[]> {
  const rows = yield* all(sql`
select s.name, s.kind, s.workflow, s.state, s.paused_by, s.next_at, s.last_run, s.definition, s.progress, s.revision,
       s.created_at, case when r.id is not null and r.ended_at is null then 1 else 0 end as is_live
  from @schedules as s
  left join @runs as r on r.id = s.last_run
 where ${conditionOf(db, query)}
 order by s.name${"limit" in query ? sql` limit ${query.limit}` : raw("")}`);
  return rows.map(decodeSchedule);
}

function conditionOf(db: Dialect, query: ScheduleQuery): Sql {
  if ("names" in query) return db.isIn("s.name", texts(query.names.filter(isStorable)));
  return "after" in query ? sql`s.name > ${query.after}` : sql`s.changed_at >= ${query.changedSince}`;
}

function decodeSchedule(row: Row): ScheduleRow {
  const pausedBy = schedules.optionalText(row, "paused_by");
  return {
    name: schedules.text(row, "name"),
    kind: readKind(row, "kind"),
    workflow: schedules.text(row, "workflow"),
    state: readState(row, "state"),
    pausedBy: pausedBy === "user" || pausedBy === "removal" ? pausedBy : undefined,
    nextAt: schedules.optionalInteger(row, "next_at"),
    lastRun: schedules.optionalText(row, "last_run"),
    definition: schedules.text(row, "definition"),
    progress: schedules.text(row, "progress"),
    revision: schedules.integer(row, "revision"),
    createdAt: schedules.integer(row, "created_at"),
    isLastRunLive: row["is_live"] === 1,
  };
}

/** The rows are locked in the order of names, so that two runners do not wait for each other. */
function* writeSchedules(db: Dialect, writes: readonly ScheduleWrite[]): Op<readonly ScheduleVerdict[]> {
  if (writes.length === 0) return [];
  return yield* transaction(function* () {
    const created = writes.filter(({ revision }) => revision === 0);
    const won = new Set(yield* insertNew(db, created));
    const changed = writes.filter(({ revision }) => revision !== 0);
    const locked = changed.length === 0 ? [] : yield* all(sql`
select name, revision
  from @schedules
 where ${db.isIn("name", texts(changed.map(({ name }) => name)))}
 order by name${db.forUpdate}`);
    const revisions = new Map(locked.map((row) => [String(row["name"]), Number(row["revision"])]));
    const current = changed.filter(({ name, revision }) => revisions.get(name) === revision);
    for (const { name } of current) won.add(name);
    yield* update(db, current);
    const inserted = yield* insertDue(db, writes.filter(({ name }) => won.has(name)).flatMap(({ runs }) => runs));
    return writes.map(({ name, runs }): ScheduleVerdict =>
      won.has(name)
        ? { kind: "written", inserted: new Set(runs.map(({ id }) => id).filter((id) => inserted.has(id))) }
        : { kind: "conflict" }
    );
  });
}

function* insertNew(db: Dialect, writes: readonly ScheduleWrite[]): Op<readonly string[]> {
  if (writes.length === 0) return [];
  const rows = yield* write(sql`
insert into @schedules (name, kind, workflow, state, paused_by, next_at, last_run, definition, progress, revision,
                        created_at, changed_at)
select w.of_name, w.kind, w.workflow, w.state, nullif(w.paused_by, ''), nullif(w.next_at, -1), null, w.definition,
       w.progress, 1, ${db.now()}, ${db.now()}
  from ${rowsOf(db, writes)}
 where true
 order by w.of_name
    on conflict (name) do nothing
returning name`);
  return rows.map((row) => String(row["name"]));
}

function* update(db: Dialect, writes: readonly ScheduleWrite[]): Op<void> {
  if (writes.length === 0) return;
  yield* change(sql`
update @schedules
   set kind = w.kind,
       workflow = w.workflow,
       state = w.state,
       paused_by = nullif(w.paused_by, ''),
       next_at = nullif(w.next_at, -1),
       last_run = nullif(w.last_run, '${raw(NO_RUN)}'),
       definition = w.definition,
       progress = w.progress,
       revision = revision + 1,
       changed_at = case when w.is_change = 1 then ${db.now()} else changed_at end
  from ${rowsOf(db, writes)}
 where name = w.of_name`);
}

function rowsOf(db: Dialect, writes: readonly ScheduleWrite[]): Sql {
  return db.rows("w", {
    of_name: texts(writes.map(({ name }) => name)),
    kind: texts(writes.map(({ kind }) => kind)),
    workflow: texts(writes.map(({ workflow }) => workflow)),
    state: texts(writes.map(({ state }) => state)),
    paused_by: texts(writes.map(({ pausedBy }) => pausedBy ?? "")),
    next_at: { type: "bigint", items: writes.map(({ nextAt }) => nextAt ?? -1) },
    last_run: { type: "uuid", items: writes.map(({ lastRun }) => lastRun ?? NO_RUN) },
    definition: texts(writes.map(({ definition }) => definition)),
    progress: texts(writes.map(({ progress }) => progress)),
    is_change: { type: "integer", items: writes.map(({ isChange }) => isChange === true ? 1 : 0) },
  });
}

/** Inserts runs and notifies runners of them. */
function* insertDue(db: Dialect, runs: readonly NewRun[]): Op<ReadonlySet<string>> {
  const inserted = yield* insertRuns(db, runs);
  if (inserted.size > 0) yield* notify(db, { due: true, ended: false, attention: [] });
  return inserted;
}

function* countSchedules(db: Dialect, overdueMs: number): Op<Awaited<ReturnType<ScheduleStore["counts"]>>> {
  const [row] = yield* all(sql`
select count(case when state = 'active' then 1 end) as active,
       count(case when state = 'paused' then 1 end) as paused,
       count(case when state = 'active' and next_at < ${db.now()} - ${overdueMs} then 1 end) as overdue,
       min(case when state = 'active' then next_at end) as next_at
  from @schedules`);
  return {
    active: schedules.integer(row!, "active"),
    paused: schedules.integer(row!, "paused"),
    overdue: schedules.integer(row!, "overdue"),
    nextAt: schedules.optionalInteger(row!, "next_at"),
  };
}

function* readHeld(db: Dialect): Op<ReadonlySet<string>> {
  const rows = yield* all(sql`
select schedules
  from @runners
 where lease_until > ${db.now()} and not dead`);
  return new Set(rows.flatMap((row) => readNames(row, "schedules") ?? []));
}

function* readRuns(name: string, limit: number): Op<readonly ListedRun[]> {
  const rows = yield* all(sql`
select ${raw(LISTED_COLUMNS)}
  from @runs indexed by runs_schedule
 where schedule = ${name}
 order by seq desc
 limit ${limit}`);
  return rows.map(decodeListedRun);
}
