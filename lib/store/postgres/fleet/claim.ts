import { StoreError } from "../../../errors.ts";
import type { Claim, ClaimedRun, ClaimRequest, RecordHead } from "../../port/batch.ts";
import type { ItemRange } from "../../port/item_range.ts";
import type { JournalOutput, OutputsRequest } from "../../port/outputs.ts";
import { createSlices, type Slices } from "../../shared/breathe.ts";
import { impliedWait } from "../../port/children.ts";
import { byRank, type Ranked } from "../../shared/claim_order.ts";
import type { Row } from "../../shared/decode.ts";
import { journalSql } from "../../shared/last_result.ts";
import { decodeOutput, decodeRecordHead, RECORD_HEAD_COLUMNS, recordOf } from "../../shared/rows.ts";
import type { CorruptRun } from "../../sql/recovery.ts";
import { decodeClaimed } from "../../shared/run_rows.ts";
import { numbers, texts } from "../write/arrays.ts";
import { CLAIM, TAKEN_BEFORE } from "./claim_sql.ts";
import type { Bindable } from "../connect/connection.ts";
import type { Session } from "../connect/session.ts";

// Without completed items and their steps.
const HEADS = `
select ${RECORD_HEAD_COLUMNS}
  from @tasks as t
 where run = any($1::bigint[])
   and (item = -1
        or case step when '' then state <> 'completed'
                     else (select i.state is distinct from 'completed'
                             from (select 1) as one
                             left join @tasks as i
                               on i.run = t.run and i.task = t.task and i.item = t.item and i.step = '') end)
 order by run, task, item, step`;

const COMPLETED_ITEMS = `
select run, task, min(item) as first, max(item) as last
  from (select run, task, item, item - row_number() over (partition by run, task order by item) as series
          from @tasks
         where run = any($1::bigint[]) and item >= 0 and step = '' and state = 'completed') as completed
 group by run, task, series
 order by run, task, min(item)`;

// Items of tasks that wait for child runs and have no rows.
const IMPLIED_WAITS = `
select m.run, m.task, c.parent_item as item, c.created_at
  from unnest($1::bigint[], $2::text[]) as m (run, task)
 cross join lateral (
         select r.parent_item, r.created_at
           from @runs as r
          where r.parent = m.run and r.parent_task = m.task and r.parent_item >= 0 and coalesce(r.superseded, 0) = 0
            and not exists (select
                              from @tasks as t
                             where t.run = m.run and t.task = m.task and t.item = r.parent_item and t.step = '')) as c
 order by m.run, m.task, c.parent_item`;

// A lookup in the primary keys for each request: the range of items is part of the index condition.
const OUTPUTS = `
select o.*
  from unnest($1::bigint[], $2::text[], $3::text[], $4::integer[])
       with ordinality as u (run, task, part, item, n)
 cross join lateral (${
  journalSql({
    select: `t.run, t.task, t.item, t.step,
       case u.part when 'input' then t.input else t.output end as output,
       case when u.part = 'results' and t.output is null then t.failures end as failures`,
    where: `t.run = u.run
   and t.task = u.task
   and t.item between coalesce(u.item, -1) and coalesce(u.item, 2147483647)
   and case u.part
         when 'results' then t.step = '' and (t.output is not null or (t.item >= 0 and t.state = 'failed'))
         when 'steps' then t.step <> '' and t.output is not null
         else t.item = -1 and t.step = '' and t.input is not null end`,
  })
}) as o
 order by u.n, o.item, o.step`;

/** Fails a run whose rows are invalid. */
type GiveUp = (run: CorruptRun) => Promise<void>;

// Another runner that claims at the same moment holds the first runs: the claim reads twice as many.
const LOOK_AHEAD = 2;

/**
 * Claims due runs in a single statement; `giveUp` fails a run whose rows are invalid. A claim whose response was lost may have taken effect: its runs are looked up
 * by its token once the server has ended the remains of the lost connection.
 */
export async function claim(session: Session, request: ClaimRequest, giveUp: GiveUp): Promise<Claim> {
  if (request.limit <= 0) return { runs: [], more: false, nextDueAt: undefined };
  const token = Math.floor(Math.random() * Number.MAX_SAFE_INTEGER);
  const answer = await session.persistence.attempt("write to", async (isDoubtful) => {
    if (isDoubtful) {
      await session.endRemains("claim");
      const taken = await session.single("claim", TAKEN_BEFORE, [String(request.runner), String(token)]);
      if (taken.length > 0) {
        session.wrote(taken.length);
        return taken;
      }
    }
    const rows = await session.single("claim", CLAIM, claimValues(request, token, session.at));
    session.wrote(takenOf(rows).length + Number(rows[0]?.["noted"] ?? 0));
    return rows;
  });
  const [first] = answer;
  const taken = takenOf(answer);
  const nextDueAt = first?.["next_due_at"];
  return {
    runs: await withJournals(session, taken, giveUp),
    // Some due runs may have been locked by other claims, or were too large.
    more: first?.["joined"] !== 0 && (taken.length === request.limit || Number(first?.["seen"] ?? 0) > taken.length),
    nextDueAt: typeof nextDueAt === "number" ? nextDueAt : undefined,
  };
}

/** The parameters of the claim statement. `token` marks the runs that this claim takes. */
export function claimValues({ runner, limit, served, pinned }: ClaimRequest, token: number, at: Bindable): Bindable[] {
  return [
    at,
    String(runner),
    texts(served.map(({ workflow }) => workflow)),
    texts(served.map(({ version }) => version)),
    String(pinned),
    String(limit),
    String(limit * LOOK_AHEAD),
    String(token),
  ];
}

/** The rows of runs in a result, in the order of claiming. */
function takenOf(answer: readonly Row[]): readonly Row[] {
  return answer.filter((row) => row["seq"] !== null).sort((a, b) => byRank(rankedOf(a), rankedOf(b)));
}

function rankedOf(row: Row): Ranked {
  return { seq: Number(row["seq"]), priority: Number(row["priority"]), dueAt: Number(row["due_at"]) };
}

async function withJournals(session: Session, taken: readonly Row[], giveUp: GiveUp): Promise<readonly ClaimedRun[]> {
  // At epoch 1 a run had no owner before, and so has no journal.
  const resumed = taken.filter((row) => Number(row["epoch"]) > 1).map((row) => Number(row["seq"]));
  const rows = resumed.length === 0 ? [] : await session.read(HEADS, [numbers(resumed)]);
  const expanded = new Set(rows.flatMap((row) => row["items"] === null ? [] : [Number(row["run"])]));
  const ranges = expanded.size === 0 ? [] : await session.read(COMPLETED_ITEMS, [numbers([...expanded])]);
  const maps = rows.filter((row) => row["state"] === "running" && row["items"] !== null);
  const waits = maps.length === 0 ? [] : await session.read(IMPLIED_WAITS, [
    numbers(maps.map((row) => Number(row["run"]))),
    texts(maps.map((row) => String(row["task"]))),
  ]);
  const journals = Map.groupBy(rows, (row) => Number(row["run"]));
  const waiting = Map.groupBy(waits, (row) => Number(row["run"]));
  const items = Map.groupBy(ranges, (row) => Number(row["run"]));
  const slices = createSlices();
  const runs: ClaimedRun[] = [];
  for (const row of taken) {
    try {
      const seq = Number(row["seq"]);
      const journal = [
        ...await decodeHeads(journals.get(seq) ?? [], slices),
        ...(waiting.get(seq) ?? []).map(waitOf),
      ];
      runs.push(decodeClaimed(row, { journal, completedItems: (items.get(seq) ?? []).map(rangeOf) }));
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      session.logger.error(error.message);
      await giveUp({ seq: Number(row["seq"]), epoch: Number(row["epoch"]), error: JSON.stringify(recordOf(error)) });
    }
  }
  return runs;
}

async function decodeHeads(rows: readonly Row[], slices: Slices): Promise<readonly RecordHead[]> {
  const heads: RecordHead[] = [];
  for (const row of rows) {
    heads.push(decodeRecordHead(row));
    await slices.done(1);
  }
  return heads;
}

function waitOf(row: Row): RecordHead {
  return impliedWait(String(row["task"]), Number(row["item"]), Number(row["created_at"]));
}

function rangeOf(row: Row): ItemRange {
  return { task: String(row["task"]), first: Number(row["first"]), last: Number(row["last"]) };
}

/** Reads outputs from the journals of runs. */
export async function readOutputs(
  session: Session,
  requests: readonly OutputsRequest[],
): Promise<readonly JournalOutput[]> {
  if (requests.length === 0) return [];
  const rows = await session.read(OUTPUTS, [
    numbers(requests.map(({ seq }) => seq)),
    texts(requests.map(({ task }) => task)),
    texts(requests.map(({ of }) => of)),
    numbers(requests.map(({ item }) => item)),
  ]);
  return rows.map(decodeOutput);
}
