import { StoreError } from "../../errors.ts";
import type { Claim, ClaimedRun, ClaimRequest } from "../batch.ts";
import { decodeClaimed, decodeRecord, RECORD_COLUMNS, recordOf, type Row } from "../rows.ts";
import { numbers, texts } from "./arrays.ts";
import type { Bindable } from "./connection.ts";
import type { Session } from "./session.ts";

const JOURNALS = `
select ${RECORD_COLUMNS}
  from @tasks
 where run = any($1::bigint[])
 order by run, task, item, step`;

const GIVE_UP = `
update @runs
   set state = 'failed', owner = null, ended_at = @now, error = $4
 where seq = $2::bigint and epoch = $3::bigint and owner + 0 is not null`;

// Another runner that claims at the same moment holds the first so many runs: look at twice as many.
const LOOK_AHEAD = 2;

/** The answer where nothing is due, and nothing will be. */
export const NOTHING_DUE: Claim = { runs: [], more: false, nextDueAt: undefined };

/** What the claim statement binds. `token` marks what this claim takes. */
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

/** What the rows of a claim say, with the journals of runs that were owned before. */
export async function claimOf(session: Session, answer: readonly Row[], { limit }: ClaimRequest): Promise<Claim> {
  const [first] = answer;
  const taken = takenOf(answer);
  const nextDueAt = first?.["next_due_at"];
  return {
    runs: await withJournals(session, taken),
    // Some that were due may have been held by others for the moment.
    more: first?.["joined"] !== 0 && (taken.length === limit || Number(first?.["seen"] ?? 0) > taken.length),
    nextDueAt: typeof nextDueAt === "number" ? nextDueAt : undefined,
  };
}

/** The rows of runs in an answer, in the order of claiming. */
export function takenOf(answer: readonly Row[]): readonly Row[] {
  const number = (row: Row, column: string): number => Number(row[column]);
  return answer.filter((row) => row["seq"] !== null).sort((a, b) =>
    number(a, "priority") - number(b, "priority") || number(a, "due_at") - number(b, "due_at") ||
    number(a, "seq") - number(b, "seq")
  );
}

async function withJournals(session: Session, taken: readonly Row[]): Promise<readonly ClaimedRun[]> {
  // At epoch 1 it was never owned before, and so has none.
  const known = taken.filter((row) => Number(row["epoch"]) > 1).map((row) => Number(row["seq"]));
  const journals = new Map<number, Row[]>();
  const rows = known.length === 0 ? [] : await session.read(JOURNALS, [numbers(known)]);
  for (const row of rows) {
    const seq = Number(row["run"]);
    const journal = journals.get(seq);
    if (journal === undefined) journals.set(seq, [row]);
    else journal.push(row);
  }
  const runs: ClaimedRun[] = [];
  for (const row of taken) {
    try {
      runs.push(decodeClaimed(row, (journals.get(Number(row["seq"])) ?? []).map(decodeRecord)));
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      await giveUp(session, row, error);
    }
  }
  return runs;
}

/** A run whose rows cannot be read fails, as it would stop every runner that claims it. */
async function giveUp(session: Session, row: Row, error: StoreError): Promise<void> {
  session.logger.error(error.message);
  const values = [session.at, String(row["seq"]), String(row["epoch"]), JSON.stringify(recordOf(error))];
  await session.write("care", GIVE_UP, values, () => 1);
}
