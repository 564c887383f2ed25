import { loadRun } from "./load_run.ts";
import { loadRunners, loadSchedules } from "./load_runners.ts";
import { loadRuns } from "./load_runs.ts";
import { loadWorkflow } from "./load_workflow.ts";
import { loadWorkflows } from "./load_workflows.ts";
import type { Asked, Reading } from "./reading.ts";
import type { Answer } from "./shapes.ts";

/** A page and the answer of the API that it is drawn from: `/runs` and `/api/runs`. */
export interface Route {
  /** The path of the page. */
  readonly path: string;
  /** The answer. */
  readonly load: (reading: Reading, asked: Asked) => Promise<Answer>;
}

/** All pages. */
export const ROUTES: readonly Route[] = [
  { path: "/runs", load: loadRuns },
  { path: "/runs/:id", load: loadRun },
  { path: "/workflows", load: loadWorkflows },
  { path: "/workflows/:name", load: loadWorkflow },
  { path: "/schedules", load: loadSchedules },
  { path: "/runners", load: loadRunners },
];
