import type { LimitRule, LimitStore } from "../../port/limits.ts";
import { type Dialect, seqs, texts } from "../dialect.ts";
import { all, change, type Database, type Op, transaction } from "../operation.ts";
import { sql } from "../statement.ts";
import { exchange } from "./exchange.ts";
import { readLanes, readTotals } from "./lanes.ts";
import { lookAtLimits } from "./stale.ts";
import { readWaits } from "./waits.ts";

/** Creates the operations on limits of a database. */
export function createLimitStore({ dialect: db, execute }: Database): LimitStore {
  return {
    deploy: (rules, by) => execute(deploy(db, rules, by)),
    look: (runner) => execute(lookAtLimits(db, runner)),
    exchange: (request) => execute(exchange(db, request)),
    lanes: (query) => execute(readLanes(db, query)),
    waits: (query) => execute(readWaits(db, query)),
    totals: (limit) => execute(readTotals(limit)),
    rules: () => execute(readRules()),
  };
}

function* deploy(db: Dialect, rules: readonly LimitRule[], by: "runner" | "client"): Op<void> {
  if (rules.length === 0) return;
  const rows = db.rows("w", {
    of_name: texts(rules.map(({ name }) => name)),
    of_max: seqs(rules.map(({ max }) => max)),
    of_per: seqs(rules.map(({ perMs }) => perMs ?? -1)),
  });
  const changed = sql`
    on conflict (name) do update
   set max = excluded.max, per_ms = excluded.per_ms
 where limits.max <> excluded.max or coalesce(limits.per_ms, -1) <> coalesce(excluded.per_ms, -1)`;
  yield* transaction(() =>
    change(sql`
insert into @limits (name, max, per_ms)
select w.of_name, w.of_max, nullif(w.of_per, -1)
  from ${rows}
 where true
 order by w.of_name
${by === "runner" ? changed : sql`on conflict (name) do nothing`}`)
  );
}

function* readRules(): Op<readonly LimitRule[]> {
  const rows = yield* all(sql`select name, max, per_ms from @limits order by name`);
  return rows.map((row) => ({
    name: String(row["name"]),
    max: Number(row["max"]),
    perMs: row["per_ms"] === null ? undefined : Number(row["per_ms"]),
  }));
}
