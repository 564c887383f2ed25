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
  const { columns, values } = eitherSql("s.owned");
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

/** Returns the columns of a new run from `s`, and their values if it is owned, which is a condition, and otherwise. */
function eitherSql(isOwned: string): { readonly columns: readonly string[]; readonly values: string[] } {
  const owned = startValues(RUN_COLUMNS, "owned", { now: "now", owner: "s.owner", given: givenSql });
  const pending = startValues(RUN_COLUMNS, "pending", { now: "now", owner: "s.owner", given: givenSql });
  const columns = [...RUN_COLUMNS.keys()].filter((column) => owned.has(column) || pending.has(column));
  const values = columns.map((column) => {
    const [one = "null", other = "null"] = [owned.get(column), pending.get(column)];
    return one === other ? one : `case when ${isOwned} then ${one} else ${other} end`;
  });
  return { columns, values };
}

/**
 * Child runs: $2 news, $3 numbers and $4 epochs of their parents, then the values of `startArrays()`. They are inserted
 * under the fence of their parent, unless a cancel of it is recorded. The locks of runners of the same transaction (see
 * runner_lock.ts) keep recovery from missing those that are owned.
 */
export const START_CHILDREN: string = childrenSql();

function childrenSql(): string {
  const { columns, values } = eitherSql("s.owned");
  values[columns.indexOf("state")] =
    `case when s.is_paused then 'paused' when s.owned then 'running' else 'pending' end`;
  return `
with clock as materialized (
  select @now as now
),
parents as materialized (
  select r.seq, r.owner, r.state = 'paused' as is_paused,
         exists (select from @runners as o where o.id <> r.owner and not o.dead) as has_others
    from @runs as r
   where r.seq = any($3::bigint[])
     and ((r.seq, r.epoch) in (select * from unnest($3::bigint[], $4::bigint[]))) is true
     and r.cancel_at is null
     and ${OWNED_BY_LIVE}
),
started as (
  insert into @runs (${columns.join(", ")}, paused_at)
  select ${values.join(",\n         ")},
         case when s.is_paused then now end
    from (select u.*, p.is_paused,
                 (u.owner = p.owner and not p.is_paused
                  and not (p.has_others and (u.rest ->> 'shared') is not null)) is true as owned
            from ${startRows(5, (type) => `${type}[]`)} as u
            join parents as p on p.seq = (u.rest ->> 'parent')::bigint) as s
   cross join clock
   order by s.n
   on conflict do nothing
  returning seq, id, owner
)
select (select now from clock) as server_now,
       (select count(*) from started) as changed,
       array(select seq from parents)::text as parents,
       array(select seq from started where owner is not null)::text as seqs,
       array(select id from started where owner is not null)::text as ids,
       (select pg_notify('sluice_@schema', $2) where $2::text is not null)::text as notified`;
}

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
  const options: Record<string, unknown> = {};
  for (const { name, given } of OPTIONS) options[name] = given(run);
  if (run.isShared === true) options["shared"] = true;
  return JSON.stringify(options);
}

function givenSql({ name, type, plain }: GivenColumn): string {
  if (plain === undefined) return `s.${name}`;
  const value = typeOf(type) === "text" ? `s.rest ->> '${name}'` : `(s.rest ->> '${name}')::${typeOf(type)}`;
  return plain.value === undefined ? value : `coalesce(${value}, ${plain.value})`;
}

function typeOf(type: ColumnType): string {
  return type === "bigint" || type === "integer" || type === "uuid" ? type : "text";
}
