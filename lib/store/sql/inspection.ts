/** The queries of the inspector: each does a bounded amount of work, however many runs there are. */
import type { Served, TaskState } from "../port/batch.ts";
import type { DefinitionRow, Inspection, Outline, PayloadName, TaskChildrenQuery, Timing } from "../port/inspection.ts";
import { JOURNAL } from "../shared/last_result.ts";
import type { ListedRun } from "../port/listing.ts";
import type { Row } from "../shared/decode.ts";
import { decodeDefinition, decodeTaskState, decodeTiming, decodeValid } from "../shared/rows.ts";
import { decodeListedRun, decodeOutline, LISTED_COLUMNS, OUTLINE_COLUMNS } from "../shared/run_rows.ts";
import { type Dialect, seqs as seqsOf, texts } from "./dialect.ts";
import { readFailures, readOutcomes } from "./outcomes.ts";
import { readHeads, readItemHeads } from "./heads.ts";
import { searchRuns } from "./listing.ts";
import { all, type Database, first, type Op } from "./operation.ts";
import { readPulses } from "./pulse.ts";
import { raw, sql } from "./statement.ts";
import { HAS_ACTIVE_KEY, HAS_KEY } from "./sources.ts";
import { tallyRuns } from "./tally.ts";
import { isIdPrefix, isStorable, padId } from "./texts.ts";

// After all keys that begin with a text, whatever their next character.
const LAST = "\u{10ffff}";

const MOST_WORKFLOWS = 200;

const DEFINITION_COLUMNS = raw("workflow, version, structure, created_at");

/** The queries of the inspector on a database. `pulse` returns a text that differs after a change to a list of runs. */
export function createInspection({ dialect: db, execute }: Database, pulse: () => Promise<string>): Inspection {
  return {
    tally: (most) => execute(tallyRuns(db, most)),
    search: (query) => execute(searchRuns(db, query)),
    find: (text, limit) => execute(find(db, text, limit)),
    forks: (id, limit) => execute(readForks(id, limit)),
    bySeq: (seq) => execute(readBySeq(seq)),
    children: (parent, limit) => execute(readChildrenByState(parent, limit)),
    taskChildren: (query) => execute(readTaskChildren(db, query)),
    heads: (seq, query) => execute(readHeads(db, seq, query)),
    items: (query) => execute(readItemHeads(db, query)),
    payload: (seq, name) => execute(readPayload(seq, name)),
    definitions: (limit) => execute(readDefinitions(limit)),
    definitionBytes: (of) => execute(readDefinitionBytes(of)),
    versions: (workflow, limit) => execute(readVersions(workflow, limit)),
    latest: (workflow, limit, budget) => execute(readLatest(workflow, limit, budget)),
    timings: (seqs, limit) => execute(readTimings(db, seqs, limit)),
    owned: (most) => execute(countOwned(db, most)),
    heldTasks: (most) => execute(countHeldTasks(db, most)),
    failures: (query) => execute(readFailures(db, query)),
    outcomes: (spans) => execute(readOutcomes(db, spans)),
    pulse,
    pulses: (ids) => execute(readPulses(db, ids)),
  };
}

/** The most child runs of a run that are read. */
const MOST_CHILDREN = 5_000;

function* find(db: Dialect, text: string, limit: number): Op<readonly ListedRun[]> {
  if (!isStorable(text)) return [];
  const byId = isIdPrefix(text)
    ? yield* all(sql`
select ${raw(LISTED_COLUMNS)}
  from @runs
 where id >= ${padId(text, "0")} and id <= ${padId(text, "f")}
 order by id desc
 limit ${limit}`)
    : [];
  const byKey = byId.length < limit ? yield* findByKey(db, text, limit) : [];
  const found = new Map([...byId, ...byKey].map((row) => [row["seq"], decodeListedRun(row)]));
  return [...found.values()].slice(0, limit);
}

/** Keys are unique within a workflow, so each workflow is searched by itself. */
function* findByKey(db: Dialect, text: string, limit: number): Op<readonly Row[]> {
  const rows: Row[] = [];
  for (const { index, having } of KEYS) {
    const where = sql`${having} and workflow = of_workflow and key >= ${text} and key < ${text + LAST}`;
    rows.push(
      ...yield* all(sql`
with recursive ${db.walk({ name: "workflows", index, columns: ["workflow"], where: having })}
select ${raw(LISTED_COLUMNS)}
  from (select * from workflows limit ${MOST_WORKFLOWS}) as w
 ${db.each({ as: "run", index, where, limit })}
 limit ${limit}`),
    );
  }
  return rows;
}

const KEYS = [
  { index: "runs_key", having: raw(HAS_KEY) },
  { index: "runs_active_key", having: raw(HAS_ACTIVE_KEY) },
];

function* readForks(id: string, limit: number): Op<readonly ListedRun[]> {
  const rows = yield* all(sql`
select ${raw(LISTED_COLUMNS)}
  from @runs indexed by runs_forked
 where forked_from is not null and forked_from = ${id}
 order by seq desc
 limit ${limit}`);
  return rows.map(decodeListedRun);
}

function* readBySeq(seq: number): Op<ListedRun | undefined> {
  const row = yield* first(sql`select ${raw(LISTED_COLUMNS)} from @runs where seq = ${seq}`);
  return row === undefined ? undefined : decodeListedRun(row);
}

function* readChildrenByState(parent: number, limit: number): Op<readonly ListedRun[]> {
  const rows = yield* all(sql`
select ${raw(LISTED_COLUMNS)}
  from (select *
          from @runs indexed by runs_parent
         where parent = ${parent}
         order by parent_task, parent_item, coalesce(superseded, 0)
         limit ${MOST_CHILDREN}) as c
 order by case when state = 'failed' then 0 when ended_at is null then 1 else 2 end, parent_task, parent_item, seq
 limit ${limit}`);
  return rows.map(decodeListedRun);
}

/** Each task and item is one seek in the index. */
function* readTaskChildren(db: Dialect, { parent, tasks, items }: TaskChildrenQuery): Op<readonly ListedRun[]> {
  if (tasks.length === 0 || items.length === 0 || !tasks.every(isStorable)) return [];
  const rows = yield* all(sql`
select ${raw(LISTED_COLUMNS)}
  from @runs indexed by runs_parent
 where parent = ${parent} and ${db.isIn("parent_task", texts(tasks))}
   and ${db.isIn("parent_item", { type: "integer", items })}
 order by seq`);
  return rows.map(decodeListedRun);
}

function* readPayload(seq: number, name: PayloadName): Op<string | undefined> {
  if (name.kind === "output" && !isStorable(name.task + name.step)) return undefined;
  const row = yield* first(
    name.kind === "input" ? sql`select input as payload from @runs where seq = ${seq}` : sql`
select output as payload
  from ${raw(JOURNAL)} as journal
 where run = ${seq} and task = ${name.task} and item = ${name.item} and step = ${name.step}`,
  );
  const text = row?.["payload"];
  return typeof text === "string" ? text : undefined;
}

function* readDefinitions(limit: number): Op<readonly DefinitionRow[]> {
  const rows = yield* all(sql`
select ${DEFINITION_COLUMNS}
  from @workflows
 order by workflow, version
 limit ${limit}`);
  return rows.map(decodeDefinition);
}

function* readDefinitionBytes({ workflow, version }: Served): Op<number | undefined> {
  if (!isStorable(workflow + version)) return undefined;
  const row = yield* first(sql`
select octet_length(graph) as bytes
  from @workflows
 where workflow = ${workflow} and version = ${version}`);
  return row === undefined ? undefined : Number(row["bytes"]);
}

function* readVersions(workflow: string, limit: number): Op<readonly DefinitionRow[]> {
  if (!isStorable(workflow)) return [];
  const rows = yield* all(sql`
select ${DEFINITION_COLUMNS}
  from @workflows
 where workflow = ${workflow}
 order by created_at desc, version
 limit ${limit}`);
  return rows.map(decodeDefinition);
}

function* readLatest(workflow: string | undefined, limit: number, budget: number): Op<readonly Outline[]> {
  if (!isStorable(workflow ?? "")) return [];
  const rows = yield* all(sql`
select ${raw(OUTLINE_COLUMNS)}
  from (select ${raw(OUTLINE_COLUMNS)}
          from @runs
         order by seq desc
         limit ${budget}) as latest
 where ${workflow === undefined ? sql`true` : sql`workflow = ${workflow}`}
 order by seq desc
 limit ${limit}`);
  return decodeValid(rows, decodeOutline);
}

function* readTimings(db: Dialect, seqs: readonly number[], limit: number): Op<readonly Timing[]> {
  const rows = yield* all(sql`
select run, task, state, attempts, started_at, ended_at
  from ${raw(JOURNAL)} as journal
 where ${db.isIn("run", seqsOf(seqs))} and item = -1 and step = ''
 limit ${limit}`);
  return decodeValid(rows, decodeTiming);
}

function* countOwned(db: Dialect, most: number): Op<Awaited<ReturnType<Inspection["owned"]>>> {
  const rows = yield* all(sql`
select owner, count(*) as runs
  from (select owner from ${db.held} limit ${most}) as held
 group by owner`);
  const counts = new Map(rows.map((row) => [Number(row["owner"]), Number(row["runs"])]));
  return { counts, isCapped: [...counts.values()].reduce((sum, runs) => sum + runs, 0) >= most };
}

function* countHeldTasks(db: Dialect, most: number): Op<ReadonlyMap<TaskState, number>> {
  const held = sql`select seq from (select seq from ${db.held} limit ${most}) as held`;
  const rows = yield* all(sql`
select state, count(*) as tasks
  from (select state
          from @tasks
         where ${db.isIn("run", held)} and item = -1 and step = ''
         limit ${most}) as recorded
 group by state`);
  return new Map(rows.map((row) => [decodeTaskState(row), Number(row["tasks"])]));
}
