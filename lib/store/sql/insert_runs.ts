import type { NewRun } from "../port/batch.ts";
import { type GivenColumn, givenColumns, startValues } from "../shared/columns.ts";
import { RUN_COLUMNS } from "../shared/run_columns.ts";
import { type Dialect, type Items, texts } from "./dialect.ts";
import { type Op, write } from "./operation.ts";
import { raw, sql } from "./statement.ts";

const COLUMNS = givenColumns(RUN_COLUMNS);

/** Stands for a missing number, as arrays hold none. */
const MISSING = Number.MIN_SAFE_INTEGER;

/**
 * Inserts runs without an owner in the open transaction, one statement for all of them; returns the ids of those whose id,
 * key and tick did not exist.
 */
export function* insertRuns(db: Dialect, runs: readonly NewRun[]): Op<ReadonlySet<string>> {
  if (runs.length === 0) return new Set();
  const given = COLUMNS.filter((column) => runs.some((run) => column.given(run) !== undefined));
  const values = startValues(RUN_COLUMNS, "pending", {
    now: "new_run.stored_at",
    owner: "null",
    given: (column) => given.some(({ name }) => name === column.name) ? valueSql(column) : "null",
  });
  const rows = db.rows("new_run", Object.fromEntries(given.map((column) => [nameOf(column), itemsOf(column, runs)])));
  const inserted = yield* write(sql`
insert into @runs (${raw([...values.keys()].join(", "))})
select ${raw([...values.values()].join(", "))}
  from (select ${db.now()} as stored_at, new_run.* from ${rows}) as new_run
 where true
 order by ${raw(nameOf(ID))}
    on conflict do nothing
returning id`);
  return new Set(inserted.map((row) => String(row["id"])));
}

const ID = COLUMNS.find(({ name }) => name === "id")!;

function nameOf({ name }: GivenColumn): string {
  return `of_${name}`;
}

function isText({ type }: GivenColumn): boolean {
  return type !== "bigint" && type !== "integer" && type !== "uuid";
}

/** A text is written behind a letter, so that a missing one can be told from an empty one. */
function valueSql(column: GivenColumn): string {
  const name = `new_run.${nameOf(column)}`;
  if (column.type === "uuid") return name;
  return isText(column) ? `case when ${name} <> '' then substr(${name}, 2) end` : `nullif(${name}, ${MISSING})`;
}

function itemsOf(column: GivenColumn, runs: readonly NewRun[]): Items {
  if (column.type === "uuid") return { type: "uuid", items: runs.map((run) => String(column.given(run))) };
  if (isText(column)) return texts(runs.map((run) => textOf(column.given(run))));
  return { type: "bigint", items: runs.map((run) => Number(column.given(run) ?? MISSING)) };
}

function textOf(value: string | number | undefined): string {
  return value === undefined ? "" : `=${value}`;
}
