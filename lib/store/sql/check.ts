/** Checks of the tables against the invariants that every transaction keeps. */
import type { Dialect } from "./dialect.ts";
import { all, first, type Op, pause } from "./operation.ts";
import { RUN_INDEXES } from "./sources.ts";
import { join, raw, sql } from "./statement.ts";

/** Rows that one statement looks at. */
const ROWS = 2_000;

/** Conditions of runs that must never hold, each with what it means. */
const WRONG_RUNS: readonly (readonly [condition: string, problem: string])[] = [
  [
    "(state = 'completed' or state = 'failed' or state = 'cancelled') <> (ended_at is not null)",
    "have a state that contradicts the time of their end",
  ],
  ["ended_at is not null and owner is not null", "have ended and have an owner"],
  ["state = 'running' and owner is null", "are running and have no owner"],
  [
    "owner is not null and not exists (select 1 from @runners as o where o.id = @runs.owner)",
    "have an owner that does not exist",
  ],
  ["state = 'pending' and owner is null and due_at is null", "are pending and never due"],
  ["state = 'paused' and paused_at is null", "are paused without a time"],
  ["state = 'failed' and error is null", "have failed without an error"],
  ["last_task is not null and state <> 'completed'", "have a last result and have not completed"],
  ["acknowledged > attention", "have acknowledged more changes than there were"],
  [
    "ended_at is null and parent is not null and not exists (select 1 from @runs as p where p.seq = @runs.parent)",
    "are child runs that have not ended, and whose parent does not exist",
  ],
];

/** Tables whose rows belong to runs. */
const PARTS = ["tasks", "messages", "events"] as const;

/** Returns what is wrong with a store, a sentence for each problem. */
export function* checkStore(db: Dialect): Op<readonly string[]> {
  const settings: string[] = [];
  for (const { query, problems } of db.checks) settings.push(...problems(yield* all(query)));
  return [...settings, ...yield* checkIndexes(db), ...yield* checkRuns(), ...yield* checkParts()];
}

function* checkIndexes(db: Dialect): Op<readonly string[]> {
  const indexes = (yield* all(db.runIndexes)).map((row) => row["name"]);
  const wanted = RUN_INDEXES.map((text) => /index (\w+) on/.exec(text)?.[1] ?? "");
  return wanted.filter((name) => !indexes.includes(name)).map((name) => `Index "${name}" of table "runs" is missing.`);
}

function* checkRuns(): Op<readonly string[]> {
  const wrong = WRONG_RUNS.map(() => ({ count: 0, seq: 0 }));
  const columns = WRONG_RUNS.map(([condition], at) =>
    raw(`sum(case when ${condition} then 1 else 0 end) as n${at}, min(case when ${condition} then seq end) as s${at}`)
  );
  for (let after = 0;;) {
    const end = yield* first(sql`
select max(seq) as last from (select seq from @runs where seq > ${after} order by seq limit ${ROWS}) as part`);
    if (end === undefined || end["last"] === null) break;
    const last = Number(end["last"]);
    const row = yield* first(sql`
select ${join(columns, ",\n       ")}
  from @runs
 where seq > ${after} and seq <= ${last}`);
    for (const [at, found] of wrong.entries()) {
      if (found.count === 0) found.seq = Number(row?.[`s${at}`] ?? 0);
      found.count += Number(row?.[`n${at}`] ?? 0);
    }
    after = last;
    yield* pause();
  }
  const problems: string[] = [];
  for (const [at, { count, seq }] of wrong.entries()) {
    if (count === 0) continue;
    const row = yield* first(sql`select id from @runs where seq = ${seq}`);
    problems.push(`${count} runs ${WRONG_RUNS[at]![1]}, such as run "${row?.["id"]}".`);
  }
  return problems;
}

/** Rows of runs that do not exist. */
function* checkParts(): Op<readonly string[]> {
  const problems: string[] = [];
  for (const table of PARTS) {
    let count = 0;
    for (let after = 0;;) {
      // Each run with rows in the table is sought once.
      const rows = yield* all(sql`
with recursive owners (run) as (
  select (select min(run) from ${raw(`@${table}`)} where run > ${after})
   union all
  select (select min(run) from ${raw(`@${table}`)} where run > owners.run)
    from owners
   where owners.run is not null
)
select run, case when exists (select 1 from @runs as r where r.seq = owners.run) then 0 else 1 end as is_orphan
  from owners
 where run is not null
 limit ${ROWS}`);
      count += rows.filter((row) => row["is_orphan"] === 1).length;
      const last = rows.at(-1);
      if (rows.length < ROWS || last === undefined) break;
      after = Number(last["run"]);
      yield* pause();
    }
    if (count > 0) {
      problems.push(
        `Table "${table}" has rows of ${count} runs that do not exist; a runner with the option "retention" deletes those ` +
          `of "tasks".`,
      );
    }
  }
  return problems;
}
