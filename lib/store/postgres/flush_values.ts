import type { JournalRecord, NewRun, RunMove, RunWrite } from "../batch.ts";
import { numbers, sparse, texts } from "./arrays.ts";
import type { Bindable } from "./line.ts";

/** After how long the engine marks a task as running. */
const MARK_AFTER_MS = 100;

/** What one statement writes. No run stands in it twice. */
export interface Part {
  /** Runs to insert. */
  readonly starts: readonly NewRun[];
  /** Results and moves. */
  readonly writes: readonly RunWrite[];
}

/** How a part is written. */
export interface FlushManner {
  /** Replaces the server's clock. */
  readonly at: Bindable;
  /** What others are told. */
  readonly news: Bindable;
  /** Whether rows that are surely new may be there nevertheless. */
  readonly isWary: boolean;
}

/** What the flush statement binds for a part. */
export function flushValues({ starts, writes }: Part, { at, news, isWary }: FlushManner): Bindable[] {
  const owners = new Set<number>();
  for (const { owner } of starts) if (owner !== undefined) owners.add(owner);
  return [
    at,
    numbers(writes.map(({ seq }) => seq)),
    numbers(writes.map(({ epoch }) => epoch)),
    numbers([...owners]),
    news,
    ...startValues(starts, isWary),
    ...forkValues(starts),
    ...recordValues(writes, isWary),
    ...moveValues(writes),
  ];
}

function startValues(starts: readonly NewRun[], isWary: boolean): Bindable[] {
  const isNew = ({ key }: NewRun): boolean => !isWary && key === undefined;
  if (starts.every(isNew)) return [...runValues(starts), ...NO_RUNS];
  return [...runValues(starts.filter(isNew)), ...runValues(starts.filter((run) => !isNew(run)).sort(byKey))];
}

const NO_RUNS = runValues([]);

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

function forkValues(starts: readonly NewRun[]): Bindable[] {
  const forks = starts.flatMap(({ id, fork }) => (fork?.journal ?? []).map((record) => ({ id, record })));
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

function recordValues(writes: readonly RunWrite[], isWary: boolean): Bindable[] {
  const fresh: Rows = { run: [], epoch: [], records: [] };
  // What is not plain comes first, so that the array of what is special about it ends where that ends.
  const special: Rows = { run: [], epoch: [], records: [] };
  const marked: Rows = { run: [], epoch: [], records: [] };
  for (const { seq, epoch, records } of writes) {
    for (const record of lastOfEach(records)) {
      const rows = !isPlain(record) ? special : isWary || isMarked(record) ? marked : fresh;
      rows.run.push(seq);
      rows.epoch.push(epoch);
      rows.records.push(record);
    }
  }
  return [
    ...rowValues(fresh, []),
    ...rowValues({
      run: [...special.run, ...marked.run],
      epoch: [...special.epoch, ...marked.epoch],
      records: [...special.records, ...marked.records],
    }, special.records),
  ];
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

/** Whether it took so long that it was probably marked as running, by a row that this one replaces. */
function isMarked({ startedAt, endedAt }: JournalRecord): boolean {
  return (endedAt ?? 0) - (startedAt ?? 0) >= MARK_AFTER_MS;
}

/** One row of each task and part, as one statement cannot write a row twice: the first terminal one, or the last. */
function lastOfEach(records: readonly JournalRecord[]): readonly JournalRecord[] {
  if (records.length < 2) return records;
  const last = new Map<string, JournalRecord>();
  for (const record of records) {
    const name = JSON.stringify([record.task, record.part]);
    const before = last.get(name);
    if (before === undefined || isOpen(before)) last.set(name, record);
  }
  return last.size === records.length ? records : [...last.values()];
}

function isOpen({ state }: JournalRecord): boolean {
  return state === "running" || state === "waiting" || state === "pending";
}

function isPlain(record: JournalRecord): boolean {
  return record.state === "completed" && record.attempts === 1 && record.part === "" && record.failures.length === 0 &&
    record.reason === undefined && record.dueAt === undefined && record.progress === undefined;
}

function restOf(record: JournalRecord): string {
  const { part, state, attempts, dueAt, reason, progress } = record;
  return JSON.stringify({
    part,
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

function moveValues(writes: readonly RunWrite[]): Bindable[] {
  const moving = writes.filter(({ move }) => move !== undefined);
  const special = moving.filter(({ move }) => move!.to !== "completed");
  const all = special.length === 0 ? moving : [...special, ...moving.filter(({ move }) => move!.to === "completed")];
  const moves = special.map(({ move }) => move!);
  return [
    numbers(all.map(({ seq }) => seq)),
    numbers(all.map(({ epoch }) => epoch)),
    numbers(all.map(({ move }) => atOf(move!))),
    texts(moves.map(wayOf)),
    sparse(moves.map(detailOf)),
    sparse(moves.map((move) => move.to === "stranded" ? move.by : undefined)),
  ];
}

function wayOf(move: RunMove): string {
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
