/**
 * The statements that insert runs, from the table of columns. The values that every start gives are bound as arrays, one
 * for each column; the options, which few runs have, as one JSON object for each run.
 *
 * A run becomes owned under a lock of its owner's row, so that recovery, which locks the row alone, finds the run or has
 * declared the owner dead before.
 *
 * @module
 */
import type { NewRun } from "../batch.ts";
import { type ColumnType, createIsPlain, type GivenColumn, givenColumns, startValues } from "../columns.ts";
import { RUN_COLUMNS } from "../run_columns.ts";
import { OWNED_BY_LIVE } from "./flush_sql.ts";
import { numbers, sparse } from "./arrays.ts";
import type { Bindable } from "./connection.ts";

const BOUND = givenColumns(RUN_COLUMNS).filter(({ plain }) => plain === undefined);
const OPTIONS = givenColumns(RUN_COLUMNS).filter(({ plain }) => plain !== undefined);

/** Runs without keys. $2 news, then the values of `startValuesOf()`. */
export const START: string = startSql("");

/** Runs with keys, or runs that may exist already. An insert that expects a conflict logs each row twice. */
export const START_UNLESS_THERE: string = startSql("on conflict do nothing");

function startSql(conflict: string): string {
  const owned = startValues(RUN_COLUMNS, "owned", { now: "now", owner: "s.owner", given: givenSql });
  const pending = startValues(RUN_COLUMNS, "pending", { now: "now", owner: "s.owner", given: givenSql });
  const columns = [...RUN_COLUMNS.keys()].filter((column) => owned.has(column) || pending.has(column));
  const values = columns.map((column) => {
    const [one, other] = [owned.get(column), pending.get(column)];
    return one === other ? one : `case when s.owned then ${one ?? "null"} else ${other ?? "null"} end`;
  });
  return `
with clock as materialized (
  select @now as now
),
live as materialized (
  select id
    from @runners
   where id = any($3::bigint[]) and not dead
     for key share
),
started as (
  insert into @runs (${columns.join(", ")})
  select ${values.join(",\n         ")}
    from (select u.*, (u.owner in (select id from live)) is true as owned
            from ${startRows(4, (type) => `${type}[]`)} as u) as s, clock
   order by s.n
   ${conflict}
  returning seq, id, owner
)
select (select now from clock) as server_now,
       array(select seq from started)::text as seqs,
       array(select id from started)::text as ids,
       array(select owner is not null from started)::text as owned,
       (select pg_notify('sluice_@schema', $2) where $2::text is not null)::text as notified`;
}

const CHILD = startValues(RUN_COLUMNS, "pending", { now: "now", owner: "null", given: givenSql });
CHILD.set("state", "case when p.state = 'paused' then 'paused' else 'pending' end");
CHILD.set("paused_at", "case when p.state = 'paused' then now end");

/**
 * Child runs: $2 news, $3 numbers and $4 epochs of their parents, then the values of `startArrays()`. They are inserted
 * under the fence of their parent, unless a cancel of it is recorded.
 */
export const START_CHILDREN: string = `
with clock as materialized (
  select @now as now
),
parents as materialized (
  select r.seq, r.state
    from @runs as r
   where r.seq = any($3::bigint[])
     and ((r.seq, r.epoch) in (select * from unnest($3::bigint[], $4::bigint[]))) is true
     and r.cancel_at is null
     and ${OWNED_BY_LIVE}
),
started as (
  insert into @runs (${[...CHILD.keys()].join(", ")})
  select ${[...CHILD.values()].join(",\n         ")}
    from ${startRows(5, (type) => `${type}[]`)} as s
    join parents as p on p.seq = (s.rest ->> 'parent')::bigint
   cross join clock
   order by s.n
   on conflict do nothing
  returning 1
)
select (select count(*) from started) as changed,
       (select pg_notify('sluice_@schema', $2) where $2::text is not null)::text as notified`;

/** Returns the columns and values of runs without an owner, for an insert from `startRows()` as `s`; `now` is the clock. */
export function pendingSql(): { readonly columns: string; readonly values: string } {
  const values = startValues(RUN_COLUMNS, "pending", { now: "now", owner: "null", given: givenSql });
  return { columns: [...values.keys()].join(", "), values: [...values.values()].join(",\n         ") };
}

/** Returns the relation of the values of `startArrays()`, bound from `$first` on; `cast` returns the cast to an array type. */
export function startRows(first: number, cast: (type: string) => string): string {
  const columns = [["owner", "bigint"], ...BOUND.map(({ name, type }) => [name, typeOf(type)]), ["rest", "text"]];
  const arrays = columns.map(([, type], at) => `$${first + at}::${cast(type!)}`).join(", ");
  const names = columns.map(([name]) => name === "rest" ? "options" : name).join(", ");
  return `(select a.*, a.options::json as rest
                    from unnest(${arrays})
                         with ordinality as a (${names}, n))`;
}

/** The parameters of `START` from $3 on. */
export function startValuesOf(runs: readonly NewRun[]): Bindable[] {
  const owners = new Set<number>();
  for (const { owner } of runs) if (owner !== undefined) owners.add(owner);
  return [numbers([...owners]), ...startArrays(runs)];
}

/** The number of parameters that `startArrays()` binds. */
export const START_ARRAYS: number = BOUND.length + 2;

/** Returns the values of runs: their owners, the values that every start gives, and the options. */
export function startArrays(runs: readonly NewRun[]): Bindable[] {
  return [
    // A fork is claimed, so that its journal is read.
    numbers(runs.map(({ owner, fork }) => fork ? undefined : owner)),
    ...BOUND.map(({ given }) => sparse(runs.map((run) => given(run)))),
    sparse(runs.map(optionsOf)),
  ];
}

const isPlain = createIsPlain(RUN_COLUMNS);

/** Returns the options of a run as JSON; `undefined` for a plain run, as nearly all are. */
function optionsOf(run: NewRun): string | undefined {
  if (isPlain(run)) return undefined;
  return JSON.stringify(Object.fromEntries(OPTIONS.map(({ name, given }) => [name, given(run)])));
}

function givenSql({ name, type, plain }: GivenColumn): string {
  if (plain === undefined) return `s.${name}`;
  const value = typeOf(type) === "text" ? `s.rest ->> '${name}'` : `(s.rest ->> '${name}')::${typeOf(type)}`;
  return plain.value === undefined ? value : `coalesce(${value}, ${plain.value})`;
}

function typeOf(type: ColumnType): string {
  return type === "bigint" || type === "integer" || type === "uuid" ? type : "text";
}
