/** Rows as the stores write them, made by the database itself: to carry millions of runs to their end would take an hour. */
import postgres from "postgres";
import { fileURLToPath } from "node:url";
import { openSqliteStore } from "../../lib/store/sqlite/mod.ts";
import { openPostgresStore } from "../../lib/store/postgres/store.ts";
import { openConnection } from "../../lib/store/sqlite/driver.ts";
import type { EmptyStore } from "../stores.ts";

/** Runs that are all alike. */
export interface Crowd {
  /** How many. */
  readonly runs: number;
  /** Where they are: completed, with the results of three tasks each; due in a year; or due since they were made. */
  readonly are: "finished" | "delayed" | "pending";
  /** Their workflow. */
  readonly workflow: string;
  /** Its version. */
  readonly version: string;
}

const YEAR_MS = 365 * 86_400_000;
const INPUT = '"xxxxxxxxxx"';

/** Inserts runs into a store that no process has open, and updates the statistics of the database. */
export async function fill({ url, options }: EmptyStore, crowd: Crowd): Promise<void> {
  if (options.schema === undefined) await fillFile(url, crowd);
  else await fillSchema(url, options.schema, crowd);
}

async function fillFile(url: string, crowd: Crowd): Promise<void> {
  await (await openSqliteStore(url)).close();
  const db = await openConnection(fileURLToPath(url.replace("sqlite:", "file:")));
  const numbers = `(with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < ${crowd.runs})
      select n from numbers)`;
  const hex = (value: string): string => `printf('%012x', ${value})`;
  db.prepare("pragma synchronous = off").get();
  for (const sql of ["begin immediate", ...inserts(crowd, "", numbers, hex), "commit"]) db.exec(sql);
  db.prepare("pragma wal_checkpoint(truncate)").get();
  db.close();
}

async function fillSchema(url: string, schema: string, crowd: Crowd): Promise<void> {
  await (await openPostgresStore(url, { schema })).close();
  const sql = postgres(url, { max: 1, onnotice() {} });
  const numbers = `generate_series(1, ${crowd.runs}::bigint) as numbers (n)`;
  const hex = (value: string): string => `lpad(to_hex(${value}), 12, '0')`;
  for (const insert of inserts(crowd, `"${schema}".`, numbers, hex)) await sql.unsafe(insert);
  for (const table of ["runs", "tasks"]) await sql.unsafe(`vacuum analyze "${schema}".${table}`);
  // Otherwise it would happen during a measurement.
  await sql.unsafe("checkpoint");
  await sql.end();
}

function inserts(crowd: Crowd, schema: string, numbers: string, hex: (value: string) => string): string[] {
  const { runs, are, workflow, version } = crowd;
  const began = Date.now() - runs;
  const at = `${began} + n`;
  const row = {
    finished: { state: "completed", epoch: 1, due: at, started: at, ended: at },
    delayed: { state: "pending", epoch: 0, due: `${at} + ${YEAR_MS}`, started: "null", ended: "null" },
    pending: { state: "pending", epoch: 0, due: at, started: "null", ended: "null" },
  }[are];
  const time = (value: string): string => value === "null" ? "cast(null as bigint)" : value;
  // Ids in order, like those of the library.
  const uuid = `substr(${hex(at)}, 1, 8) || '-' || substr(${hex(at)}, 9) || '-7000-8000-000000000000'`;
  const ofRuns = `
    insert into ${schema}runs (epoch, state, ended_at, id, workflow, version, priority, due_at, created_at, started_at,
                               input)
    select ${row.epoch}, '${row.state}', ${time(row.ended)},
           ${schema === "" ? uuid : `(${uuid})::uuid`}, '${workflow}', '${version}', 0, ${row.due}, ${at},
           ${time(row.started)}, '${INPUT}'
      from ${numbers}`;
  const ofTasks = `
    insert into ${schema}tasks (run, task, part, epoch, state, attempts, started_at, ended_at, output)
    select seq, task, '', 1, 'completed', 1, started_at, ended_at, input
      from ${schema}runs
     cross join (select 't0' as task union all select 't1' union all select 't2') as three
     order by seq, task`;
  return are === "finished" ? [ofRuns, ofTasks] : [ofRuns];
}
