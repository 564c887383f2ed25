import type { DeleteResult } from "../listing.ts";
import { decodeListedRun, LISTED_COLUMNS } from "../run_rows.ts";
import type { Dialect } from "./dialect.ts";
import { all, first, type Op, pause } from "./operation.ts";
import { deleteRuns, RUNS_AT_ONCE } from "./prune.ts";
import { readRun } from "./runs.ts";
import { raw, type Sql, sql } from "./statement.ts";

/**
 * Deletes a run that has ended, with its descendants and all rows that belong to them. The run is deleted first, so that it
 * cannot be retried without its child runs; then the others in parts, parents first.
 */
export function* deleteRun(db: Dialect, id: string): Op<DeleteResult> {
  const root = yield* readRun(id);
  if (root === undefined) return { kind: "unknown" };
  if (root.endedAt === undefined) return { kind: "live", runId: id, state: root.state };
  const parent = root.parent && (yield* first(sql`select id from @runs where seq = ${root.parent.run}`));
  if (parent !== undefined) return { kind: "child", parentId: String(parent["id"]) };
  const live = yield* first(sql`
with recursive ${tree(db, root.seq)}
select ${raw(LISTED_COLUMNS)}
  from @runs
 where ${db.isIn("seq", sql`select seq from tree`)} and ended_at is null
 order by seq
 limit 1`);
  if (live !== undefined) {
    const { id: runId, state } = decodeListedRun(live);
    return { kind: "live", runId, state };
  }
  const seqs = [
    root.seq,
    ...(yield* all(sql`
with recursive ${tree(db, root.seq)}
select seq from tree order by seq`)).map((row) => Number(row["seq"])),
  ];
  const always = Number.MAX_SAFE_INTEGER;
  // It was retried, or deleted, since it was read.
  if ((yield* deleteRuns(db, seqs.slice(0, 1), always)) === 0) return yield* deleteRun(db, id);
  for (let at = 1; at < seqs.length; at += RUNS_AT_ONCE) {
    yield* pause();
    yield* deleteRuns(db, seqs.slice(at, at + RUNS_AT_ONCE), always);
  }
  return { kind: "deleted", runs: seqs.length };
}

/** A recursive common table expression `tree (seq)`: the descendants of a run. */
function tree(db: Dialect, root: number): Sql {
  const each = db.each({
    as: "c",
    index: "runs_parent",
    where: sql`parent = tree.seq`,
    limit: Number.MAX_SAFE_INTEGER,
  });
  return sql`
tree (seq) as (
  select seq
    from @runs
   where parent = ${root}
   union all
  select c.seq
    from tree${each}
)`;
}
