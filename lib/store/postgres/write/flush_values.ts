import type { Batch, NewRun, RecordWrite, RunMove, RunWrite } from "../../port/batch.ts";
import { splitDebounced } from "../../shared/debounce.ts";
import { numbers, sparse, texts } from "./arrays.ts";
import type { Bindable, BoundStatement } from "../connect/connection.ts";
import { isPlainRecord, lastResultOf } from "../../shared/last_result.ts";
import { endingChildren, hasParent, heldParents } from "../../shared/hand_over.ts";
import {
  COMPLETE,
  COMPLETE_WITH_RECORDS,
  FORK,
  FORK_COPY,
  LOCK_PARENTS,
  MOVE,
  RECORD,
  RECORD_ANY,
  RECORD_ITEMS,
  WAKE_PARENTS,
} from "./flush_sql.ts";
import { distinctRows } from "./distinct_rows.ts";
import { copiesOf, copyValues, forksOf, forkValues } from "./fork_values.ts";
import { failuresOf, printable } from "./printable.ts";
import { LOCK_OWNERS } from "./runner_lock.ts";
import { byKey } from "./start_order.ts";
import {
  childArrays,
  debouncedArrays,
  START,
  START_CHILDREN,
  START_CHILDREN_UNLESS_THERE,
  START_DEBOUNCED,
  START_UNLESS_THERE,
  startValuesOf,
} from "./start_sql.ts";

/** Options of `flushOf()`. */
export interface FlushManner {
  /** Replaces the server's clock. */
  readonly at: Bindable;
  /** The notification to send to other processes. */
  readonly news: Bindable;
  /** The beginning of a notification for the owners of woken parents. */
  readonly wake: Bindable;
  /** Whether rows that are marked as new may exist already. */
  readonly isWary: boolean;
}

/** A statement of a commit. */
export interface FlushStatement extends BoundStatement {
  /**
   * What it does: locks, inserts runs, writes rows, ends runs and writes their last rows, moves runs, inserts child runs, or
   * wakes parents. `starts`, `moves`, `children` and `wakes` return a row, the others the number of rows.
   */
  readonly kind: "lock" | "starts" | "rows" | "ends" | "moves" | "children" | "wakes";
  /** The number of rows that it writes if all are accepted; `undefined` if that depends on existing rows. */
  readonly sent: number | undefined;
  /** Runs that it moves; the moved runs are accepted. */
  readonly moves: readonly RunWrite[];
}

/**
 * Builds the statements that write a batch, in which no run occurs twice. Several are a single transaction. Runs are
 * inserted first: that locks rows of runners, which come before the locks of runners (see runner_lock.ts).
 */
export function flushOf({ starts, writes }: Batch, { at, news, wake, isWary }: FlushManner): readonly FlushStatement[] {
  const isNew = ({ key, parent }: NewRun): boolean => !isWary && key === undefined && parent === undefined;
  const { debounced, others } = splitDebounced(starts);
  const perhaps = others.every(isNew) ? [] : others.filter((run) => !isNew(run)).sort(byKey);
  const fresh = perhaps.length === 0 ? others : others.filter(isNew);
  const forks = forksOf(starts);
  const parts = partsOf(writes, isWary);
  const statements: FlushStatement[] = [];
  // The whole notification is sent once, with the first statement that may need it.
  let told = news;
  const tell = (): Bindable => {
    const now = told;
    told = null;
    return now;
  };
  if (fresh.length > 0) add("starts", START, [at, tell(), ...startValuesOf(fresh)], { sent: fresh.length });
  if (perhaps.length > 0) {
    add("starts", START_UNLESS_THERE, [at, tell(), ...startValuesOf(perhaps)], { sent: perhaps.length });
  }
  if (debounced.length > 0) {
    add("starts", START_DEBOUNCED, [at, tell(), ...debouncedArrays(debounced.sort(byKey))], { sent: debounced.length });
  }
  if (forks.length > 0) add("rows", FORK, forkValues(forks), { sent: undefined });
  const copies = copiesOf(starts);
  if (copies.length > 0) add("rows", FORK_COPY, copyValues(copies), { sent: undefined });
  const parents = writes.filter(isOfParent);
  const starting = parents.filter(({ children = [] }) => children.length > 0);
  const fenced = [...parts.rows.run, ...parts.itemRows.run, ...parts.anyRows.run, ...starting.map(({ seq }) => seq)];
  if (fenced.length > 0) add("lock", LOCK_OWNERS, [numbers(fenced)], { sent: undefined });
  if (parents.length > 0) {
    add("lock", LOCK_PARENTS, [numbers(parents.map(({ seq }) => seq))], { sent: undefined });
  }
  if (parts.rows.run.length > 0) add("rows", RECORD, rowValues(parts.rows), { sent: parts.rows.run.length });
  if (parts.itemRows.run.length > 0) {
    const items = numbers(parts.itemRows.records.map(({ item }) => item));
    add("rows", RECORD_ITEMS, [...rowValues(parts.itemRows), items], { sent: parts.itemRows.run.length });
  }
  if (parts.anyRows.run.length > 0) {
    const special = texts(parts.special.map(restOf));
    add("rows", RECORD_ANY, [...rowValues(parts.anyRows), special], { sent: parts.anyRows.run.length });
  }
  // Before a move, which ends the fence of its run.
  if (starting.length > 0) {
    const children = starting.flatMap(({ children = [] }) => children).sort(byKey);
    const fences = [numbers(starting.map(({ seq }) => seq)), numbers(starting.map(({ epoch }) => epoch))];
    const insert = isWary || children.some(({ key }) => key !== undefined)
      ? START_CHILDREN_UNLESS_THERE
      : START_CHILDREN;
    add("children", insert, [at, tell(), ...fences, ...childArrays(children)], { sent: undefined });
  }
  if (parts.ends.length > 0) {
    const values = [...endValues(parts.ends), tell(), ...lastValues(parts.ends, isWary), ...rowValues(parts.endRows)];
    add("ends", COMPLETE_WITH_RECORDS, values, { sent: parts.endRows.run.length, moves: parts.ends });
  }
  if (parts.bareEnds.length > 0) {
    add("rows", COMPLETE, [...endValues(parts.bareEnds), tell(), ...lastValues(parts.bareEnds, isWary)], {
      sent: parts.bareEnds.length,
      moves: parts.bareEnds,
    });
  }
  if (parts.moves.length > 0) {
    add("moves", MOVE, [at, ...moveValues(parts.moves), tell()], {
      sent: parts.moves.length,
      moves: parts.moves,
    });
  }
  const ending = writes.some(hasParent) ? endingChildren(writes) : [];
  if (ending.length > 0) {
    const { seqs, epochs } = heldParents(writes);
    add("wakes", WAKE_PARENTS, [at, numbers(ending), wake, numbers(seqs), numbers(epochs)], { sent: undefined });
  }
  return statements;

  function add(
    kind: FlushStatement["kind"],
    sql: string,
    values: readonly Bindable[],
    { sent, moves = [] }: { readonly sent: number | undefined; readonly moves?: readonly RunWrite[] },
  ): void {
    statements.push({ kind, sql, values, sent, moves });
  }
}

/** Whether a write concerns the row of a run that the ends of its children change, too. */
function isOfParent({ hasChildren, children = [], move, seen }: RunWrite): boolean {
  return children.length > 0 || (hasChildren === true && (move !== undefined || seen !== undefined));
}

interface Rows {
  readonly run: number[];
  readonly epoch: number[];
  readonly records: RecordWrite[];
}

/** The writes of a batch by the statement that writes them. */
interface Parts {
  /** New rows of tasks of runs that continue. */
  readonly rows: Rows;
  /** New rows of items. */
  readonly itemRows: Rows;
  /** Other rows; those that are not plain come first. */
  readonly anyRows: Rows;
  /** The rows of `anyRows` that are not plain. */
  readonly special: readonly RecordWrite[];
  /** Runs that complete with rows, all of which are new. */
  readonly ends: RunWrite[];
  /** Their rows. */
  readonly endRows: Rows;
  /** Runs that complete without rows but their last results, or with rows that another statement writes. */
  readonly bareEnds: RunWrite[];
  readonly moves: RunWrite[];
}

function partsOf(writes: readonly RunWrite[], isWary: boolean): Parts {
  const isFresh = (record: RecordWrite): boolean => !isWary && record.isNew === true && isPlainRecord(record);
  const [rows, itemRows, endRows, special, replaced] = [newRows(), newRows(), newRows(), newRows(), newRows()];
  const ends: RunWrite[] = [];
  const bareEnds: RunWrite[] = [];
  const moves: RunWrite[] = [];
  for (const write of writes) {
    const last = isWary ? undefined : lastResultOf(write);
    const records = distinctRows(last === undefined ? write.records : write.records.slice(0, -1));
    const isEnd = write.move?.to === "completed";
    const isWhole = isEnd && records.length > 0 && records.every((record) => isFresh(record) && record.item < 0);
    for (const record of records) addRow(isWhole ? endRows : kindOf(record), write, record);
    if (isEnd) (isWhole ? ends : bareEnds).push(write);
    else if (write.move !== undefined || write.seen !== undefined) moves.push(write);
  }
  const anyRows = {
    run: [...special.run, ...replaced.run],
    epoch: [...special.epoch, ...replaced.epoch],
    records: [...special.records, ...replaced.records],
  };
  return { rows, itemRows, anyRows, special: special.records, ends, endRows, bareEnds, moves };

  function kindOf(record: RecordWrite): Rows {
    if (isFresh(record)) return record.item < 0 ? rows : itemRows;
    return isPlainRecord(record) && record.item < 0 ? replaced : special;
  }
}

function newRows(): Rows {
  return { run: [], epoch: [], records: [] };
}

function addRow(rows: Rows, { seq, epoch }: RunWrite, record: RecordWrite): void {
  rows.run.push(seq);
  rows.epoch.push(epoch);
  rows.records.push(record);
}

function rowValues({ run, epoch, records }: Rows): Bindable[] {
  return [
    numbers(run),
    numbers(epoch),
    texts(records.map(({ task }) => task)),
    numbers(records.map(({ startedAt }) => startedAt)),
    numbers(records.map(({ endedAt }) => endedAt)),
    sparse(records.map(({ output }) => output)),
  ];
}

function restOf(record: RecordWrite): string {
  const { item, step, state, attempts, dueAt, reason, progress, items, input } = record;
  return JSON.stringify({
    item,
    step,
    state,
    attempts,
    dueAt,
    reason: printable(reason),
    progress,
    failures: failuresOf(record),
    items,
    input,
  });
}

function endValues(ends: readonly RunWrite[]): Bindable[] {
  return [
    numbers(ends.map(({ seq }) => seq)),
    numbers(ends.map(({ epoch }) => epoch)),
    numbers(ends.map(({ move }) => move && atOf(move))),
  ];
}

/** The last results of runs that complete; none if their rows may exist already. */
function lastValues(ends: readonly RunWrite[], isWary: boolean): Bindable[] {
  const lasts = isWary ? [] : ends.map(lastResultOf);
  return [
    sparse(lasts.map((last) => last?.task)),
    numbers(lasts.map((last) => last?.startedAt)),
    sparse(lasts.map((last) => last?.output)),
  ];
}

function moveValues(writes: readonly RunWrite[]): Bindable[] {
  return [
    ...endValues(writes),
    texts(writes.map(({ move }) => wayOf(move))),
    sparse(writes.map(({ move }) => move && detailOf(move))),
    sparse(writes.map(({ move }) => move?.to === "stranded" ? move.by : undefined)),
    numbers(writes.map(({ seen }) => seen)),
  ];
}

function wayOf(move: RunMove | undefined): string {
  if (move === undefined) return "ack";
  if (move.to === "compensating") return move.end.state === "failed" ? "undoFailed" : "undoCancelled";
  return move.to === "waiting" && !move.release ? "keep" : move.to;
}

function atOf(move: RunMove): number | undefined {
  switch (move.to) {
    case "completed":
    case "failed":
    case "cancelled":
      return move.at;
    case "waiting":
      return move.dueAt;
    default:
      return undefined;
  }
}

function detailOf(move: RunMove): string | undefined {
  switch (move.to) {
    case "failed":
      return JSON.stringify(move.error);
    case "compensating":
      return move.end.state === "failed" ? JSON.stringify(move.end.error) : printable(move.end.reason);
    case "cancelled":
    case "stranded":
      return printable(move.reason);
    case "completed":
    case "waiting":
    case "running":
    case "pending":
      return undefined;
  }
}
