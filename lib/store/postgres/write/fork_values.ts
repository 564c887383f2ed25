import type { JournalRecord, NewRun } from "../../port/batch.ts";
import { numbers, texts } from "./arrays.ts";
import type { Bindable } from "../connect/connection.ts";
import { failuresOf } from "./printable.ts";

/** A row that a fork begins with. */
export interface ForkedRow {
  readonly id: string;
  readonly record: JournalRecord;
}

/** Returns the rows that the callers of forks provide. */
export function forksOf(starts: readonly NewRun[]): readonly ForkedRow[] {
  return starts.flatMap(({ id, fork }) => (fork?.journal ?? []).map((record) => ({ id, record })));
}

/** Returns the parameters of `FORK`. */
export function forkValues(forks: readonly ForkedRow[]): Bindable[] {
  return [
    texts(forks.map(({ id }) => id)),
    texts(forks.map(({ record }) => JSON.stringify({ ...record, failures: failuresOf(record) }))),
  ];
}

/** A task of which a fork copies the rows. */
export interface CopiedTask {
  readonly id: string;
  readonly origin: number;
  readonly task: string;
}

/** Returns the tasks that forks copy. */
export function copiesOf(starts: readonly NewRun[]): readonly CopiedTask[] {
  return starts.flatMap(({ id, fork }) =>
    fork?.copy?.tasks.map((task) => ({ id, origin: fork.copy!.seq, task })) ?? []
  );
}

/** Returns the parameters of `FORK_COPY`. */
export function copyValues(copies: readonly CopiedTask[]): Bindable[] {
  return [
    texts(copies.map(({ id }) => id)),
    numbers(copies.map(({ origin }) => origin)),
    texts(copies.map(({ task }) => task)),
  ];
}
