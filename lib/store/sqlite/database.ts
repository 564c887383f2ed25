import { and, join, raw, render, type Sql, sql, type Value } from "../sql/statement.ts";
import { breathe } from "../shared/breathe.ts";
import type { Dialect, EachOptions, Items, TextPaths, WalkOptions } from "../sql/dialect.ts";
import type { Database, Op, Step } from "../sql/operation.ts";
import { FILE_CHECKS } from "./check_file.ts";
import type { Bindable, Row } from "./driver.ts";
import type { Session } from "./session.ts";
import { raiseSql } from "./wakeups.ts";

// An operation may block the event loop for 5 ms, and a stride itself takes a few milliseconds.
const LONGEST_STRETCH_MS = 2;

/** Creates a database that executes operations on a SQLite connection, in the caller's thread. */
export function createDatabase(session: Session): Database {
  return { dialect: createDialect(session), execute };

  async function execute<T>(operation: Op<T>): Promise<T> {
    let since = performance.now();
    let state = operation.next([]);
    while (state.done !== true) {
      const step = state.value;
      switch (step.kind) {
        case "read":
          await session.read("read", readOn);
          break;
        case "write":
        case "change":
          state = operation.next(await session.write("write to", () => perform(session, step)));
          break;
        case "transaction":
          await session.write("write to", () => runNow(session, step.work(false)));
          state = operation.next([]);
          break;
        case "pause":
          if (performance.now() - since >= LONGEST_STRETCH_MS) {
            await breathe();
            since = performance.now();
          }
          state = operation.next([]);
      }
    }
    return state.value;

    // This process changes nothing between the reads up to the next pause. After an error the operation is still at the
    // statement that failed, so that a retry continues there.
    function readOn(): void {
      while (state.done !== true && state.value.kind === "read") state = operation.next(perform(session, state.value));
    }
  }
}

/** Executes an operation inside the open transaction. */
export function executeWithin<T>(session: Session, work: (db: Dialect) => Op<T>): T {
  return runNow(session, work(createDialect(session)));
}

function runNow<T>(session: Session, operation: Op<T>): T {
  let state = operation.next([]);
  while (state.done !== true) state = operation.next(perform(session, state.value));
  return state.value;
}

function perform(session: Session, step: Step): readonly Row[] {
  if (step.kind === "pause" || step.kind === "transaction") {
    throw new TypeError(`Cannot execute a step of the kind "${step.kind}" inside of a transaction`);
  }
  const rendered = render(step.statement);
  const text = rendered.text.replaceAll("@", "");
  const values = rendered.values.map(encode);
  switch (step.kind) {
    case "read":
      return session.all(text, ...values);
    case "write":
      return session.returning(text, ...values);
    case "change":
      return [{ changed: session.run(text, ...values).changes }];
  }
}

function encode(value: Value): Bindable {
  if (value === null) return null;
  return typeof value === "object" ? JSON.stringify(value) : value;
}

function createDialect({ now, steps }: Session): Dialect {
  return {
    // A few milliseconds of work.
    stride: 2_500,
    reusesNumbers: true,
    now: () => sql`${now()}`,
    steadyMs: steps.steadyMs,
    setAheadMs: steps.setAheadMs,
    isIn(column, among) {
      return "type" in among
        ? sql`${raw(column)} in (select value from json_each(${among.items}))`
        : sql`${raw(column)} in (${among})`;
    },
    rows,
    walk,
    each,
    held: raw("@runs indexed by runs_owned where owner is not null"),
    ownedBy: (runners) =>
      sql`select seq from runs indexed by runs_owned where owner in (select value from json_each(${runners.items}))`,
    firstTasks: (where, limit) =>
      sql`(run, task, item, step) in (
         select run, task, item, step
           from tasks
          where ${where}
          limit ${limit})`,
    forUpdate: raw(""),
    forUpdateOfFree: raw(""),
    // No row lock is needed: SQLite has at most one write transaction at a time.
    lockRunners: (where) => sql`select id from @runners where ${where} order by id`,
    notification: raiseSql,
    // Malformed JSON in one row must not fail a whole list. A "case" guards it, as SQLite does not reorder its branches.
    // The tags of a row are parsed once, however many are wanted: of 20 wanted and 100 of a row, a check for each that is
    // wanted took 1.5 ms a row, this takes 0.06 ms.
    holdsAll: (column, texts) =>
      sql`case when not json_valid(${raw(column)}) then 0
            else (select count(distinct value)
                    from json_each(${raw(column)})
                   where value in (select value from json_each(${texts}))) = ${new Set(texts).size} end`,
    textAt,
    contains: (column, paths, text) => sql`coalesce(instr(${textAt(column, paths)}, ${text}), 0) > 0`,
    runIndexes: raw("select name from sqlite_schema where type = 'index' and tbl_name = 'runs'"),
    checks: FILE_CHECKS,
    inOrder: () => raw(""),
    lastOf: (column) => sql`json_array(json_extract(${raw(column)}, '$[#-1]'))`,
    digest: (column, where) => sql`group_concat(${raw(column)}) filter (where ${where})`,
  };
}

function textAt(column: string, paths: TextPaths): Sql {
  const members = paths.map(([path, end]) => sql`coalesce(${raw(column)} ->> ${`$.${path.join(".")}`}, '') || ${end}`);
  return sql`case when json_valid(${raw(column)}) then ${join(members, " || ")} end`;
}

function each({ table = "runs", as, index, where, order, limit }: EachOptions): Sql {
  return order === undefined
    ? sql`
 cross join ${raw(table)} as ${raw(as)} indexed by ${raw(index)} on ${where}`
    : sql`
 cross join ${raw(table)} as ${raw(as)} on ${raw(as)}.rowid in (
         select rowid
           from ${raw(table)} indexed by ${raw(index)}
          where ${where}
          order by ${raw(order)}
          limit ${limit})`;
}

function rows(as: string, columns: Readonly<Record<string, Items>>): Sql {
  const arrays = Object.values(columns).map(({ items }) => items);
  const tuples = JSON.stringify((arrays[0] ?? []).map((_, i) => arrays.map((items) => items[i])));
  const names = Object.keys(columns).map((name, i) => `value ->> ${i} as ${name}`).join(", ");
  return sql`(select ${raw(names)} from json_each(${tuples})) as ${raw(as)}`;
}

/** The walk of the dialect: see `Dialect.walk`. */
// One seek for each column: a comparison of all columns as a row value would read every entry with an equal first column.
export function walk({ name, columns, index, where }: WalkOptions): Sql {
  const names = columns.join(", ");
  const seeks = columns.map((column, at) => {
    const equal = columns.slice(0, at).map((prior) => raw(`${prior} = g.of_${prior}`));
    return sql`
           (select seq
              from runs indexed by ${raw(index)}
             where ${where} and ${and([...equal, raw(`${column} > g.of_${column}`)])}
             order by ${raw(columns.slice(at).join(", "))}
             limit 1)`;
  }).reverse();
  return sql`
${raw(name)} (${raw(columns.map((column) => `of_${column}`).join(", "))}) as (
  select *
    from (select ${raw(names)}
            from runs indexed by ${raw(index)}
           where ${where}
           order by ${raw(names)}
           limit 1)
   union all
  select ${raw(columns.map((column) => `n.${column}`).join(", "))}
    from ${raw(name)} as g
   cross join runs as n on n.seq = ${coalesce(seeks)}
)`;
}

function coalesce(parts: readonly Sql[]): Sql {
  const [only] = parts;
  if (parts.length === 1 && only !== undefined) return only;
  return { texts: ["coalesce(", ...parts.slice(1).map(() => ","), ")"], parts };
}
