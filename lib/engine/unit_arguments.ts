import type { TaskArguments, TaskStatus } from "../definition/context.ts";
import { decodeJson } from "../definition/json.ts";
import { nodeOf } from "./attempt.ts";
import type { Attempt, LiveRun } from "./live_run.ts";
import { statusOf } from "./run_state.ts";

/**
 * What a body receives. Every body gets a copy of its own of each output, decoded from the stored text: no body can change
 * what another one sees, and a resumed run sees the same as an unbroken one.
 */
export function argumentsOf(attempt: Attempt, tx?: unknown): TaskArguments {
  const { run } = attempt.unit;
  const args = run.plan.newRecord();
  const status = run.plan.newRecord<TaskStatus>();
  const { before, reads } = nodeOf(attempt);
  for (const dependency of before) {
    status[run.plan.nodes[dependency]!.id] = statusOf(run.state.units[dependency]!);
  }
  for (const number of before) args[run.plan.nodes[number]!.id] = outputOf(run, number);
  for (const number of reads) args[run.plan.nodes[number]!.id] = outputOf(run, number);
  args["input"] = decodeJson(run.input, "the input of the run");
  args["ctx"] = attempt.context;
  args["status"] = status;
  if (tx !== undefined) args["tx"] = tx;
  return args as TaskArguments;
}

function outputOf({ plan, state }: LiveRun, node: number): unknown {
  return decodeJson(state.units[node]!.output, "the output", plan.nodes[node]!.id);
}
