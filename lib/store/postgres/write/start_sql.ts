/**
 * The statements that insert runs, from the table of columns. The values that every start gives are bound as arrays, one
 * for each column; the options, which few runs have, as one JSON object for each run.
 *
 * A run becomes owned under a lock of its owner's row, so that recovery, which locks the row alone, finds the run or has
 * declared the owner dead before.
 *
 * @module
 */
import type { NewRun } from "../../port/batch.ts";
import { type ColumnType, type GivenColumn, givenColumns, type RunColumns, startValues } from "../../shared/columns.ts";
import { replaceSql, withoutDebounce } from "../../shared/debounce.ts";
import { RUN_COLUMNS } from "../../shared/run_columns.ts";
import { OWNED_BY_LIVE } from "./flush_sql.ts";
import { numbers, sparse } from "./arrays.ts";
import type { Bindable } from "../connect/connection.ts";

/** How the values of runs are bound. */
interface Binding {
  /** The columns that the insert names. */
  readonly all: RunColumns;
  /** The name of a column for whether a child run is shared. @default {undefined} none */
  readonly shared?: string;
  /** The columns that are bound as arrays. */
  readonly bound: readonly GivenColumn[];
  /** The other columns, whose values are members of one JSON object for each run that has such a value. */
  readonly options: readonly GivenColumn[];
}

const PLAIN_COLUMNS = withoutDebounce(RUN_COLUMNS);

const EVERY_START = bindingOf(PLAIN_COLUMNS, ({ plain }) => plain === undefined);
const DEBOUNCED = bindingOf(RUN_COLUMNS, ({ plain }) => plain === undefined);

// A member of JSON costs the server several times as much as an element of an array.
const OF_CHILDREN: ReadonlySet<string> = new Set(["parent", "parent_task", "parent_item", "depth"]);
const EVERY_CHILD: Binding = {
  ...bindingOf(PLAIN_COLUMNS, ({ name, plain }) => plain === undefined || OF_CHILDREN.has(name)),
  shared: "shared",
};

function bindingOf(all: RunColumns, isBound: (column: GivenColumn) => boolean): Binding {
  const columns = givenColumns(all);
  return { all, bound: columns.filter(isBound), options: columns.filter((column) => !isBound(column)) };
}

/** Runs without keys. $2 news, then the values of `startValuesOf()`. */
export const START: string = startSql("");

/** Runs with keys, or runs that may exist already. An insert that expects a conflict logs each row twice. */
export const START_UNLESS_THERE: string = startSql("on conflict do nothing");

function startSql(conflict: string): string {
  const { columns, values } = eitherSql(EVERY_START);
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

/** Returns the columns of a new run from `s`, and their values, which depend on `s.owned`. */
function eitherSql(binding: Binding): { readonly columns: readonly string[]; readonly values: string[] } {
  const given = givenBy(binding);
  const owned = startValues(binding.all, "owned", { now: "now", owner: "s.owner", given });
  const pending = startValues(binding.all, "pending", { now: "now", owner: "s.owner", given });
  const columns = [...RUN_COLUMNS.keys()].filter((column) => owned.has(column) || pending.has(column));
  const values = columns.map((column) => {
    const [one = "null", other = "null"] = [owned.get(column), pending.get(column)];
    return one === other ? one : `case when s.owned then ${one} else ${other} end`;
  });
  return { columns, values };
}

/**
 * Child runs: $2 news, $3 numbers and $4 epochs of their parents, then the values of `childArrays()`. They are inserted
 * under the fence of their parent, unless a cancel of it is recorded. The locks of runners of the same transaction (see
 * runner_lock.ts) keep recovery from missing those that are owned.
 */
export const START_CHILDREN: string = childrenSql("");

/** The same for child runs that have keys or may exist already. */
export const START_CHILDREN_UNLESS_THERE: string = childrenSql("on conflict do nothing");

function childrenSql(conflict: string): string {
  const { columns, values } = eitherSql(EVERY_CHILD);
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
     and r.closing is null
     and ${OWNED_BY_LIVE}
),
started as (
  insert into @runs (${columns.join(", ")}, paused_at)
  select ${values.join(",\n         ")},
         case when s.is_paused then now end
    from (select u.*, p.is_paused,
                 (u.owner = p.owner and not p.is_paused
                  and (u.shared is null or not p.has_others)) is true as owned
            from ${rowsSql(EVERY_CHILD, 5, (type) => `${type}[]`)} as u
            join parents as p on p.seq = u.parent) as s
   cross join clock
   order by s.n
   ${conflict}
  returning seq, id, owner
)
select (select now from clock) as server_now,
       (select count(*) from started) as changed,
       array(select seq from parents)::text as parents,
       array(select seq from started where owner is not null)::text as seqs,
       array(select id from started where owner is not null)::text as ids,
       (select pg_notify('sluice_@schema', $2) where $2::text is not null)::text as notified`;
}

/**
 * Debounced runs, of which no two have the same key: $2 news, then the values of `debouncedArrays()`. A run that an earlier
 * attempt has inserted is left out: it may have been claimed since.
 */
export const START_DEBOUNCED: string = `
with clock as materialized (
  select @now as now
),
started as (${debouncedSql({ first: 3, cast: (type) => `${type}[]`, clock: "clock", now: "@now" })}
)
${debouncedResult("(select now from clock)")},
       (select pg_notify('sluice_@schema', $2) where $2::text is not null)::text as notified`;

/** How an insert of debounced runs binds its values, and reads the clock. */
interface DebouncedSql {
  /** The number of the first parameter of `debouncedArrays()`. */
  readonly first: number;
  /** Returns the cast to an array type. */
  readonly cast: (type: string) => string;
  /** A relation with the column `now`. */
  readonly clock: string;
  /** The clock as an expression, which is read when a row is locked. */
  readonly now: string;
  /** Whether anything is inserted. @default {"true"} */
  readonly where?: string;
}

/** Returns the insert of debounced runs. It returns the columns of `debouncedResult()`. */
export function debouncedSql({ first, cast, clock, now, where = "true" }: DebouncedSql): string {
  const { columns, values } = pendingOf(DEBOUNCED);
  const ids = `$${first + 1 + DEBOUNCED.bound.findIndex(({ name }) => name === "id")}::${cast("uuid")}`;
  return `
  insert into @runs as r (${columns})
  select ${values}
    from ${rowsSql(DEBOUNCED, first, cast)} as s
   cross join ${clock}
   where (s.id in (select o.id from @runs as o where o.id = any(${ids}))) is not true and ${where}
   order by s.n
  ${replaceSql({ now, run: "r" })}
  returning seq, id, workflow, debounce_key, due_at, created_at`;
}

/** Returns the query for what `debouncedSql()`, named `started`, has returned: arrays in the order of row numbers. */
export function debouncedResult(serverNow: string): string {
  const list = (column: string): string => `array(select ${column} from started order by seq)::text`;
  return `
select ${serverNow} as server_now,
       ${list("seq")} as seqs,
       ${list("id")} as ids,
       ${list("due_at")} as due,
       (select json_agg(json_build_array(workflow, debounce_key) order by seq) from started)::text as names`;
}

/** Returns the columns and values of runs without an owner, for an insert from `startRows()` as `s`; `now` is the clock. */
export function pendingSql(): { readonly columns: string; readonly values: string } {
  return pendingOf(EVERY_START);
}

function pendingOf(binding: Binding): { readonly columns: string; readonly values: string } {
  const given = givenBy(binding);
  const values = startValues(binding.all, "pending", { now: "now", owner: "null", given });
  return { columns: [...values.keys()].join(", "), values: [...values.values()].join(",\n         ") };
}

/** Returns the relation of the values of `startArrays()`, bound from `$first` on; `cast` returns the cast to an array type. */
export function startRows(first: number, cast: (type: string) => string): string {
  return rowsSql(EVERY_START, first, cast);
}

function rowsSql({ bound, shared }: Binding, first: number, cast: (type: string) => string): string {
  const columns = [
    ["owner", "bigint"],
    ...bound.map(({ name, type }) => [name, typeOf(type)]),
    ["rest", "text"],
    ...(shared === undefined ? [] : [[shared, "integer"]]),
  ];
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
export const START_ARRAYS: number = EVERY_START.bound.length + 2;

/** The same of `debouncedArrays()`. */
export const DEBOUNCED_ARRAYS: number = DEBOUNCED.bound.length + 2;

/** Returns the values of runs: their owners, the values that every start gives, and the options. */
export function startArrays(runs: readonly NewRun[]): Bindable[] {
  return arraysOf(runs, EVERY_START);
}

/** Returns the same values of debounced runs, and what debounces them. */
export function debouncedArrays(runs: readonly NewRun[]): Bindable[] {
  return arraysOf(runs, DEBOUNCED);
}

/** Returns the same values of child runs; the last is whether they are shared. */
export function childArrays(children: readonly NewRun[]): Bindable[] {
  const shared = sparse(children.map(({ isShared }) => isShared === true ? 1 : undefined));
  return [...arraysOf(children, EVERY_CHILD), shared];
}

function arraysOf(runs: readonly NewRun[], { bound, options }: Binding): Bindable[] {
  return [
    // A fork is claimed, so that its journal is read.
    numbers(runs.map(({ owner, fork }) => fork ? undefined : owner)),
    ...bound.map(({ given }) => sparse(runs.map((run) => given(run)))),
    sparse(runs.map((run) => optionsOf(run, options))),
  ];
}

/** Returns the options of a run as JSON; `undefined` for a run without, as nearly all are. */
function optionsOf(run: NewRun, options: readonly GivenColumn[]): string | undefined {
  if (options.every(({ given, plain }) => given(run) === plain?.value)) return undefined;
  return JSON.stringify(Object.fromEntries(options.map(({ name, given }) => [name, given(run)])));
}

/** Returns the SQL of a given value in the row `s`. */
function givenBy({ bound }: Binding): (column: GivenColumn) => string {
  return ({ name, type, plain }) => {
    if (bound.some((column) => column.name === name)) return `s.${name}`;
    const value = typeOf(type) === "text" ? `s.rest ->> '${name}'` : `(s.rest ->> '${name}')::${typeOf(type)}`;
    return plain?.value === undefined ? value : `coalesce(${value}, ${plain.value})`;
  };
}

function typeOf(type: ColumnType): string {
  return type === "bigint" || type === "integer" || type === "uuid" ? type : "text";
}
