import type { Database, TaskDefinition } from "../../definition/definition.ts";
import { DefinitionError } from "../../errors.ts";
import type { Store } from "../../store/port/store.ts";
import type { TransactionVerdict } from "../../store/port/transactions.ts";
import { nodeOf } from "../runs/attempt.ts";
import { committedRecord } from "../runs/journal_rows.ts";
import type { Attempt } from "../runs/live_run.ts";
import type { Catalog } from "../catalog.ts";

/** Runs the body of an attempt in a transaction that also records its output. */
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
    task: nodeOf(attempt).row,
    item: attempt.unit.item,
    async body(tx) {
      attempt.transaction = { tx, starts: new Map() };
      try {
        return committedRecord(attempt, await body(tx), now());
      } finally {
        attempt.transaction = undefined;
      }
    },
    signal: context!.signal,
    // From here on a timeout would abandon a result that is about to be durable.
    committing() {
      attempt.disarm?.();
      attempt.disarm = undefined;
    },
  });
}

/**
 * Checks that the store supports the transactions of all workflows of a runner.
 *
 * @throws {DefinitionError} If it does not support one of them.
 */
export function checkTransactions({ plans }: Catalog, { name, transactions }: Store): void {
  for (const { workflow } of plans) {
    const problems = workflow.tasks.flatMap((task) => {
      const database = databaseOf(task);
      if (database === undefined || database === transactions) return [];
      return [`task "${task.id}" is a transaction on ${database}, ${why(database)}`];
    });
    if (problems.length > 0) throw new DefinitionError(workflow.name, problems);
  }

  function why(database: string): string {
    return transactions === undefined && database === "sqlite"
      ? `which needs a second connection: the store ${name} is in memory; use a file`
      : `but the store is ${name}; import \`transaction\` from the module of that store`;
  }
}

/** Returns the database in which the body of a task, or of its items, runs; `undefined` if it is not a transaction. */
export function databaseOf(task: TaskDefinition): Database | undefined {
  const body = task.kind === "map" ? task.each : task;
  return body.kind === "transaction" ? body.database : undefined;
}
