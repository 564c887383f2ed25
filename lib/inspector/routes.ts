import { loadFailures } from "./load_failures.ts";
import { loadLimits } from "./load_limits.ts";
import { loadItems } from "./load_items.ts";
import { loadOverview } from "./load_overview.ts";
import { loadRun } from "./load_run.ts";
import { loadRunners } from "./load_runners.ts";
import { loadRuns } from "./load_runs.ts";
import { loadSchedules } from "./load_schedules.ts";
import { loadWorkflow } from "./load_workflow.ts";
import { loadWorkflows } from "./load_workflows.ts";
import { failuresPage } from "./pages/failures_page.ts";
import type { Html } from "./pages/html.ts";
import { limitsPage } from "./pages/limits_page.ts";
import { itemsPage } from "./pages/items_page.ts";
import { overviewPage } from "./pages/overview_page.ts";
import { runPage } from "./pages/run_page.ts";
import { runnersPage } from "./pages/runners_page.ts";
import { runsPage } from "./pages/runs_page.ts";
import { schedulesPage } from "./pages/schedules_page.ts";
import { workflowPage } from "./pages/workflow_page.ts";
import { workflowsPage } from "./pages/workflows_page.ts";
import type { Asked, Reading } from "./reading.ts";
import type { Answer, View } from "./shapes.ts";

/** A page and the API response that it is rendered from: `/runs` and `/api/runs`. */
export interface Route {
  /** The path of the page. */
  readonly path: string;
  /** The answer. */
  readonly load: (reading: Reading, asked: Asked) => Promise<Answer>;
  /** The answer as a page, and whether it can still change. */
  readonly draw: (
    reading: Reading,
    asked: Asked,
    view: (isLive: boolean) => View,
  ) => Promise<Html>;
  /** The run that it is about, if it is about one. */
  readonly runOf: (asked: Asked) => string | undefined;
}

/** All pages. */
export const ROUTES: readonly Route[] = [
  route("/overview", loadOverview, overviewPage),
  route("/runs", loadRuns, runsPage),
  route("/runs/:id", loadRun, runPage, {
    runOf: ({ params }) => params["id"],
    isOver: ({ run: { endedAt } }) => endedAt !== undefined,
  }),
  route("/runs/:id/tasks/:task/items", loadItems, itemsPage, {
    runOf: ({ params }) => params["id"],
    isOver: ({ run: { endedAt } }) => endedAt !== undefined,
  }),
  route("/failures", loadFailures, failuresPage),
  route("/workflows", loadWorkflows, workflowsPage),
  route("/workflows/:name", loadWorkflow, workflowPage),
  route("/schedules", loadSchedules, schedulesPage),
  route("/limits", loadLimits, limitsPage),
  route("/runners", loadRunners, runnersPage),
];

function route<T extends Answer>(
  path: string,
  load: (reading: Reading, asked: Asked) => Promise<T>,
  page: (data: T, view: View) => Html,
  { runOf = () => undefined, isOver = () => false }: {
    readonly runOf?: Route["runOf"];
    readonly isOver?: (data: T) => boolean;
  } = {},
): Route {
  return {
    path,
    load,
    async draw(reading, asked, view) {
      const data = await load(reading, asked);
      return page(data, view(!isOver(data)));
    },
    runOf,
  };
}
