import { columnDefinitions, type RunColumns, type SchemaTypes } from "../shared/columns.ts";
import { RUN_COLUMNS } from "../shared/run_columns.ts";
import { checkSchemaVersion, SHARED_TABLES } from "../shared/schema_version.ts";
import { RUN_INDEXES } from "../sql/sources.ts";
import { writeOutComputed } from "./computed.ts";
import type { Connection } from "./driver.ts";

const TYPES: SchemaTypes = {
  key: "integer primary key",
  bigint: "integer",
  integer: "integer",
  uuid: "text",
  name: "text",
  text: "text",
};

// SQLite reads a row from its beginning up to a column: those that the fence compares for each record come first.
const FENCE: readonly string[] = ["seq", "epoch", "owner", "state", "closing"];
const COLUMNS: RunColumns = new Map(
  [...FENCE, ...RUN_COLUMNS.keys()]
    .map((name) => [name, RUN_COLUMNS.get(name)!] as const)
    .filter(([, { computed }]) => computed === undefined),
);

// `tasks` has no foreign key, because its only insert reads the run's row. Its check is a chain of "or" (see columns.ts).
const SCHEMA: readonly string[] = [
  `create table runs (
     ${columnDefinitions(COLUMNS, TYPES)}
   ) strict`,
  ...RUN_INDEXES.map((sql) => writeOutComputed(sql.replaceAll("@", ""))),
  // Postgres has no such index (see held.ts there). Here it costs little, as a commit writes its pages once.
  `create index runs_owned on runs (owner) where owner is not null`,
  `create table tasks (
     run           integer not null,
     task          text not null,
     item          integer not null default -1,
     step          text not null default '',
     epoch         integer not null,
     state         text not null
                   check (state = 'completed' or state = 'running' or state = 'skipped' or state = 'pending' or
                          state = 'waiting' or state = 'blocked' or state = 'failed' or state = 'cancelled'),
     attempts      integer not null,
     started_at    integer,
     ended_at      integer,
     due_at        integer,
     output        text,
     failures      text,
     reason        text,
     progress      text,
     items         integer,
     input         text,
     primary key (run, task, item, step)
   ) strict, without rowid`,
  `create index tasks_blocked on tasks (run, task, item) where state = 'blocked'`,
  `create table messages (
     run           integer not null,
     task          text not null,
     item          integer not null default -1,
     attempt       integer not null default 0,
     id            text,
     at            integer not null,
     payload       text,
     primary key (run, task, item, attempt)
   ) strict, without rowid`,
  `create table workflows (
     workflow      text not null,
     version       text not null,
     structure     text not null,
     graph         text not null,
     created_at    integer not null,
     compensates   integer not null default 0,
     primary key (workflow, version)
   ) strict, without rowid`,
  `create table events (
     seq           integer primary key,
     run           integer not null,
     kind          text not null,
     at            integer not null,
     detail        text,
     failures      text
   ) strict`,
  `create index events_run on events (run, seq)`,
  `create table runners (
     id            integer primary key autoincrement,
     host          text not null,
     pid           integer not null,
     pid_started_at text,
     isolate       text not null default '',
     thread        text,
     served        text not null,
     schedules     text not null default '[]',
     pinned        integer not null,
     concurrency   integer not null,
     max_runs      integer not null,
     started_at    integer not null,
     lease_until   integer not null,
     lease_ms      integer not null default 30000,
     dead          integer not null default 0
   ) strict`,
  `create table schedules (
     name          text primary key,
     kind          text not null,
     workflow      text not null,
     state         text not null,
     paused_by     text,
     next_at       integer,
     last_run      text,
     definition    text not null,
     progress      text not null,
     revision      integer not null,
     created_at    integer not null,
     changed_at    integer not null
   ) strict`,
  `create index schedules_changed on schedules (changed_at)`,
  `create table limits (
     name          text primary key,
     max           integer not null,
     per_ms        integer
   ) strict, without rowid`,
  `create table lanes (
     seq           integer primary key,
     name          text not null,
     rate          integer not null,
     key           text not null,
     held          integer not null,
     waiting       integer not null,
     clock         integer not null
   ) strict`,
  `create unique index lanes_key on lanes (name, rate, key)`,
  `create table queues (
     seq           integer primary key,
     lanes         text not null unique,
     cost          integer not null,
     waiting       integer not null
   ) strict`,
  `create table lane_queues (
     lane          integer not null,
     queue         integer not null,
     clock         integer not null,
     active        integer not null,
     primary key (lane, queue)
   ) strict`,
  `create index lane_queues_active on lane_queues (lane, clock, queue) where active = 1`,
  `create index lane_queues_queue on lane_queues (queue)`,
  `create table permits (
     seq           integer primary key,
     run           integer not null,
     task          text not null,
     item          integer not null,
     queue         integer not null,
     rank          integer not null,
     since         integer not null,
     granted_at    integer,
     holder        integer,
     is_lasting    integer not null
   ) strict`,
  `create unique index permits_unit on permits (run, task, item)`,
  `create index permits_waiting on permits (queue, rank, seq) where granted_at is null`,
  `create index permits_held on permits (queue, granted_at) where granted_at is not null`,
  // Numbered for ever: its runner may end a start that was deleted.
  `create table starts (
     seq           integer primary key autoincrement,
     lane          integer not null,
     run           integer not null,
     task          text not null,
     item          integer not null,
     holder        integer,
     until         integer
   ) strict`,
  `create index starts_unit on starts (run, task, item)`,
  // See wakeups.ts.
  `create table wakeups (
     runner        integer primary key,
     raised        integer not null
   ) strict`,
];

// Each entry migrates from one version to the next. An entry that was released never changes; new entries are appended.
const MIGRATIONS: readonly (readonly string[])[] = [SCHEMA];

/** The version of the schema that this code reads and writes. */
export const SCHEMA_VERSION: number = MIGRATIONS.length;

const TABLES = [...SHARED_TABLES, "wakeups"];

/**
 * Migrates the schema to the current version, each step in a separate transaction. Any number of processes can migrate
 * at once: a process that comes later finds the step done. Throws the driver's own error while the database is locked;
 * no step is partially applied.
 *
 * @throws {StoreError} `newer_schema`, if a newer version of the library has migrated the database; `foreign_tables`,
 * if another application has tables with the same names.
 */
export function migrate(connection: Connection, name: string): void {
  while (versionOf(connection, name) < SCHEMA_VERSION) {
    connection.exec("begin immediate");
    try {
      step(connection, name);
      connection.exec("commit");
    } catch (error) {
      rollBack(connection);
      throw error;
    }
  }
}

function step(connection: Connection, name: string): void {
  // Read again inside the transaction, during which no other connection can write.
  const version = versionOf(connection, name);
  const statements = MIGRATIONS[version];
  if (!statements) return;
  if (version === 0) {
    connection.exec("create table meta (key text primary key, value text not null) strict, without rowid");
  }
  for (const sql of statements) connection.exec(sql);
  connection.prepare("insert or replace into meta (key, value) values ('sluice_schema', $1)").run([
    String(version + 1),
  ]);
}

/** Returns the version of the schema; 0 if there is no schema. */
export function versionOf(connection: Connection, name: string): number {
  const tables = connection
    .prepare(
      "select name from sqlite_schema where type = 'table' and name in (select value from json_each($1))",
    )
    .all([JSON.stringify(TABLES)])
    .map((row) => String(row["name"]));
  if (tables.length === 0) return 0;
  return checkSchemaVersion({
    stored: tables.includes("meta") ? storedVersion(connection) : undefined,
    newest: SCHEMA_VERSION,
    tables,
    database: `SQLite database ${name}`,
    place: "a file",
  });
}

function storedVersion(connection: Connection): unknown {
  const columns = connection.prepare("select name from pragma_table_info('meta')").all().map((row) => row["name"]);
  if (!columns.includes("key") || !columns.includes("value")) return undefined;
  return connection.prepare("select value from meta where key = 'sluice_schema'").get()?.["value"];
}

function rollBack(connection: Connection): void {
  try {
    connection.exec("rollback");
  } catch {
    // SQLite has rolled back by itself, for example because the disk is full.
  }
}
