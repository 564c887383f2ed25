/** What the inspector asks of a SQLite file. SQLite answers in the caller's thread, so what is long goes in strides. */
import type { TaskState } from "../batch.ts";
import type { HeadsQuery, Inspection, JournalHeads, PayloadName } from "../inspection.ts";
import type { ListedRun } from "../listing.ts";
import { decodeDefinition, decodeHead, decodeListedRun, decodeOutline, decodeTiming, LISTED_COLUMNS } from "../rows.ts";
import { isIdPrefix, searchRuns } from "../searching.ts";
import { breathe } from "./breathe.ts";
import { createPulses } from "./pulse.ts";
import { searchWays } from "./search.ts";
import type { Session } from "./session.ts";
import { tallyRuns } from "./tally.ts";

const BY_ID = `
select ${LISTED_COLUMNS}
  from runs
 where id >= $1 and id < $2
 order by id desc
 limit $3`;

const NEXT_WITH_KEY = `
select workflow
  from runs indexed by runs_key
 where key is not null and workflow > $1
 order by workflow
 limit 1`;

const BY_KEY = `
select ${LISTED_COLUMNS}
  from runs indexed by runs_key
 where key is not null and workflow = $1 and key >= $2 and key < $3
 order by key
 limit $4`;

const FORKS = `
select ${LISTED_COLUMNS}
  from runs indexed by runs_forked
 where forked_from is not null and forked_from = $1
 order by seq desc
 limit $2`;

// What is long is told in short: of an output only its size, of many failures the latest.
const HEADS = `
select run, task, item, step, state, attempts, started_at, ended_at, due_at, reason, progress,
       case when octet_length(output) <= $3 then output end as output,
       octet_length(output) as output_bytes,
       case when octet_length(failures) > $4 then json_array(json_extract(failures, '$[#-1]'))
            else failures end as failures
  from tasks
 where run = $1
 limit $2`;

const CUT =
  `select substr(output, 1, $4) as output from tasks where run = $1 and task = $2 and item = $3 and step = $5`;

const INPUT = `select input as payload from runs where seq = $1`;

const OUTPUT = `select output as payload from tasks where run = $1 and task = $2 and item = $3 and step = $4`;

const DEFINITIONS = `
select workflow, version, structure, created_at
  from workflows
 order by workflow, version
 limit $1`;

const VERSIONS = `
select workflow, version, structure, created_at
  from workflows
 where workflow = $1
 order by created_at desc, version
 limit $2`;

const LATEST = `
select seq, workflow, version, state, created_at, started_at, ended_at
  from (select seq, workflow, version, state, created_at, started_at, ended_at
          from runs
         order by seq desc
         limit $2)
 where ($1 is null or workflow = $1)
 limit $3`;

const TIMINGS = `
select run, task, state, attempts, started_at, ended_at
  from json_each($1) as wanted
 cross join tasks
 where run = wanted.value and step = ''
 limit $2`;

const OWNED = `
select owner, count(*) as runs
  from (select owner from runs indexed by runs_owned where owner is not null limit $1)
 group by owner`;

const HELD_TASKS = `
select state, count(*) as tasks
  from (select tasks.state
          from (select seq from runs indexed by runs_owned where owner is not null limit $1) as held
         cross join tasks
         where tasks.run = held.seq and tasks.step = ''
         limit $1)
 group by state`;

// A key may begin with any character; this is after all that begin so.
const LAST = "\u{10ffff}";

const MOST_WORKFLOWS = 200;

const LONGEST_FAILURES = 32_768;

/** Questions of the inspector, by way of a session. */
export function createInspection(session: Session, dataVersion: () => unknown): Inspection {
  const read = <T>(work: () => T): Promise<T> => session.read("read", work);
  const ways = searchWays(session, breathe);
  const pulses = createPulses(session, dataVersion);
  return {
    tally: (most) => read(() => tallyRuns(session, most)),
    search: (query) => searchRuns(query, ways),
    find: (text, limit) => read(() => find(session, text, limit)),
    forks: (id, limit) => read(() => session.all(FORKS, id, limit).map(decodeListedRun)),
    heads: (seq, query) => read(() => heads(session, seq, query)),
    payload: (seq, name) => read(() => payload(session, seq, name)),
    definitions: (limit) => read(() => session.all(DEFINITIONS, limit).map(decodeDefinition)),
    versions: (workflow, limit) => read(() => session.all(VERSIONS, workflow, limit).map(decodeDefinition)),
    latest: (workflow, limit, budget) => read(() => session.all(LATEST, workflow, budget, limit).map(decodeOutline)),
    timings: (seqs, limit) => read(() => session.all(TIMINGS, JSON.stringify(seqs), limit).map(decodeTiming)),
    heldTasks: (most) =>
      read(() =>
        new Map(session.all(HELD_TASKS, most).map((row) => [row["state"] as TaskState, Number(row["tasks"])]))
      ),
    owned: (most) => read(() => owned(session, most)),
    ...pulses,
  };
}

function find(session: Session, text: string, limit: number): readonly ListedRun[] {
  const found = new Map<unknown, ListedRun>();
  if (isIdPrefix(text)) {
    const id = text.toLowerCase();
    for (const row of session.all(BY_ID, id, `${id}g`, limit)) found.set(row["seq"], decodeListedRun(row));
  }
  let workflow = session.get(NEXT_WITH_KEY, "")?.["workflow"];
  for (let i = 0; i < MOST_WORKFLOWS && typeof workflow === "string" && found.size < limit; i++) {
    for (const row of session.all(BY_KEY, workflow, text, `${text}${LAST}`, limit)) {
      found.set(row["seq"], decodeListedRun(row));
    }
    workflow = session.get(NEXT_WITH_KEY, workflow)?.["workflow"];
  }
  return [...found.values()].slice(0, limit);
}

function heads(session: Session, seq: number, { rows, characters, bytes }: HeadsQuery): JournalHeads {
  const found = session.all(HEADS, seq, rows + 1, characters, LONGEST_FAILURES);
  let left = bytes;
  const heads = found.slice(0, rows).map((row) => {
    const head = decodeHead(row);
    const { task, item, step, outputBytes = 0 } = head;
    if (outputBytes <= characters || outputBytes > left) return head;
    left -= outputBytes;
    const cut = session.get(CUT, seq, task, item, characters, step)?.["output"];
    return typeof cut === "string" ? { ...head, output: cut } : head;
  });
  return { heads, isTruncated: found.length > rows };
}

function payload(session: Session, seq: number, name: PayloadName): string | undefined {
  const row = name.kind === "input"
    ? session.get(INPUT, seq)
    : session.get(OUTPUT, seq, name.task, name.item, name.step);
  const text = row?.["payload"];
  return typeof text === "string" ? text : undefined;
}

function owned(session: Session, most: number): Awaited<ReturnType<Inspection["owned"]>> {
  const counts = new Map(session.all(OWNED, most).map((row) => [Number(row["owner"]), Number(row["runs"])]));
  return { counts, isCapped: [...counts.values()].reduce((sum, runs) => sum + runs, 0) >= most };
}
