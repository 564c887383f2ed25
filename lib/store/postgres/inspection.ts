/** What the inspector asks of a Postgres schema. */
import type { TaskState } from "../batch.ts";
import type { HeadsQuery, Inspection, JournalHeads, PayloadName } from "../inspection.ts";
import type { ListedRun } from "../listing.ts";
import { decodeDefinition, decodeHead, decodeListedRun, decodeOutline, decodeTiming, LISTED_COLUMNS } from "../rows.ts";
import { isIdPrefix, searchRuns } from "../searching.ts";
import { numbers, texts } from "./arrays.ts";
import { createPulses } from "./pulse.ts";
import { searchWays } from "./search.ts";
import type { Session } from "./session.ts";
import { tallyRuns } from "./tally.ts";

const BY_ID = `
select ${LISTED_COLUMNS}
  from @runs
 where id >= $1::uuid and id <= $2::uuid
 order by id desc
 limit $3::bigint`;

// From workflow to workflow by seeking past each.
const BY_KEY = `
with recursive names (name, place) as (
  (select workflow, 1 from @runs where key is not null order by workflow limit 1)
  union all
  select n.workflow, g.place + 1
    from names as g
   cross join lateral (
           select workflow
             from @runs
            where key is not null and workflow > g.name
            order by workflow
            limit 1) as n
   where g.place < 200
)
select ${LISTED_COLUMNS}
  from names
 cross join lateral (
         select *
           from @runs
          where key is not null and workflow = names.name and key >= $1 and key < $2
          order by key
          limit $3::bigint) as found
 limit $3::bigint`;

const FORKS = `
select ${LISTED_COLUMNS}
  from @runs
 where forked_from is not null and forked_from = $1
 order by seq desc
 limit $2::bigint`;

// What is long is told in short: of an output only its size, of many failures the latest.
const HEADS = `
select run, task, item, step, state, attempts, started_at, ended_at, due_at, reason, progress,
       case when octet_length(output) <= $3::bigint then output end as output,
       octet_length(output) as output_bytes,
       case when octet_length(failures) > $4::bigint then jsonb_build_array(failures::jsonb -> -1)::text
            else failures end as failures
  from @tasks
 where run = $1::bigint
 order by task, item, step
 limit $2::bigint`;

const CUT = `
select task, item, step, left(output, $4::integer) as output
  from @tasks
 where run = $1::bigint and (task, item, step) in (select * from unnest($2::text[], $3::integer[], $5::text[]))`;

const INPUT = `select input as payload from @runs where seq = $1::bigint`;

const OUTPUT =
  `select output as payload from @tasks where run = $1::bigint and task = $2 and item = $3::integer and step = $4`;

const DEFINITIONS = `
select workflow, version, structure, created_at
  from @workflows
 order by workflow, version
 limit $1::bigint`;

const VERSIONS = `
select workflow, version, structure, created_at
  from @workflows
 where workflow = $1
 order by created_at desc, version
 limit $2::bigint`;

const LATEST = `
select seq, workflow, version, state, created_at, started_at, ended_at
  from (select seq, workflow, version, state, created_at, started_at, ended_at
          from @runs
         order by seq desc
         limit $2::bigint) as runs
 where ($1::text is null or workflow = $1::text)
 order by seq desc
 limit $3::bigint`;

const TIMINGS = `
select run, task, state, attempts, started_at, ended_at
  from @tasks
 where run = any($1::bigint[]) and step = ''
 limit $2::bigint`;

const OWNED = `
select owner, count(*) as runs
  from (select owner from @runs where owner is not null limit $1::bigint) as runs
 group by owner`;

const HELD_TASKS = `
select state, count(*) as tasks
  from (select t.state
          from (select seq from @runs where owner is not null limit $1::bigint) as held
         cross join lateral (select state from @tasks where run = held.seq and step = '') as t
         limit $1::bigint) as tasks
 group by state`;

// A key may begin with any character; this is after all that begin so.
const LAST = "\u{10ffff}";

const LONGEST_FAILURES = 32_768;

/** Questions of the inspector, by way of a session. */
export function createInspection(session: Session): Inspection {
  const ways = searchWays(session);
  return {
    tally: (most) => tallyRuns(session, most),
    async search(query) {
      const isFindable = [query.workflow ?? "", ...query.tags ?? []].every(isText);
      return isFindable ? await searchRuns(query, ways) : { runs: [], stoppedAt: undefined };
    },
    find: (text, limit) => find(session, text, limit),
    forks: async (id, limit) => (await session.read(FORKS, [id, String(limit)])).map(decodeListedRun),
    heads: (seq, query) => heads(session, seq, query),
    payload: (seq, name) => payload(session, seq, name),
    definitions: async (limit) => (await session.read(DEFINITIONS, [String(limit)])).map(decodeDefinition),
    versions: async (workflow, limit) =>
      isText(workflow) ? (await session.read(VERSIONS, [workflow, String(limit)])).map(decodeDefinition) : [],
    latest: async (workflow, limit, budget) =>
      isText(workflow ?? "")
        ? (await session.read(LATEST, [workflow ?? null, String(budget), String(limit)])).map(decodeOutline)
        : [],
    timings: async (seqs, limit) => (await session.read(TIMINGS, [numbers(seqs), String(limit)])).map(decodeTiming),
    async heldTasks(most) {
      const rows = await session.read(HELD_TASKS, [String(most)]);
      return new Map(rows.map((row) => [row["state"] as TaskState, Number(row["tasks"])]));
    },
    owned: (most) => owned(session, most),
    ...createPulses(session),
  };
}

async function find(session: Session, text: string, limit: number): Promise<readonly ListedRun[]> {
  if (!isText(text)) return [];
  const byId = isIdPrefix(text) ? await session.read(BY_ID, [padded(text, "0"), padded(text, "f"), String(limit)]) : [];
  const byKey = byId.length < limit ? await session.read(BY_KEY, [text, `${text}${LAST}`, String(limit)]) : [];
  const found = new Map([...byId, ...byKey].map((row) => [row["seq"], decodeListedRun(row)]));
  return [...found.values()].slice(0, limit);
}

async function heads(
  session: Session,
  seq: number,
  { rows, characters, bytes }: HeadsQuery,
): Promise<JournalHeads> {
  const values = [String(seq), String(rows + 1), String(characters), String(LONGEST_FAILURES)];
  const found = await session.read(HEADS, values);
  const heads = found.slice(0, rows).map(decodeHead);
  let left = bytes;
  const long = heads.filter(({ outputBytes = 0 }) => {
    if (outputBytes <= characters || outputBytes > left) return false;
    left -= outputBytes;
    return true;
  });
  if (long.length > 0) {
    const tasks = texts(long.map(({ task }) => task));
    const items = numbers(long.map(({ item }) => item));
    const steps = texts(long.map(({ step }) => step));
    const cuts = new Map<string, string>();
    for (const row of await session.read(CUT, [String(seq), tasks, items, String(characters), steps])) {
      cuts.set(JSON.stringify([row["task"], row["item"], row["step"]]), String(row["output"]));
    }
    return {
      heads: heads.map((head) => ({
        ...head,
        output: cuts.get(JSON.stringify([head.task, head.item, head.step])) ?? head.output,
      })),
      isTruncated: found.length > rows,
    };
  }
  return { heads, isTruncated: found.length > rows };
}

async function payload(session: Session, seq: number, name: PayloadName): Promise<string | undefined> {
  if (name.kind === "output" && !isText(name.task + name.step)) return undefined;
  const [row] = name.kind === "input"
    ? await session.read(INPUT, [String(seq)])
    : await session.read(OUTPUT, [String(seq), name.task, String(name.item), name.step]);
  const text = row?.["payload"];
  return typeof text === "string" ? text : undefined;
}

async function owned(session: Session, most: number): ReturnType<Inspection["owned"]> {
  const rows = await session.read(OWNED, [String(most)]);
  const counts = new Map(rows.map((row) => [Number(row["owner"]), Number(row["runs"])]));
  return { counts, isCapped: [...counts.values()].reduce((sum, runs) => sum + runs, 0) >= most };
}

/** The first or the last id that begins like this. */
function padded(prefix: string, digit: string): string {
  return prefix + "00000000-0000-0000-0000-000000000000".slice(prefix.length).replaceAll("0", digit);
}

/** Whether Postgres takes it for text at all: no row can be named otherwise. */
function isText(text: string): boolean {
  return !text.includes("\0") && text.isWellFormed();
}
