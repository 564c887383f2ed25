import { LimitReachedError } from "../../../start_errors.ts";
import type { LimitAnswer } from "../../port/limits.ts";
import { recordOf } from "../../shared/rows.ts";
import { wakeParents } from "../children.ts";
import { type Dialect, seqs, texts } from "../dialect.ts";
import { notify } from "../facts.ts";
import { change, type Op } from "../operation.ts";
import { sql } from "../statement.ts";
import { type Grant, hasFreeSlot } from "./book.ts";
import type { Gated } from "./gated.ts";
import type { Book } from "./store_book.ts";
import { victimsOf } from "./victims.ts";

/** What is done about runs that do not wait and found no slot. */
type Refused = Pick<LimitAnswer, "rejected" | "replaced">;

/** Deletes or fails the runs that do not wait, or cancels others in their favour. */
export function* refuse(
  db: Dialect,
  book: Book,
  gated: readonly Gated[],
  grants: readonly Grant[],
): Op<Refused> {
  const granted = new Set(grants.flatMap(({ waiter: { run, task } }) => task === "" ? [run] : []));
  const full = gated.filter(({ seq, limits }) => limits.whenFull !== "wait" && !granted.has(seq));
  const rejected = full.filter(({ limits }) => limits.whenFull === "reject");
  const replacing = full.filter(({ limits }) => limits.whenFull === "replace");
  const refused = rejected.map((run) => ({ id: run.id, limit: fullLimit(book, run) }));
  yield* reject(db, book, rejected);
  for (const { seq } of rejected) book.withdraw(seq);
  return { rejected: refused, replaced: yield* victimsOf(book, replacing) };
}

/** The limit that has no slot for a run. */
function fullLimit(book: Book, { seq }: Gated): string {
  const { lanes } = book.queueOf(seq)!;
  return (lanes.find((lane) => !hasFreeSlot(lane)) ?? lanes[0]!).limit;
}

function errorOf({ workflow }: Gated, limit: string): string {
  return JSON.stringify({ ...recordOf(new LimitReachedError(workflow, limit)), isSluice: true });
}

/** Deletes runs that were started just now; a child run and the run of a schedule remain, as failed. */
function* reject(db: Dialect, book: Book, runs: readonly Gated[]): Op<void> {
  if (runs.length === 0) return;
  const [deleted, failed] = [runs.filter(({ mayVanish }) => mayVanish), runs.filter(({ mayVanish }) => !mayVanish)];
  if (deleted.length > 0) {
    const gone = seqs(deleted.map(({ seq }) => seq));
    yield* change(sql`delete from @tasks where ${db.isIn("run", gone)}`);
    yield* change(sql`delete from @runs where ${db.isIn("seq", gone)}`);
  }
  if (failed.length === 0) return;
  const errors = db.rows("e", {
    of_seq: seqs(failed.map(({ seq }) => seq)),
    of_error: texts(failed.map((run) => errorOf(run, fullLimit(book, run)))),
  });
  yield* change(sql`
update @runs
   set state = 'failed',
       ended_at = ${db.now()},
       gate_at = null,
       epoch = epoch + 1,
       error = e.of_error
  from ${errors}
 where seq = e.of_seq`);
  yield* wakeParents(db, failed.map(({ seq }) => seq));
  yield* notify(db, { due: false, ended: true, attention: [] });
}
