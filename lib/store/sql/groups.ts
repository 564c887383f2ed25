import { rankSql } from "../shared/claim_order.ts";
import type { ListedRun } from "../port/listing.ts";
import type { Group } from "../port/store.ts";
import { decodeListedRun, LISTED_COLUMNS } from "../shared/run_rows.ts";
import type { Dialect } from "./dialect.ts";
import { all, type Op } from "./operation.ts";
import { DUE, STRANDED } from "./sources.ts";
import { raw, sql } from "./statement.ts";

/** Which workflows and versions have live runs without an owner. */
export function* readGroups(db: Dialect): Op<readonly Group[]> {
  const due = { index: "runs_due", columns: ["priority", "workflow", "version"], where: raw(DUE) };
  const stranded = { index: "runs_stranded", columns: ["workflow", "version"], where: raw(STRANDED) };
  const rows = yield* all(sql`
with recursive ${db.walk({ name: "due", ...due })},
${db.walk({ name: "stranded", ...stranded })}
select distinct of_workflow as workflow, of_version as version, 0 as stranded
  from due
 union all
select of_workflow, of_version, 1
  from stranded`);
  return rows.map((row) => ({
    workflow: String(row["workflow"]),
    version: String(row["version"]),
    stranded: row["stranded"] === 1,
  }));
}

/** Live runs of a group without an owner, in the order in which they would be claimed. */
export function* readUnowned(db: Dialect, { workflow, version, stranded }: Group, limit: number): Op<ListedRun[]> {
  const ofGroup = sql`workflow = ${workflow} and version = ${version}`;
  const { index, of, inPriority } = stranded
    ? { index: "runs_stranded", of: sql`${raw(STRANDED)} and ${ofGroup}`, inPriority: raw(STRANDED) }
    : { index: "runs_due", of: raw(DUE), inPriority: raw(DUE) };
  const where = sql`${inPriority} and priority = of_priority and ${ofGroup}`;
  const rows = yield* all(sql`
with recursive ${db.walk({ name: "priorities", index, columns: ["priority"], where: of })}
select ${raw(LISTED_COLUMNS)}
  from priorities
 ${db.each({ as: "run", index, where, order: "due_at, seq", limit })}
 order by ${raw(rankSql())}, priority, seq
 limit ${limit}`);
  return rows.map(decodeListedRun);
}
