import type { JournalRecord } from "../batch.ts";
import type { Fact, RunRow } from "../port.ts";
import { decodeFact, decodeRecord, RECORD_COLUMNS } from "../rows.ts";
import { decodeRun, SINGLE_COLUMNS } from "../run_columns.ts";
import type { Dialect } from "./dialect.ts";
import { all, first, type Op } from "./operation.ts";
import { raw, sql } from "./statement.ts";
import { isUuid } from "./texts.ts";

/** A run by its id. */
export function* readRun(id: string): Op<RunRow | undefined> {
  if (!isUuid(id)) return undefined;
  const row = yield* first(sql`select ${raw(SINGLE_COLUMNS)} from @runs where id = ${id}`);
  return row && decodeRun(row);
}

/** Which of these runs have ended or do not exist. */
export function* readEnded(db: Dialect, ids: readonly string[]): Op<readonly string[]> {
  if (ids.length === 0) return [];
  const known = { type: "uuid", items: ids.filter(isUuid) } as const;
  const rows = yield* all(sql`
select id
  from @runs
 where ${db.isIn("id", known)} and ended_at is null`);
  const live = new Set(rows.map((row) => row["id"]));
  return ids.filter((id) => !live.has(id));
}

/** A run's journal. */
export function* readJournal(seq: number): Op<readonly JournalRecord[]> {
  const rows = yield* all(sql`
select ${raw(RECORD_COLUMNS)}
  from @tasks
 where run = ${seq}
 order by task, item, step`);
  return rows.map(decodeRecord);
}

/** The rare facts of a run, oldest first. */
export function* readFacts(seq: number): Op<readonly Fact[]> {
  const rows = yield* all(sql`
select run, kind, at, detail
  from @events
 where run = ${seq}
 order by seq`);
  return rows.map(decodeFact);
}
