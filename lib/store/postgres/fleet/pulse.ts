import { first, type Op } from "../../sql/operation.ts";
import { DUE, PAUSED, STRANDED } from "../../sql/sources.ts";
import { raw, type Sql, sql } from "../../sql/statement.ts";
import { heldSql } from "./held.ts";

const MOST_RUNS = 10_000;

/** Reads a text that differs after any change to a list of runs: each change moves a run into or out of these sets. */
export function* readPulse(): Op<string> {
  const row = yield* first(sql`
select (select max(seq) from @runs) as newest,
       ${seqsOf(heldSql())} as held,
       ${seqsOf(PAUSED)} as paused,
       ${countOf(DUE)} as due,
       ${countOf(STRANDED)} as stranded,
       (select max(seq) from @runs where rare_state = 'failed' or rare_state = 'cancelled') as unsuccessful,
       (select string_agg(id::text, ',' order by id) from @runners where not dead) as runners`);
  return JSON.stringify(row);
}

function seqsOf(condition: string): Sql {
  return sql`
       (select count(*) || ',' || coalesce(sum(seq), 0)
          from (select seq from @runs where ${raw(condition)} limit ${MOST_RUNS}) as runs)`;
}

function countOf(condition: string): Sql {
  return sql`(select count(*) from (select 1 from @runs where ${raw(condition)} limit ${MOST_RUNS}) as runs)`;
}
