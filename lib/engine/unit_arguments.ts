import type { TaskArguments, TaskStatus } from "../definition/context.ts";
import { decodeJson } from "../definition/json.ts";
import { nodeOf } from "./attempt.ts";
import type { Attempt } from "./live_run.ts";
import { statusOf } from "./run_state.ts";

/**
 * What a body receives. Every body gets a copy of its own of each output, decoded from the stored text: no body can change
 * what another one sees, and a resumed run sees the same as an unbroken one.
 */
export function argumentsOf(attempt: Attempt, tx?: unknown): TaskArguments {
  const { run } = attempt.unit;
  const args = run.plan.newRecord();
  const status = run.plan.newRecord<TaskStatus>();
  for (const dependency of nodeOf(attempt).before) {
    const { id } = run.plan.nodes[dependency]!;
    const unit = run.state.units[dependency]!;
    args[id] = decodeJson(unit.output, "the output", id);
    status[id] = statusOf(unit);
  }
  args["input"] = decodeJson(run.input, "the input of the run");
  args["ctx"] = attempt.context;
  args["status"] = status;
  if (tx !== undefined) args["tx"] = tx;
  return args as TaskArguments;
}
