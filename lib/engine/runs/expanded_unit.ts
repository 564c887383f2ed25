import { nodeOf } from "./attempt.ts";
import { toErrorRecord, withoutStacks } from "../errors/error_record.ts";
import { keepOutput, type OutputText, takeKept } from "./expansion.ts";
import type { LiveUnit } from "./live_run.ts";

/** Completes the state of a node whose items have ended: a failed one gets its failures, and memory is released. */
export function concludeExpansion(unit: LiveUnit, taskId: string, now: number): void {
  const expansion = unit.expansion!;
  const { failed, failures, total } = expansion;
  expansion.elements = undefined;
  if (total === 0) expansion.outputs = [];
  else if (unit.state === "completed") unit.isStored = !takeKept(expansion);
  else expansion.kept = undefined;
  const [first] = failures;
  if (unit.state !== "failed" || first === undefined) return;
  const items = `${failed} of ${total} items of task "${taskId}" failed`;
  const error = new Error(`${items}; the first is item ${first.item}: ${first.error.message}`);
  const { stack: _, ...record } = toErrorRecord(error);
  unit.thrown = error;
  unit.failures = [
    ...failures.map((failure) => ({ ...failure, error: withoutStacks(failure.error) })),
    { taskId, attempt: unit.attempts, error: { ...record, cause: first.error }, endedAt: now },
  ];
}

/** Keeps the output of an item that has ended for the tasks after its map; the errors of failed items are read. */
export function keepItem({ run, node, item, state, output }: LiveUnit): void {
  const { expansion } = run.state.units[node]!;
  if (expansion?.kept === undefined) return;
  const isCollected = run.plan.nodes[node]!.items?.onFailure === "collect";
  if (state === "completed") keepOutput(expansion, { item, output, isCollected });
  else expansion.kept = undefined;
}

/** Returns the output of a unit whose output is in memory. */
export function outputTextOf({ expansion, output }: LiveUnit): OutputText {
  return expansion === undefined ? output : expansion.outputs;
}

/** What the other items of a task are aborted with when one of them has failed. */
export function itemFailed(unit: LiveUnit): Error {
  return new Error(`Another item of task "${nodeOf({ unit }).id}" failed`);
}
