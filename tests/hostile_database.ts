/**
 * A database in which every role may write to the schema `public`, which precedes the system schema in the search path
 * and contains a copy of every function, operator and type of the system. Every lookup through the search path finds
 * the copy, and a call of a copy fails and is recorded. Statements that use a function or an operator without a safe
 * search path are therefore always detected, without a list of the functions that Sluice calls.
 *
 * In addition to the copies there are functions and operators for other argument types than those of the system. A
 * tenant can use such functions to attack a database with the default search path: `pg_total_relation_size(oid)`,
 * `format(text,text,name)`.
 */
import postgres from "postgres";
import { filesBelow, read } from "./source_tree.ts";

/** Such a database; disposal drops it. */
export interface HostileDatabase extends AsyncDisposable {
  /** Its URL, with the login of a superuser. */
  readonly url: string;
  /** A connection with a safe search path. */
  readonly sql: postgres.Sql;
  /** How many functions, operators and types were planted. */
  readonly planted: Readonly<Record<"functions" | "operators" | "types", number>>;
  /** Returns the planted objects that were called since the last call. */
  called(): Promise<readonly string[]>;
  /** Drops the two operators that the driver itself uses on user connections to look up types. */
  spareDriver(): Promise<void>;
}

/** The types of expressions of the engine, and similar types. */
const TYPES = ["text", "name", "oid", "bigint", "integer", "boolean", "uuid", "json", "regclass", "text[]", "bigint[]"];
const OPERATORS = ["=", "<>", "<", ">", "<=", ">=", "||", "~", "+", "-", "*", "/", "->>"];
const DOMAINS = ["text", "uuid", "json", "name", "oid", "int8", "int4", "bool"];

/** Creates such a database on a server. */
export async function hostileDatabase(server: string): Promise<HostileDatabase> {
  const name = `hostile_${crypto.randomUUID().replaceAll("-", "").slice(0, 16)}`;
  const admin = connect(server);
  await admin.unsafe(`create database "${name}"`);
  const at = new URL(server);
  at.pathname = `/${name}`;
  const sql = connect(at.href);
  await sql.unsafe(PREPARE);
  await sql.unsafe(`insert into pg_temp.called_names select unnest($1::text[])`, [`{${calledNames().join(",")}}`]);
  for (const statement of [COPIES, AGGREGATES, VARIANTS, OPERATOR_COPIES, OPERATOR_VARIANTS, TYPE_COPIES]) {
    await sql.unsafe(statement);
  }
  await sql.unsafe(
    `grant all on schema public to public; alter database "${name}" set search_path = public, pg_catalog`,
  );
  const [planted] = await sql<{ functions: number; operators: number; types: number }[]>`
    select (select count(*) from pg_proc where pronamespace = 'public'::regnamespace)::int as functions,
           (select count(*) from pg_operator where oprnamespace = 'public'::regnamespace)::int as operators,
           (select count(*) from pg_type
             where typnamespace = 'public'::regnamespace and typtype = 'd')::int as types`;
  return {
    url: at.href,
    sql,
    planted: { ...planted! },
    async called() {
      // A sequence keeps its value when the transaction that incremented it fails.
      const [last] = await sql`select last_value::int as n, is_called from public.planted`;
      if (last?.["is_called"] !== true) return [];
      await sql`select setval('public.planted', 1, false)`;
      return (await sql`select what from public.planted_names where n = ${last["n"]}`).map(({ what }) => String(what));
    },
    async spareDriver() {
      await sql.unsafe(
        `drop operator if exists public.= ("char", "char"); drop operator if exists public.= (oid, oid)`,
      );
    },
    async [Symbol.asyncDispose]() {
      await sql.end({ timeout: 1 });
      await admin.unsafe(`drop database "${name}" with (force)`);
      await admin.end({ timeout: 1 });
    },
  };
}

function connect(url: string): postgres.Sql {
  return postgres(url, {
    max: 1,
    max_lifetime: null,
    fetch_types: false,
    onnotice() {},
    connection: { search_path: "pg_catalog, pg_temp" },
  });
}

/** Returns the words before parentheses in the sources of the store, which include SQL functions. */
function calledNames(): readonly string[] {
  const sources = filesBelow("lib/store/").map(read).join("\n");
  return [...new Set([...sources.matchAll(/\b([a-z][a-z0-9_]*)\(/g)].map(([, name]) => name!))];
}

const PREPARE = `
create sequence public.planted;
create table public.planted_names (n bigint primary key, what text not null);
grant all on public.planted, public.planted_names to public;
create temporary table called_names (name text);
create temporary sequence numbers;
create temporary sequence operators;

create function pg_temp.plant(signature text, result text) returns bigint language plpgsql as $plant$
declare
  number bigint := nextval('pg_temp.numbers');
begin
  execute format($f$
    create function %s returns %s language plpgsql set search_path = pg_catalog, pg_temp as %L
  $f$, signature, result, format($f$
    begin
      perform setval('public.planted', %s);
      raise exception 'a planted function was called: %%', %L;
    end $f$, number, signature));
  insert into public.planted_names values (number, signature);
  return number;
exception when others then
  return 0; -- no function of plpgsql can be like that, or there is one already
end $plant$;
set check_function_bodies = off;`;

const COPIES = `
do $$ begin
  perform pg_temp.plant(format('public.%I(%s)', proname, pg_get_function_arguments(oid)), pg_get_function_result(oid))
     from pg_proc
    where pronamespace = 'pg_catalog'::regnamespace and prokind = 'f';
end $$`;

const AGGREGATES = `
do $$ declare one record; arguments text; begin
  for one in
    select p.proname, pg_get_function_arguments(p.oid) as arguments, p.pronargs
      from pg_proc as p join pg_aggregate as a on a.aggfnoid = p.oid
     where p.pronamespace = 'pg_catalog'::regnamespace and a.aggkind = 'n'
     union all
    select 'count', t, 1 from unnest('{${TYPES.map((type) => `"${type}"`).join(",")}}'::text[]) as t
  loop
    begin
      arguments := case when one.pronargs = 0 then '' else ', ' || one.arguments end;
      perform pg_temp.plant(format('public.%I(text%s)', 'step_' || one.proname, arguments), 'text');
      execute format('create aggregate public.%I(%s) (sfunc = public.%I, stype = text)', one.proname,
                     case when one.pronargs = 0 then '*' else one.arguments end, 'step_' || one.proname);
    exception when others then null;
    end;
  end loop;
end $$`;

// For one or two arguments every combination; for more, each argument of the system function in turn.
const VARIANTS = `
do $$
declare
  types text[] := '{${TYPES.map((type) => `"${type}"`).join(",")}}';
begin
  perform pg_temp.plant(format('public.%I(%s)', f.proname, a), 'text')
     from (select distinct proname
             from pg_proc
            where pronamespace = 'pg_catalog'::regnamespace and proname in (select name from pg_temp.called_names)) as f,
          (select x as a from unnest(types) as x
            union all select x || ', ' || y from unnest(types) as x, unnest(types) as y
            union all select 'text, ' || x || ', ' || y from unnest(types) as x, unnest(types) as y) as a;
  perform pg_temp.plant(format('public.%I(%s)', p.proname, (
            select string_agg(case when k.n = at then t else format_type(k.type, null) end, ', ' order by k.n)
              from unnest(p.proargtypes::oid[]) with ordinality as k (type, n))), 'text')
     from pg_proc as p, generate_series(1, 4) as at, unnest(types) as t
    where p.pronamespace = 'pg_catalog'::regnamespace and p.prokind = 'f' and p.pronargs between 3 and 4
      and at <= p.pronargs and p.proname in (select name from pg_temp.called_names);
end $$`;

const PLANT_OPERATOR = `
create or replace function pg_temp.plant_operator(name text, l text, r text, result text)
returns void language plpgsql as $plant$
declare
  number bigint := nextval('pg_temp.operators');
  arguments text := concat_ws(', ', l, r);
begin
  perform pg_temp.plant(format('public.operator_%s(%s)', number, arguments), result);
  execute format('create operator public.%s (%s function = public.operator_%s)', name,
                 coalesce('leftarg = ' || l || ', ', '') || coalesce('rightarg = ' || r || ', ', ''), number);
exception when others then null;
end $plant$;`;

const OPERATOR_COPIES = `${PLANT_OPERATOR}
do $$ begin
  perform pg_temp.plant_operator(oprname, format_type(nullif(oprleft, 0), null), format_type(nullif(oprright, 0), null),
                                 format_type(oprresult, null))
     from pg_operator
    where oprnamespace = 'pg_catalog'::regnamespace;
end $$`;

const OPERATOR_VARIANTS = `
do $$ begin
  perform pg_temp.plant_operator(name, l, r, 'boolean')
     from unnest('{${OPERATORS.map((name) => `"${name}"`).join(",")}}'::text[]) as name,
          unnest('{${TYPES.map((type) => `"${type}"`).join(",")}}'::text[]) as l,
          unnest('{${TYPES.map((type) => `"${type}"`).join(",")}}'::text[]) as r;
end $$`;

const TYPE_COPIES = `
do $$ declare one text; begin
  perform pg_temp.plant('public.is_like_a_type()', 'boolean');
  foreach one in array '{${DOMAINS.join(",")}}'::text[] loop
    execute format('create domain public.%I as pg_catalog.%I check (public.is_like_a_type())', one, one);
  end loop;
end $$`;
