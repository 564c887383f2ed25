import type { Served } from "../batch.ts";
import type { ListedRun } from "../listing.ts";
import type { Group } from "../port.ts";
import { DUE, dueGroups, STRANDED } from "./claim.ts";
import { ORDERED } from "./orders.ts";
import { decodeListedRun, LISTED_COLUMNS } from "../rows.ts";
import type { Session } from "./session.ts";

/** A definition to store. */
export type Definition = Served & { readonly structure: string; readonly graph: string };

const IS_DEFINED = `select 1 from workflows where workflow = $1 and version = $2`;

const DEFINE = `
insert into workflows (workflow, version, structure, graph, created_at)
values ($1, $2, $3, $4, $5)
on conflict (workflow, version) do nothing`;

const DEFINITION = `select graph from workflows where workflow = $1 and version = $2`;

const UNSTRAND = `
update runs indexed by runs_stranded
   set stranded_by = null, reason = null
 where ${STRANDED} and workflow = $1 and stranded_by not in (select value from json_each($2))`;

const UNSTRAND_PAUSED = `
update runs indexed by runs_ordered
   set stranded_by = null
 where owner is null and ${ORDERED} and workflow = $1 and stranded_by not in (select value from json_each($2))`;

const NEXT_STRANDED_WORKFLOW = `
select workflow, version
  from runs indexed by runs_stranded
 where ${STRANDED} and workflow > $1
 order by workflow, version
 limit 1`;

const NEXT_STRANDED_VERSION = `
select workflow, version
  from runs indexed by runs_stranded
 where ${STRANDED} and workflow = $1 and version > $2
 order by version
 limit 1`;

const UNOWNED = `
select ${LISTED_COLUMNS}
  from runs indexed by runs_due
 where ${DUE} and priority = $1 and workflow = $2 and version = $3
 order by due_at, seq
 limit $4`;

const UNOWNED_STRANDED = `
select ${LISTED_COLUMNS}
  from runs indexed by runs_stranded
 where ${STRANDED} and workflow = $1 and version = $2
 order by priority, due_at, seq
 limit $3`;

/** The definitions that are not stored yet. */
export function undefinedYet(session: Session, definitions: readonly Definition[]): readonly Definition[] {
  return definitions.filter(({ workflow, version }) => !session.get(IS_DEFINED, workflow, version));
}

/** Stores definitions. */
export function define(session: Session, definitions: readonly Definition[]): void {
  const now = session.now();
  for (const { workflow, version, structure, graph } of definitions) {
    session.run(DEFINE, workflow, version, structure, graph, now);
  }
}

/** A stored definition. */
export function readDefinition(session: Session, { workflow, version }: Served): string | undefined {
  const graph = session.get(DEFINITION, workflow, version)?.["graph"];
  return graph === undefined ? undefined : String(graph);
}

/** Lets stranded runs be tried again where none of these versions gave them up; answers how many. */
export function unstrand(session: Session, served: readonly Served[]): number {
  const versions = new Map<string, string[]>();
  for (const { workflow, version } of served) versions.set(workflow, [...versions.get(workflow) ?? [], version]);
  let changes = 0;
  for (const [workflow, of] of versions) {
    changes += session.run(UNSTRAND, workflow, JSON.stringify(of)).changes;
    changes += session.run(UNSTRAND_PAUSED, workflow, JSON.stringify(of)).changes;
  }
  return changes;
}

/** Which workflows and versions have live runs that nobody owns. */
export function readGroups(session: Session): readonly Group[] {
  const groups = new Map<string, Group>();
  for (const { workflow, version } of dueGroups(session, () => true)) {
    groups.set(JSON.stringify([workflow, version]), { workflow, version, stranded: false });
  }
  return [...groups.values(), ...strandedGroups(session)];
}

/** Live runs of a group that nobody owns, in the order in which they would be claimed. */
export function readUnowned(session: Session, group: Group, limit: number): readonly ListedRun[] {
  const { workflow, version, stranded } = group;
  if (stranded) return session.all(UNOWNED_STRANDED, workflow, version, limit).map(decodeListedRun);
  const runs: ListedRun[] = [];
  for (const { priority, version: of } of dueGroups(session, (name) => name === workflow)) {
    if (of !== version) continue;
    if (runs.length >= limit) break;
    runs.push(...session.all(UNOWNED, priority, workflow, version, limit - runs.length).map(decodeListedRun));
  }
  return runs;
}

function* strandedGroups(session: Session): Generator<Group> {
  let row = session.get(NEXT_STRANDED_WORKFLOW, "");
  while (row) {
    const workflow = String(row["workflow"]);
    const version = String(row["version"]);
    yield { workflow, version, stranded: true };
    row = session.get(NEXT_STRANDED_VERSION, workflow, version) ?? session.get(NEXT_STRANDED_WORKFLOW, workflow);
  }
}
