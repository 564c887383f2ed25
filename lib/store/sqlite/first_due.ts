/** When runs are due: an idle claim is one statement, whatever runs other workflows and later times have. */
import type { ClaimRequest } from "../port/batch.ts";
import { DUE, STRANDED } from "../sql/sources.ts";
import { raw, render, sql } from "../sql/statement.ts";
import { walk } from "./database.ts";
import type { Session } from "./session.ts";

const DUE_GROUPS = walk({
  name: "due",
  columns: ["priority", "workflow", "version"],
  index: "runs_due",
  where: raw(DUE),
});

const PARKED_GROUPS = walk({
  name: "parked",
  columns: ["workflow", "version"],
  index: "runs_stranded",
  where: raw(STRANDED),
});

/** All groups with the time at which their first run is due; parked runs are listed without a time. */
export const FIRST_DUE: string = render(sql`
with recursive ${DUE_GROUPS},
${PARKED_GROUPS}
select of_priority as priority, of_workflow as workflow, of_version as version, 0 as is_parked,
       (select due_at
          from runs indexed by runs_due
         where ${raw(DUE)} and priority = of_priority and workflow = of_workflow and version = of_version
           and due_at > ${raw(String(Number.MIN_SAFE_INTEGER))}
         order by due_at
         limit 1) as due_at
  from due
 union all
select null, of_workflow, of_version, 1, null
  from parked`).text;

/** Runs of equal priority, workflow and version, of which at least one is or becomes due. */
export interface DueGroup {
  readonly priority: number;
  readonly workflow: string;
  readonly version: string;
  /** When its first run is due. */
  readonly dueAt: number;
}

/** The runs without an owner that a request may claim. */
export interface DueGroups {
  /** Groups of runs that are not parked. */
  readonly groups: readonly DueGroup[];
  /** Whether there are parked runs of a served version; of these it is not known when they are due. */
  readonly hasParked: boolean;
}

/** Returns the groups of runs that the request may claim, with one statement, whatever other runs there are. */
export function dueGroups(session: Session, { served, pinned }: ClaimRequest): DueGroups {
  const workflows = new Set(served.map(({ workflow }) => workflow));
  const versions = new Set(served.map(({ workflow, version }) => JSON.stringify([workflow, version])));
  const groups: DueGroup[] = [];
  let hasParked = false;
  for (const { priority, workflow, version, is_parked: isParked, due_at: dueAt } of session.all(FIRST_DUE)) {
    const isServed = pinned || isParked === 1
      ? versions.has(JSON.stringify([workflow, version]))
      : workflows.has(String(workflow));
    if (!isServed) continue;
    if (isParked === 1) hasParked = true;
    else if (typeof dueAt === "number") {
      groups.push({ priority: Number(priority), workflow: String(workflow), version: String(version), dueAt });
    }
  }
  return { groups, hasParked };
}
