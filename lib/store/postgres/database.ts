import type { Dialect, EachOptions, Items, TextPaths, WalkOptions } from "../sql/dialect.ts";
import type { Database, Op, Step } from "../sql/operation.ts";
import { fill, join, raw, render, type Sql, sql, type Value } from "../sql/statement.ts";
import type { Row } from "../shared/decode.ts";
import { numbers, texts } from "./write/arrays.ts";
import { SERVER_CHECKS } from "./connect/check_server.ts";
import type { Bindable } from "./connect/connection.ts";
import { isFromServer, storeError } from "./connect/faults.ts";
import { heldSql, seqsHeldBy } from "./fleet/held.ts";
import { type News, notifySql } from "./write/news.ts";
import { LOCK_ALONE, LOCK_LIMITS, TRY_LOCK_ALONE } from "./write/runner_lock.ts";
import type { Session, Transaction } from "./connect/session.ts";

const SERVER_CLOCK = "floor(extract(epoch from clock_timestamp()) * 1000)::bigint";

/** Executes a step. */
type Perform = (step: Step) => Promise<readonly Row[]>;

/** Executes operations on a Postgres schema. */
export function createDatabase(session: Session, news: News): Database {
  return { dialect: createDialect(session, news), execute: (operation) => drive(operation, perform) };

  async function perform(step: Step): Promise<readonly Row[]> {
    try {
      return await send(step);
    } catch (error) {
      // No caller is prepared for an error of the driver, which has the statement and its values.
      if (!isFromServer(error)) throw error;
      throw storeError(error, session.name, step.kind === "read" ? "read" : "write to");
    }
  }

  async function send(step: Step): Promise<readonly Row[]> {
    switch (step.kind) {
      case "pause":
        return [];
      case "transaction":
        await session.transact(
          "care",
          (open, isDoubtful) => drive(step.work(isDoubtful), (inner) => performIn(open, inner)),
        );
        return [];
      case "read":
      case "write":
      case "change": {
        const [text, values] = textOf(step.kind, step.statement);
        return step.kind === "read"
          ? await session.read(text, values)
          : await session.write("care", text, values, (rows) => changedBy(step.kind, rows));
      }
    }
  }
}

async function performIn({ run, wrote }: Transaction, step: Step): Promise<readonly Row[]> {
  if (step.kind === "pause" || step.kind === "transaction") {
    throw new TypeError(`Cannot execute a step of the kind "${step.kind}" inside of a transaction`);
  }
  const rows = await run(...textOf(step.kind, step.statement));
  wrote(changedBy(step.kind, rows));
  return rows;
}

async function drive<T>(operation: Op<T>, perform: Perform): Promise<T> {
  let state = operation.next([]);
  while (state.done !== true) state = operation.next(await perform(state.value));
  return state.value;
}

function textOf(kind: Step["kind"], statement: Sql): [text: string, values: readonly Bindable[]] {
  const rendered = render(statement);
  const text = rendered.text.replaceAll(/ indexed by \w+/g, "");
  const counted = `with changed as (${text}\nreturning 1)\nselect count(*) as changed from changed`;
  return [kind === "change" ? counted : text, rendered.values.map(encode)];
}

function changedBy(kind: Step["kind"], rows: readonly Row[]): number {
  if (kind === "change") return Number(rows[0]?.["changed"]);
  return kind === "write" ? rows.length : 0;
}

function encode(value: Value): Bindable {
  if (value === null || value === undefined) return null;
  if (typeof value !== "object") return String(value);
  return isTexts(value) ? texts(value) : numbers(value);
}

function isTexts(items: readonly string[] | readonly number[]): items is readonly string[] {
  return typeof items[0] === "string";
}

function createDialect(session: Session, news: News): Dialect {
  return {
    stride: Infinity,
    reusesNumbers: false,
    now: () => session.at === null ? raw(SERVER_CLOCK) : sql`${session.at}::bigint`,
    steadyMs: session.steps.steadyMs,
    setAheadMs: session.steps.setAheadMs,
    isIn(column, among) {
      return "type" in among ? sql`${raw(column)} = any(${array(among)})` : sql`${raw(column)} = any(array(${among}))`;
    },
    rows(as, columns) {
      const names = raw(Object.keys(columns).join(", "));
      return sql`unnest(${join(Object.values(columns).map(array), ", ")}) as ${raw(as)} (${names})`;
    },
    walk,
    // The limit forces an index search per row: a plain join would be planned as a single read of the whole index.
    each: ({ table = "runs", as, where, order, limit }: EachOptions) =>
      sql`
 cross join lateral (
         select *
           from @${raw(table)}
          where ${where}${order === undefined ? raw("") : raw(`\n          order by ${order}`)}
          limit ${limit}) as ${raw(as)}`,
    inOrder: (columns) => raw(`order by ${columns}`),
    held: raw(`@runs where ${heldSql()}`),
    ownedBy: (runners) => fill(seqsHeldBy((id) => `${id} = any(:runners)`), { runners: array(runners) }),
    firstTasks: (where, limit) =>
      sql`ctid = any(array(
         select ctid
           from @tasks
          where ${where}
          limit ${limit}))`,
    forUpdate: raw("\n   for update"),
    forUpdateOfFree: raw("\n   for update skip locked"),
    lockLimits: raw(LOCK_LIMITS),
    lockRunners: (where, busy) =>
      busy === "wait"
        ? sql`
with locked as materialized (
  select id
    from @runners
   where ${where}
   order by id
     for update
)
select id, ${raw(LOCK_ALONE)}
  from locked`
        : sql`
with locked as materialized (
  select id
    from @runners
   where ${where}
   order by id
     for update skip locked
)
select id
  from locked
 where ${raw(TRY_LOCK_ALONE)}`,
    notification: (change) =>
      sql`select ${raw(notifySql({ channel: "'sluice_@schema'", payload: `'${news.tell(change)}'` }))}`,
    // Elements are compared in encoded form: decoding an element that contains "\u0000" is an error.
    holdsAll: (column, texts) =>
      sql`case when ${raw(column)} is null then false
            else (select array_agg(held.value::text) from json_array_elements(${raw(column)}::json) as held)
                 @> ${texts.map((text) => JSON.stringify(text))}::text[] end`,
    textAt,
    contains: (column, paths, text) => sql`coalesce(strpos(${textAt(column, paths)}, ${text}::text), 0) > 0`,
    runIndexes: raw(`
select c.relname as name
  from pg_catalog.pg_index as i
  join pg_catalog.pg_class as c on c.oid = i.indexrelid
 where i.indrelid = '@runs'::regclass and i.indisvalid`),
    checks: SERVER_CHECKS,
    // An index into an array decodes the elements before it; this does not.
    lastOf: (column) =>
      sql`(select '[' || held.value || ']'
               from json_array_elements(${raw(column)}::json) with ordinality as held
              order by held.ordinality desc
              limit 1)`,
    digest: (column, where) =>
      sql`md5(string_agg(${raw(column)}, ',' order by task, item, step) filter (where ${where}))`,
  };
}

/** To decode a null character or a lone surrogate, which JSON.stringify() escapes, is an error. */
function textAt(column: string, paths: TextPaths): Sql {
  const [found, escape, escapes] = [raw(column), "\\u", "\\\\u(0000|d[89a-f][0-9a-f]{2})"];
  const json = sql`(case when strpos(${found}, ${escape}::text) = 0 then ${found}
                         else regexp_replace(${found}, ${escapes}::text, ${"\ufffd"}::text, 'g') end)::json`;
  const members = paths.map(([path, end]) => sql`coalesce(${json} #>> ${path}::text[], '') || ${end}::text`);
  return sql`case when ${found} is not null then ${join(members, " || ")} end`;
}

function array({ type, items }: Items): Sql {
  return sql`${items}::${raw(type)}[]`;
}

function walk({ name, columns, where }: WalkOptions): Sql {
  const names = raw(columns.join(", "));
  const found = raw(columns.map((column) => `n.${column}`).join(", "));
  const walked = raw(columns.map((column) => `g.of_${column}`).join(", "));
  return sql`
${raw(name)} (${raw(columns.map((column) => `of_${column}`).join(", "))}) as (
  (select ${names}
     from @runs
    where ${where}
    order by ${names}
    limit 1)
   union all
  select ${found}
    from ${raw(name)} as g
   cross join lateral (
           select ${names}
             from @runs
            where ${where} and (${names}) > (${walked})
            order by ${names}
            limit 1) as n
)`;
}
