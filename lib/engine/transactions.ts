import { DefinitionError } from "../errors.ts";
import type { Store, TransactionVerdict } from "../store/port.ts";
import { nodeOf } from "./attempt.ts";
import { committedRecord } from "./journal_rows.ts";
import type { Attempt } from "./live_run.ts";
import type { Catalog } from "./catalog.ts";

/** Runs the body of an attempt in a transaction that also records what it answers. */
export function runTransaction(
  attempt: Attempt,
  body: (tx: unknown) => Promise<string | undefined>,
  transact: Store["transact"],
  now: () => number,
): Promise<TransactionVerdict> {
  const { unit: { run }, context } = attempt;
  return transact({
    seq: run.seq,
    epoch: run.epoch,
    task: nodeOf(attempt).id,
    body: async (tx) => committedRecord(attempt, await body(tx), now()),
    signal: context!.signal,
    // A time-out that comes now would give up what is about to be durable.
    committing() {
      attempt.disarm?.();
      attempt.disarm = undefined;
    },
  });
}

/**
 * Sees to it that the store can run the transactions of the workflows that a runner is to execute.
 *
 * @throws {DefinitionError} If it cannot.
 */
export function checkTransactions({ plans }: Catalog, { name, transactions }: Store): void {
  for (const { workflow } of plans) {
    const problems = workflow.tasks
      .filter(({ database }) => database !== undefined && database !== transactions)
      .map(({ id, database }) => `task "${id}" is a transaction on ${database}, ${why(database!)}`);
    if (problems.length > 0) throw new DefinitionError(workflow.name, problems);
  }

  function why(database: string): string {
    return transactions === undefined && database === "sqlite"
      ? `which needs a file: the store ${name} is in memory, and no second connection reaches it`
      : `and the store ${name} is none; \`transaction\` is to come from the store's own module`;
  }
}
