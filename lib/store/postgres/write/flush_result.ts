import type { RunMove, RunWrite, WriteVerdict } from "../../port/batch.ts";
import type { Row } from "../../shared/decode.ts";
import { items, numbers } from "./arrays.ts";
import type {} from "../connect/connection.ts";
import type { Answer } from "../connect/driver.ts";
import { LOOK } from "./flush_sql.ts";
import type { FlushStatement } from "./flush_values.ts";
import type { Session } from "../connect/session.ts";

/** A run that is to complete or to fail and is still owned, but of which a cancel is recorded. */
export interface CancelRecorded {
  readonly reasonToCancel: string | undefined;
  /** Whether its compensation begins. */
  readonly isCompensating: boolean;
}

/** What the statements of a commit have written. */
export interface FlushResult {
  /** The results of the statements that start runs. */
  readonly started: readonly Row[];
  /** The results of the statements that insert child runs. */
  readonly children: readonly Row[];
  /** Runs that were owned by their writers when their child runs were inserted. */
  readonly parents: ReadonlySet<number>;
  /** Whether each statement wrote all rows that it was sent. */
  readonly isWhole: boolean;
  /** Runs of which the statement that moves them moved none. */
  readonly unmoved: ReadonlySet<number>;
  /** How many rows were written. */
  readonly rows: number;
}

/** Reads the results of the statements of a commit. */
export function resultOf(statements: readonly FlushStatement[], answers: readonly Answer[]): FlushResult {
  const started: Row[] = [];
  const children: Row[] = [];
  const parents = new Set<number>();
  const unmoved = new Set<number>();
  let isWhole = true;
  let rows = 0;
  for (const [index, { kind, sent, moves }] of statements.entries()) {
    const answer = answers[index]!;
    const [row] = answer;
    switch (kind) {
      case "lock":
        break;
      case "starts":
        started.push(row ?? {});
        rows += items(row?.["ids"]).length;
        break;
      case "rows":
        rows += answer.count ?? 0;
        if (sent !== undefined && sent !== answer.count) isWhole = false;
        if (answer.count === 0) { for (const { seq } of moves) unmoved.add(seq); }
        break;
      case "ends":
        // Only runs that were ended have rows here.
        rows += (answer.count ?? 0) + (sent === answer.count ? moves.length : 0);
        if (sent !== answer.count) isWhole = false;
        if (answer.count === 0) { for (const { seq } of moves) unmoved.add(seq); }
        break;
      case "children":
        children.push(row ?? {});
        for (const seq of items(row?.["parents"])) parents.add(Number(seq));
        rows += Number(row?.["changed"]);
        break;
      case "wakes":
        rows += Number(row?.["changed"]);
        break;
      case "moves":
        rows += Number(row?.["moved"]) + Number(row?.["noted"]);
        if (Number(row?.["moved"]) !== sent) isWhole = false;
        if (Number(row?.["moved"]) === 0) { for (const { seq } of moves) unmoved.add(seq); }
    }
  }
  return { started, children, parents, isWhole, unmoved, rows };
}

/**
 * Returns the verdicts of the writes. If not all of their rows were written, the current state of the runs is read:
 * owner and epoch change only when a run leaves its writer for good, so that a run that still has both had them before.
 */
export async function writeVerdicts(
  session: Session,
  writes: readonly RunWrite[],
  { parents, isWhole, unmoved, isDoubtful }: FlushResult & { readonly isDoubtful: boolean },
): Promise<readonly (WriteVerdict | CancelRecorded)[]> {
  const isEmpty = ({ seq, records, move, seen }: RunWrite): boolean =>
    records.length === 0 && move === undefined && seen === undefined && !parents.has(seq);
  const isAccepted = (write: RunWrite): boolean => isWhole && !isEmpty(write);
  // An earlier attempt may have moved a run that this one could not move, and a run may have a recorded cancel.
  const isFenced = ({ seq, move }: RunWrite): boolean => !isDoubtful && unmoved.has(seq) && !mayMeetCancel(move);
  const suspects = writes.filter((write) => !isAccepted(write) && !isFenced(write));
  if (suspects.length === 0) return writes.map((write) => isFenced(write) ? "fenced" : "accepted");
  const runs = new Map<number, Row>();
  for (const row of await session.single("flush", LOOK, [numbers(suspects.map(({ seq }) => seq))])) {
    runs.set(Number(row["seq"]), row);
  }
  return writes.map((write) => {
    if (isFenced(write)) return "fenced";
    if (isAccepted(write)) return "accepted";
    const row = runs.get(write.seq);
    const isUnmoved = !isDoubtful && unmoved.has(write.seq);
    return cancelIn(write, row) ?? (!isUnmoved && isAsWritten(write, row) ? "accepted" : "fenced");
  });
}

/** Whether a move ends a run in a way in which it may not end once a cancel is recorded. */
export function mayMeetCancel(move: RunMove | undefined): move is Extract<RunMove, { to: "completed" | "failed" }> {
  return move?.to === "completed" || move?.to === "failed";
}

/** What a recorded cancel means for a run that was to complete or to fail. */
function cancelIn({ epoch, move }: RunWrite, row: Row | undefined): WriteVerdict | CancelRecorded | undefined {
  if (!mayMeetCancel(move) || row?.["epoch"] !== epoch) return undefined;
  const reason = row["reason"] === null ? undefined : String(row["reason"]);
  if (row["is_owned"] === true && (row["closing"] === "cancel" || row["closing"] === "cancelOnly")) {
    const isCompensating = row["closing"] === "cancel" && row["may_undo"] === true;
    return { reasonToCancel: reason, isCompensating };
  }
  // An earlier attempt has ended or released the run, and its response was lost.
  if (row["owner"] !== null) return undefined;
  if (row["closing"] === "undoCancelled") return { cancelled: { reason, isCompensating: true } };
  const isEnded = row["state"] === "cancelled" && row["ended_at"] === move.at;
  return isEnded && row["closing"] !== null ? { cancelled: { reason } } : undefined;
}

/** Whether a run is as a write has left it, under the epoch of its writer. */
function isAsWritten({ epoch, move }: RunWrite, row: Row | undefined): boolean {
  if (row === undefined || row["epoch"] !== epoch) return false;
  switch (move?.to) {
    case "completed":
    case "failed":
    case "cancelled":
      return row["owner"] === null && row["state"] === move.to && row["ended_at"] === move.at;
    case "pending":
    case "compensating":
    case "stranded":
      return row["owner"] === null;
    case "waiting":
      return move.release ? row["owner"] === null : row["is_owned"] === true;
    case "running":
    case undefined:
      return row["is_owned"] === true;
  }
}
