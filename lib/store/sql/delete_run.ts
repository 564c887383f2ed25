import type { DeleteResult, RunSelection } from "../port/listing.ts";
import { decodeListedRun, LISTED_COLUMNS } from "../shared/run_rows.ts";
import { type Dialect, seqs as numbers } from "./dialect.ts";
import { all, first, type Op, pause } from "./operation.ts";
import { deleteRuns, RUNS_AT_ONCE } from "./prune.ts";
import { selected } from "./run_filter.ts";
import { readRun } from "./runs.ts";
import { raw, type Sql, sql } from "./statement.ts";

/** Deletes a run that has ended, with its descendants and all rows that belong to them. */
export function* deleteRun(db: Dialect, id: string): Op<DeleteResult> {
  const root = yield* readRun(id);
  if (root === undefined) return { kind: "unknown" };
  if (root.endedAt === undefined) return { kind: "live", runId: id, state: root.state };
  const parent = root.parent && (yield* first(sql`select id from @runs where seq = ${root.parent.run}`));
  if (parent !== undefined) return { kind: "child", parentId: String(parent["id"]) };
  const live = yield* first(sql`
with recursive ${tree(db, [root.seq])}
select ${raw(LISTED_COLUMNS)}
  from @runs
 where ${db.isIn("seq", sql`select seq from tree`)} and ended_at is null
 order by seq
 limit 1`);
  if (live !== undefined) {
    const { id: runId, state } = decodeListedRun(live);
    return { kind: "live", runId, state };
  }
  const runs = (yield* deleteTrees(db, [root.seq], raw("true"))).length;
  // It was retried, or deleted, since it was read.
  return runs === 0 ? yield* deleteRun(db, id) : { kind: "deleted", runs };
}

/**
 * Deletes those of the selected runs that match and have ended, as `deleteRun()` does each of them; returns their number.
 * Child runs are left to their parents, as are runs with a descendant that has not ended.
 */
export function* deleteMany(db: Dialect, selection: RunSelection): Op<number> {
  const isMatch = selected(db, selection);
  const rows = yield* all(sql`
select seq
  from @runs
 where ${isMatch} and ended_at is not null and not ${HAS_PARENT}
 order by seq`);
  const roots = rows.map((row) => Number(row["seq"]));
  if (roots.length === 0) return 0;
  const live = yield* all(sql`
with recursive ${tree(db, roots)}
select distinct root
  from tree
 where exists (select 1 from @runs as r where r.seq = tree.seq and r.ended_at is null)`);
  const kept = new Set(live.map((row) => Number(row["root"])));
  const chosen = roots.filter((seq) => !kept.has(seq));
  const deleted = new Set(yield* deleteTrees(db, chosen, sql`${isMatch} and not ${HAS_PARENT}`));
  return chosen.filter((seq) => deleted.has(seq)).length;
}

/** The condition that a run is the child of a run that exists. */
const HAS_PARENT = raw("(parent is not null and exists (select 1 from @runs as p where p.seq = @runs.parent))");

/**
 * Deletes runs that have ended and for which a condition still holds, with their descendants, all of which have ended;
 * returns their numbers. A run is deleted first, so that it cannot be retried without its child runs; then the others in
 * parts, parents first.
 */
function* deleteTrees(db: Dialect, roots: readonly number[], where: Sql): Op<readonly number[]> {
  if (roots.length === 0) return [];
  const rows = yield* all(sql`
with recursive ${tree(db, roots)}
select root, seq from tree order by seq`);
  const gone = yield* deleteRuns(db, roots, where);
  const left = new Set(gone);
  const descendants = rows.filter((row) => left.has(Number(row["root"]))).map((row) => Number(row["seq"]));
  for (let at = 0; at < descendants.length; at += RUNS_AT_ONCE) {
    yield* pause();
    yield* deleteRuns(db, descendants.slice(at, at + RUNS_AT_ONCE), raw("true"));
  }
  return [...gone, ...descendants];
}

/** A recursive common table expression `tree (root, seq)`: the descendants of runs. */
function tree(db: Dialect, roots: readonly number[]): Sql {
  const each = db.each({
    as: "c",
    index: "runs_parent",
    where: sql`parent = tree.seq`,
    limit: Number.MAX_SAFE_INTEGER,
  });
  return sql`
tree (root, seq) as (
  select parent, seq
    from @runs
   where ${db.isIn("parent", numbers(roots))}
   union all
  select tree.root, c.seq
    from tree${each}
)`;
}
