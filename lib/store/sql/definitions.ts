import type { Served } from "../port/batch.ts";
import type { Row } from "../shared/decode.ts";
import { decodeRunners, RUNNER_COLUMNS } from "../shared/rows.ts";
import { type Dialect, type Items, texts } from "./dialect.ts";
import { all, change, first, type Op, pause, transaction, write } from "./operation.ts";
import { PAUSED, STRANDED } from "./sources.ts";
import { raw, sql } from "./statement.ts";
import { isStorable } from "./texts.ts";

/** A definition to store. */
export type Definition = Served & {
  /** The same hash without code. */
  readonly structure: string;
  /** Its graph as JSON text. */
  readonly graph: string;
  /** Whether a run may have something to undo: itself, or in its child runs. @default {false} */
  readonly compensates?: boolean;
};

// In one transaction, so that an update never keeps a claim waiting for long.
const UNSTRANDED_AT_ONCE = 1_000;

const RUNS_READ_AT_ONCE = 2_500;

/** Stores definitions, once per version, in one order so that two runners do not wait for each other. */
export function* define(db: Dialect, definitions: readonly Definition[]): Op<void> {
  const defined = db.rows("defined", {
    ...namesOf(definitions),
    structure: texts(definitions.map(({ structure }) => structure)),
    graph: texts(definitions.map(({ graph }) => graph)),
    compensates: { type: "integer", items: definitions.map(({ compensates }) => compensates === true ? 1 : 0) },
  });
  yield* change(sql`
insert into @workflows (workflow, version, structure, graph, created_at, compensates)
select workflow, version, structure, graph, ${db.now()}, compensates
  from ${defined}
 where true
 order by workflow, version
    on conflict (workflow, version) do nothing`);
}

/** A stored definition. */
export function* readDefinition({ workflow, version }: Served): Op<string | undefined> {
  if (!isStorable(workflow + version)) return undefined;
  const row = yield* first(sql`select graph from @workflows where workflow = ${workflow} and version = ${version}`);
  return row === undefined ? undefined : String(row["graph"]);
}

/** Lets stranded runs be claimed again if none of these versions gave them up; returns how many. */
export function* unstrand(db: Dialect, served: readonly Served[]): Op<number> {
  const names = namesOf(served);
  const stranded = sql`
         select seq
           from @runs indexed by runs_stranded
          where ${raw(STRANDED)} and ${db.isIn("workflow", names.workflow)}
          union all
         select seq
           from @runs indexed by runs_rare
          where ${raw(PAUSED)} and owner is null and stranded_by is not null and ${
    db.isIn("workflow", names.workflow)
  }`;
  // In the order of their numbers, in which all transactions lock runs.
  const givenUpByOthers = sql`
         select seq
           from @runs
          where ${db.isIn("seq", stranded)}
            and ((workflow, stranded_by) in (select * from ${db.rows("served", names)})) is false
          order by seq
          limit ${UNSTRANDED_AT_ONCE}${db.forUpdate}`;
  for (let freed = 0;;) {
    const rows = yield* change(sql`
update @runs
   set stranded_by = null,
       reason = case when state = 'paused' then reason end
 where ${db.isIn("seq", givenUpByOthers)}`);
    freed += rows;
    if (rows < UNSTRANDED_AT_ONCE) return freed;
    yield* pause();
  }
}

/**
 * Deletes the definitions that were stored before a time, that no runner serves, with which no run started, and which no
 * schedule starts.
 */
export function* deleteUnusedDefinitions(db: Dialect, before: number): Op<void> {
  const rows = yield* all(sql`
select workflow, version
  from @workflows
 where created_at < ${before}`);
  const unused = new Map(rows.map((row) => [keyOf(row), decodeServed(row)]));
  if (unused.size === 0) return;
  for (const served of [...yield* readServed(), ...yield* readScheduled()]) unused.delete(keyOf(served));
  let after = 0;
  while (unused.size > 0) {
    const slice = yield* readVersions(after);
    for (const row of slice) unused.delete(keyOf(row));
    if (slice.reduce((sum, row) => sum + Number(row["runs"]), 0) < RUNS_READ_AT_ONCE) break;
    after = Math.max(...slice.map((row) => Number(row["last"])));
    yield* pause();
  }
  if (unused.size === 0) return;
  yield* transaction(function* () {
    const deleted = yield* write(sql`
delete from @workflows
 where (workflow, version) in (select * from ${db.rows("unused", namesOf([...unused.values()]))})
returning workflow, version, structure, graph, created_at, compensates`);
    // A runner joins before it stores its definitions: it is seen here, or its insert waits for this transaction.
    const used = new Set(
      [...yield* readServed(), ...yield* readScheduled(), ...yield* readVersions(after)].map(keyOf),
    );
    for (const row of deleted.filter((row) => used.has(keyOf(row)))) {
      yield* change(sql`
insert into @workflows (workflow, version, structure, graph, created_at, compensates)
values (${String(row["workflow"])}, ${String(row["version"])}, ${String(row["structure"])}, ${String(row["graph"])},
        ${Number(row["created_at"])}, ${Number(row["compensates"])})`);
    }
  });
}

/** The versions with which the next runs after a number started. */
function* readVersions(after: number): Op<readonly Row[]> {
  return yield* all(sql`
select workflow, version, max(seq) as last, count(*) as runs
  from (select seq, workflow, version
          from @runs
         where seq > ${after}
         order by seq
         limit ${RUNS_READ_AT_ONCE}) as slice
 group by workflow, version`);
}

/** The versions that registered runners serve. */
function* readServed(): Op<readonly Served[]> {
  return decodeRunners(yield* all(sql`select ${raw(RUNNER_COLUMNS)} from @runners`)).flatMap(({ served }) => served);
}

/** The versions with which schedules and polls start runs. */
function* readScheduled(): Op<readonly Served[]> {
  return (yield* all(sql`select definition from @schedules`)).flatMap(({ definition }) => decodeTarget(definition));
}

function namesOf(served: readonly Served[]): { readonly workflow: Items; readonly version: Items } {
  return {
    workflow: texts(served.map(({ workflow }) => workflow)),
    version: texts(served.map(({ version }) => version)),
  };
}

function decodeTarget(definition: unknown): readonly Served[] {
  try {
    const { workflow, version } = JSON.parse(String(definition));
    return [{ workflow: String(workflow), version: String(version) }];
  } catch {
    // An invalid row names no version.
    return [];
  }
}

function decodeServed(row: Row): Served {
  return { workflow: String(row["workflow"]), version: String(row["version"]) };
}

function keyOf({ workflow, version }: { readonly workflow?: unknown; readonly version?: unknown }): string {
  return JSON.stringify([workflow, version]);
}
