import type { Served } from "../batch.ts";
import type { ListedRun } from "../listing.ts";
import type { Group } from "../port.ts";
import { decodeListedRun, LISTED_COLUMNS } from "../rows.ts";
import { texts } from "./arrays.ts";
import { DUE, groupWalk, STRANDED } from "./claim_sql.ts";
import { ORDERED } from "./runners.ts";
import type { Session } from "./session.ts";

/** A definition to store. */
export type Definition = Served & { readonly structure: string; readonly graph: string };

const DEFINED = `
select workflow, version
  from @workflows
 where workflow = any($1::text[])`;

const DEFINE = `
insert into @workflows (workflow, version, structure, graph, created_at)
select d.workflow, d.version, d.structure, d.graph, @now
  from unnest($2::text[], $3::text[], $4::text[], $5::text[]) as d (workflow, version, structure, graph)
 order by d.workflow, d.version
    on conflict (workflow, version) do nothing
returning 1`;

const DEFINITION = `select graph from @workflows where workflow = $1 and version = $2`;

// In the order of their numbers, as others lock them.
const UNSTRAND = `
with freed as (
  update @runs as r
     set stranded_by = null, reason = case when r.state = 'paused' then r.reason end
   where r.seq = any(array(
           select seq
             from @runs
            where seq = any(array(
                    select r.seq
                      from @runs as r
                     where ${STRANDED} and r.workflow = any($1::text[])
                     union all
                    select r.seq
                      from @runs as r
                     where r.owner is null and ${ORDERED} and r.workflow = any($1::text[]) and r.stranded_by is not null))
              and ((workflow, stranded_by) in (select * from unnest($1::text[], $2::text[]))) is false
            order by seq
              for update))
  returning 1
)
select count(*) as runs from freed`;

const GROUPS = `
with recursive ${groupWalk("true")},
stranded (workflow, version) as (
  (select r.workflow, r.version
     from @runs as r
    where ${STRANDED}
    order by r.workflow, r.version
    limit 1)
  union all
  select n.workflow, n.version
    from stranded as g
   cross join lateral (
           select r.workflow, r.version
             from @runs as r
            where ${STRANDED} and (r.workflow, r.version) > (g.workflow, g.version)
            order by r.workflow, r.version
            limit 1) as n
)
select distinct workflow, version, false as stranded from groups
 union all
select workflow, version, true from stranded`;

const UNOWNED = `
with recursive ${groupWalk("g.workflow = $1")}
select ${LISTED_COLUMNS}
  from (select d.*
          from groups as g
         cross join lateral (
                 select *
                   from @runs as r
                  where ${DUE} and r.priority = g.priority and r.workflow = g.workflow and r.version = g.version
                  order by r.due_at, r.seq
                  limit $3::bigint) as d
         where g.workflow = $1 and g.version = $2) as r
 order by priority, due_at, seq
 limit $3::bigint`;

const UNOWNED_STRANDED = `
select ${LISTED_COLUMNS}
  from @runs as r
 where ${STRANDED} and r.workflow = $1 and r.version = $2
 order by r.priority, r.due_at, r.seq
 limit $3::bigint`;

/** Stores definitions, once per version. Nearly always they are there, and asking takes no lock. */
export async function define(session: Session, definitions: readonly Definition[]): Promise<void> {
  const names = definitions.map(({ workflow }) => workflow);
  const rows = await session.read(DEFINED, [texts([...new Set(names)])], "care");
  const there = new Set(rows.map((row) => JSON.stringify([row["workflow"], row["version"]])));
  const missing = definitions.filter(({ workflow, version }) => !there.has(JSON.stringify([workflow, version])));
  if (missing.length === 0) return;
  const values = [
    session.at,
    texts(missing.map(({ workflow }) => workflow)),
    texts(missing.map(({ version }) => version)),
    texts(missing.map(({ structure }) => structure)),
    texts(missing.map(({ graph }) => graph)),
  ];
  await session.write("care", DEFINE, values, (rows) => rows.length);
}

/** A stored definition. */
export async function readDefinition(session: Session, { workflow, version }: Served): Promise<string | undefined> {
  const [row] = await session.read(DEFINITION, [workflow, version]);
  return row === undefined ? undefined : String(row["graph"]);
}

/** Lets stranded runs be tried again where none of these versions gave them up; answers how many. */
export async function unstrand(session: Session, served: readonly Served[]): Promise<number> {
  const values = [texts(served.map(({ workflow }) => workflow)), texts(served.map(({ version }) => version))];
  const [row] = await session.write("care", UNSTRAND, values, ([answer]) => Number(answer?.["runs"]));
  return Number(row?.["runs"]);
}

/** Which workflows and versions have live runs that nobody owns. */
export async function readGroups(session: Session): Promise<readonly Group[]> {
  return (await session.read(GROUPS)).map((row) => ({
    workflow: String(row["workflow"]),
    version: String(row["version"]),
    stranded: row["stranded"] === true,
  }));
}

/** Live runs of a group that nobody owns, in the order in which they would be claimed. */
export async function readUnowned(session: Session, group: Group, limit: number): Promise<readonly ListedRun[]> {
  const { workflow, version, stranded } = group;
  const rows = await session.read(stranded ? UNOWNED_STRANDED : UNOWNED, [workflow, version, String(limit)]);
  return rows.map(decodeListedRun);
}
