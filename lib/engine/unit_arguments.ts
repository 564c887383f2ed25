import type { TaskArguments, TaskStatus } from "../definition/context.ts";
import { decodeJson } from "../definition/json.ts";
import { nodeOf } from "./attempt.ts";
import type { Attempt, LiveRun } from "./live_run.ts";
import { statusOf } from "./run_state.ts";

/**
 * Returns what a body receives. Each body gets its own copy of each output, decoded from the stored text: no body can
 * change what another body receives, and a resumed run receives the same as an uninterrupted one.
 */
export function argumentsOf(attempt: Attempt, tx?: unknown): TaskArguments {
  const { run } = attempt.unit;
  const args = run.plan.newRecord();
  const status = run.plan.newRecord<TaskStatus>();
  const { before, reads } = nodeOf(attempt);
  for (const number of before) add(number);
  for (const number of reads) add(number);
  args["input"] = decodeJson(run.input, "the input of the run");
  args["ctx"] = attempt.context;
  args["status"] = status;
  if (tx !== undefined) args["tx"] = tx;
  return args as TaskArguments;

  function add(number: number): void {
    const { id } = run.plan.nodes[number]!;
    status[id] = statusOf(run.state.units[number]!);
    args[id] = outputOf(run, number);
  }
}

function outputOf({ plan, state }: LiveRun, node: number): unknown {
  return decodeJson(state.units[node]!.output, "the output", plan.nodes[node]!.id);
}
