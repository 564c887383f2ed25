import type { LiveRun } from "../runs/live_run.ts";
import type { TracedRun } from "./tracing.ts";

/** What tracing is given of a run. */
export function tracedRun({ id, plan, epoch, origin }: LiveRun): TracedRun {
  const { name, version } = plan.workflow;
  return { runId: id, workflow: name, version, epoch, trace: origin };
}
