/** The conditions of a list of runs, which bulk operations apply again to the rows that they lock. */
import type { RunState } from "../port/batch.ts";
import { SHOWN_STATE } from "../shared/hand_over.ts";
import type { ParkedGroup, RunQuery, RunSelection } from "../port/listing.ts";
import { type Dialect, seqs as numbers, type TextPaths, texts } from "./dialect.ts";
import { and, raw, type Sql, sql } from "./statement.ts";
import { isStorable, isUuid } from "./texts.ts";

/** A state of runs that a column or an index shows to be live. */
export type LiveState = "pending" | "running" | "waiting" | "paused" | "compensating";

// A row costs more to read by these factors: its tags are parsed (a hundred long ones), or its error, or a task is sought.
const TAGS_COST = 10;
const ERROR_COST = 10;
const TASK_COST = 4;

/** The texts of an error that a search looks at, each with what separates it from the next one. */
const ERROR_TEXTS: TextPaths = [
  [["name"], ": "],
  [["message"], "\n"],
  [["code"], "\n"],
  [["cause", "name"], ": "],
  [["cause", "message"], "\n"],
  [["cause", "code"], ""],
];

/** The condition that a row of `runs` matches. */
export function filter(db: Dialect, query: RunQuery): Sql {
  const { workflow, version, states, since, until, endedSince, endedUntil, tags, keyPrefix = "" } = query;
  const { parent, schedule, parked, failedTask, error, seqs } = query;
  const conditions: Sql[] = [];
  if (seqs !== undefined) conditions.push(db.isIn("seq", numbers(seqs)));
  if (workflow !== undefined) conditions.push(sql`workflow = ${workflow}`);
  if (version !== undefined) conditions.push(sql`version = ${version}`);
  if (states !== undefined) conditions.push(db.isIn(states.some(isShown) ? SHOWN_STATE : "state", texts(states)));
  if (since !== undefined) conditions.push(sql`created_at >= ${since}`);
  if (until !== undefined) conditions.push(sql`created_at < ${until}`);
  if (endedSince !== undefined) conditions.push(sql`ended_at >= ${endedSince}`);
  if (endedUntil !== undefined) conditions.push(sql`ended_at < ${endedUntil}`);
  if (parent !== undefined) conditions.push(sql`parent = (select p.seq from @runs as p where p.id = ${parent})`);
  if (schedule !== undefined) conditions.push(sql`schedule = ${schedule}`);
  // In code points, which both databases count.
  if (keyPrefix !== "") conditions.push(sql`substr(key, 1, ${[...keyPrefix].length}) = ${keyPrefix}`);
  if (parked !== undefined) {
    const isParked = isParkedSql(db, parked.groups);
    conditions.push(parked.wanted ? isParked : sql`not ${isParked}`);
  }
  if (tags !== undefined && tags.length > 0) conditions.push(db.holdsAll("tags", tags));
  if (failedTask !== undefined) conditions.push(hasFailedSql(failedTask));
  if (error !== undefined && error !== "") conditions.push(db.contains("error", ERROR_TEXTS, error));
  return and(conditions);
}

/** The condition that a run is one of the selected ones and matches. */
export function selected(db: Dialect, selection: RunSelection): Sql {
  return canMatch(selection) ? filter(db, selection) : raw("false");
}

/** Whether a run can match: no row has a text that Postgres cannot hold, or an id that is no UUID. */
export function canMatch(query: RunQuery): boolean {
  const { workflow = "", version = "", tags = [], keyPrefix = "", failedTask = "", schedule = "", error = "" } = query;
  return query.states?.length !== 0 && (query.parent === undefined || isUuid(query.parent)) &&
    [workflow, version, keyPrefix, failedTask, schedule, error, ...tags].every(isStorable);
}

/** How many times as much a row costs to look at as one of which only short columns are compared. */
export function costOf({ tags = [], error = "", failedTask }: RunQuery): number {
  return Math.max(
    tags.length === 0 ? 1 : TAGS_COST,
    error === "" ? 1 : ERROR_COST,
    failedTask === undefined ? 1 : TASK_COST,
  );
}

/** Whether a state is one of a run that has not ended. */
export function isLive(state: RunState): state is LiveState {
  return isShown(state) || state === "paused";
}

/** Whether the column does not decide who has a state: a run that is compensated is reported as such. */
function isShown(state: RunState): state is Exclude<LiveState, "paused"> {
  return state === "pending" || state === "running" || state === "waiting" || state === "compensating";
}

function hasFailedSql(task: string): Sql {
  return sql`exists (select 1
                 from @tasks as t
                where t.run = @runs.seq and t.task = ${task} and t.item = -1 and t.step = '' and t.state = 'failed')`;
}

/** The condition that a run is unowned and belongs to one of these groups. */
function isParkedSql(db: Dialect, groups: readonly ParkedGroup[]): Sql {
  const rows = db.rows("g", {
    name: { type: "text", items: groups.map(({ workflow }) => workflow) },
    started_with: { type: "text", items: groups.map(({ version }) => version) },
    is_stranded: { type: "integer", items: groups.map(({ stranded }) => stranded ? 1 : 0) },
    is_own: { type: "integer", items: groups.map(({ byOwnVersion }) => byOwnVersion ? 1 : 0) },
  });
  return sql`(unowned is not null
        and exists (select 1
                      from ${rows}
                     where g.name = @runs.workflow and g.started_with = @runs.version
                       and g.is_stranded = case when @runs.stranded_by is null then 0 else 1 end
                       and (g.is_own = 0 or @runs.stranded_by = @runs.version)))`;
}
