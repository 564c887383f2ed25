import type { Batch, JournalRecord, NewRun, RecordWrite, RunMove, RunWrite } from "../batch.ts";
import { numbers, sparse, texts } from "./arrays.ts";
import { FLUSH, FLUSH_PLAIN } from "./flush_sql.ts";
import type { Bindable, BoundStatement } from "./connection.ts";

/** How a batch is written. */
export interface FlushManner {
  /** Replaces the server's clock. */
  readonly at: Bindable;
  /** What others are told. */
  readonly news: Bindable;
  /** Whether rows that are surely new may be there nevertheless. */
  readonly isWary: boolean;
}

/** The statement that writes a batch, in which no run stands twice. */
export function flushOf({ starts, writes }: Batch, { at, news, isWary }: FlushManner): BoundStatement {
  const owners = new Set<number>();
  for (const { owner } of starts) if (owner !== undefined) owners.add(owner);
  const isNew = ({ key }: NewRun): boolean => !isWary && key === undefined;
  const perhaps = starts.every(isNew) ? [] : starts.filter((run) => !isNew(run)).sort(byKey);
  const forks = forksOf(starts);
  const { fresh, over, special } = rowsOf(writes, isWary);
  const { all, marked } = movesOf(writes);
  const plain = [
    at,
    numbers(writes.map(({ seq }) => seq)),
    numbers(writes.map(({ epoch }) => epoch)),
    numbers([...owners]),
    news,
    ...runValues(perhaps.length === 0 ? starts : starts.filter(isNew)),
    ...rowValues(fresh, []),
    ...moveValues(all),
  ];
  if (perhaps.length + forks.length + over.records.length + marked.length === 0) {
    return { sql: FLUSH_PLAIN, values: plain };
  }
  const values = [
    ...plain,
    ...markValues(marked),
    ...runValues(perhaps),
    ...forkValues(forks),
    ...rowValues(over, special),
  ];
  return { sql: FLUSH, values };
}

function runValues(runs: readonly NewRun[]): Bindable[] {
  return [
    texts(runs.map(({ id }) => id)),
    texts(runs.map(({ workflow }) => workflow)),
    texts(runs.map(({ version }) => version)),
    numbers(runs.map(({ owner }) => owner)),
    sparse(runs.map(({ input }) => input)),
    sparse(runs.map(optionsOf)),
  ];
}

/** Two flushes with the same keys in another order would wait for each other; those without keep theirs. */
export function byKey(a: NewRun, b: NewRun): number {
  if (a.key === undefined || b.key === undefined) return Number(a.key !== undefined) - Number(b.key !== undefined);
  return compare(a.workflow, b.workflow) || compare(a.key, b.key);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** What a run has beside what nearly every run has only. */
export function optionsOf({ owner, key, priority, timeoutMs, tags, dueAt, fork, trace }: NewRun): string | undefined {
  const isPlain = owner !== undefined && key === undefined && priority === 0 && timeoutMs === undefined &&
    tags.length === 0 && fork === undefined && trace === undefined;
  if (isPlain) return undefined;
  const held = tags.length === 0 ? undefined : JSON.stringify(tags);
  return JSON.stringify({ key, priority, timeoutMs, dueAt, tags: held, from: fork?.from, trace });
}

interface ForkedRow {
  readonly id: string;
  readonly record: JournalRecord;
}

function forksOf(starts: readonly NewRun[]): readonly ForkedRow[] {
  return starts.flatMap(({ id, fork }) => (fork?.journal ?? []).map((record) => ({ id, record })));
}

function forkValues(forks: readonly ForkedRow[]): Bindable[] {
  return [
    texts(forks.map(({ id }) => id)),
    texts(forks.map(({ record }) => JSON.stringify({ ...record, failures: failuresOf(record) }))),
  ];
}

interface Rows {
  readonly run: number[];
  readonly epoch: number[];
  readonly records: JournalRecord[];
}

/** Rows that are surely new, and others, of which those come first that are not plain. */
function rowsOf(
  writes: readonly RunWrite[],
  isWary: boolean,
): { readonly fresh: Rows; readonly over: Rows; readonly special: readonly JournalRecord[] } {
  const fresh: Rows = { run: [], epoch: [], records: [] };
  // What is not plain comes first, so that the array of what is special about it ends where that ends.
  const special: Rows = { run: [], epoch: [], records: [] };
  const replaced: Rows = { run: [], epoch: [], records: [] };
  for (const { seq, epoch, records } of writes) {
    for (const record of lastOfEach(records)) {
      const rows = !isPlain(record) ? special : isWary || record.isNew !== true ? replaced : fresh;
      rows.run.push(seq);
      rows.epoch.push(epoch);
      rows.records.push(record);
    }
  }
  const over = {
    run: [...special.run, ...replaced.run],
    epoch: [...special.epoch, ...replaced.epoch],
    records: [...special.records, ...replaced.records],
  };
  return { fresh, over, special: special.records };
}

function rowValues({ run, epoch, records }: Rows, special: readonly JournalRecord[]): Bindable[] {
  return [
    numbers(run),
    numbers(epoch),
    texts(records.map(({ task }) => task)),
    numbers(records.map(({ startedAt }) => startedAt)),
    numbers(records.map(({ endedAt }) => endedAt)),
    sparse(records.map(({ output }) => output)),
    texts(special.map(restOf)),
  ];
}

/** One row of each unit and step, as one statement cannot write a row twice: the first terminal one, or the last. */
function lastOfEach(records: readonly RecordWrite[]): readonly RecordWrite[] {
  if (records.length < 2) return records;
  const last = new Map<string, RecordWrite>();
  for (const record of records) {
    const name = JSON.stringify([record.task, record.item, record.step]);
    const before = last.get(name);
    if (before === undefined) last.set(name, record);
    else if (isOpen(before)) last.set(name, before.isNew === true ? { ...record, isNew: true } : record);
  }
  return last.size === records.length ? records : [...last.values()];
}

function isOpen({ state }: JournalRecord): boolean {
  return state === "running" || state === "waiting" || state === "pending";
}

function isPlain(record: JournalRecord): boolean {
  return record.state === "completed" && record.attempts === 1 && record.item === -1 && record.step === "" &&
    record.failures.length === 0 && record.reason === undefined && record.dueAt === undefined &&
    record.progress === undefined;
}

function restOf(record: JournalRecord): string {
  const { item, step, state, attempts, dueAt, reason, progress } = record;
  return JSON.stringify({
    item,
    step,
    state,
    attempts,
    dueAt,
    reason: printable(reason),
    progress,
    failures: failuresOf(record),
  });
}

function failuresOf({ failures }: JournalRecord): string | undefined {
  return failures.length === 0 ? undefined : JSON.stringify(failures);
}

/** Writes that change their run's row; those that do more than complete it come first, and are marked. */
function movesOf(
  writes: readonly RunWrite[],
): { readonly all: readonly RunWrite[]; readonly marked: readonly RunWrite[] } {
  const changing = writes.filter(({ move, seen }) => move !== undefined || seen !== undefined);
  const marked = changing.filter(({ move }) => move?.to !== "completed");
  const all = marked.length === 0 ? changing : [...marked, ...changing.filter(({ move }) => move?.to === "completed")];
  return { all, marked };
}

function moveValues(moving: readonly RunWrite[]): Bindable[] {
  return [
    numbers(moving.map(({ seq }) => seq)),
    numbers(moving.map(({ epoch }) => epoch)),
    numbers(moving.map(({ move }) => move && atOf(move))),
  ];
}

function markValues(writes: readonly RunWrite[]): Bindable[] {
  return [
    texts(writes.map(({ move }) => wayOf(move))),
    sparse(writes.map(({ move }) => move && detailOf(move))),
    sparse(writes.map(({ move }) => move?.to === "stranded" ? move.by : undefined)),
    numbers(writes.map(({ seen }) => seen)),
  ];
}

function wayOf(move: RunMove | undefined): string {
  if (move === undefined) return "ack";
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
    case "running":
    case "pending":
    case "stranded":
      return undefined;
  }
}

function detailOf(move: RunMove): string | undefined {
  switch (move.to) {
    case "failed":
      return JSON.stringify(move.error);
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

/** A text for people, without the one character that Postgres cannot hold. */
export function printable<T extends string | undefined>(text: T): T {
  return (text?.includes("\0") ? text.replaceAll("\0", "\ufffd") : text) as T;
}
