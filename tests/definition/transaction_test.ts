import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { DefinitionError } from "../../lib/errors.ts";
import { type DynamicTask, dynamicWorkflow } from "../../lib/definition/dynamic.ts";
import { transactionOf } from "../../lib/definition/transaction.ts";
import { workflow } from "../../lib/definition/workflow.ts";
import { test } from "../harness.ts";

const transaction = transactionOf<{ readonly on: string }>("postgres");
const run = (): string => "paid";

test("a task is a transaction if it is marked as one, in every way to define it", () => {
  const beside = workflow("w").task("pay", { ...transaction, run });
  const away = workflow("w").task("pay", { ...transaction({ run }) });
  const dynamic = dynamicWorkflow({ name: "w", tasks: [{ id: "pay", ...transaction, run }] });
  const named = dynamicWorkflow({ name: "w", tasks: [{ id: "pay", kind: "transaction", ...transaction, run }] });
  for (const { tasks: [task] } of [beside, away, dynamic, named]) {
    assertEquals(task?.kind === "transaction" && task.database, "postgres");
  }
  assertEquals(new Set([beside, away, dynamic, named].map(({ version }) => version)).size, 1);
});

test("whether a task is a transaction is part of its workflow's structure", () => {
  const plain = workflow("w").task("pay", { run });
  const marked = workflow("w").task("pay", { ...transaction, run });
  assertNotEquals(plain.structure, marked.structure);
  assertEquals(plain.tasks.map(({ kind }) => kind), ["task"]);
});

test("a body away from any workflow keeps its options, is frozen, and can be called", () => {
  const pay = transaction({
    retry: 5,
    timeout: "1s",
    run: ({ tx }: { readonly tx: { readonly on: string } }) => tx.on,
  });
  assertEquals(pay.run({ tx: { on: "here" } }), "here");
  assertEquals([pay.retry, pay.timeout, pay.transaction.database, Object.isFrozen(pay)], [5, "1s", "postgres", true]);
  const wrong = { run, retries: 2 } as unknown as { readonly run: typeof run };
  assertThrows(() => transaction(wrong), TypeError, 'Cannot define task: unknown option "retries"');
});

test("what is no mark of a transaction is refused, and so is a kind that a task is not of", () => {
  for (const mark of [true, null, "postgres", {}, { database: "mysql" }]) {
    const options = { transaction: mark as typeof transaction.transaction, run };
    const error = assertThrows(() => workflow("w").task("pay", options), DefinitionError);
    assertEquals(error.message.includes('task "pay": invalid `transaction` '), true, error.message);
  }
  const tasks: DynamicTask[] = [{ id: "a", kind: "transaction", run }, { id: "b", kind: "task", ...transaction, run }];
  const error = assertThrows(() => dynamicWorkflow({ name: "w", tasks }), DefinitionError);
  assertEquals(error.problems, [
    'task "a": kind is "transaction", and by its other options it is a task',
    'task "b": kind is "task", and by its other options it is a transaction',
  ]);
});
