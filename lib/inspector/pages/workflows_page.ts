import type { Durations, RunSample } from "../sample_shape.ts";
import type { View, WorkflowsPage, WorkflowSummary } from "../shapes.ts";
import { type Html, markup } from "./html.ts";
import { counted, grouped } from "./labels.ts";
import { page } from "./page.ts";
import { RUN_STATES } from "./states.ts";
import { type Head, numberCell, table } from "./table.ts";
import { duration, moment } from "./times.ts";

/** The registered workflows. */
export function workflowsPage(data: WorkflowsPage, view: View): Html {
  const { workflows, sampled, isTruncated, at } = data;
  return page({
    title: "Workflows",
    section: "workflows",
    answer: data,
    jsonHref: `${view.basePath}/api/workflows`,
    content: markup`
<h1>Workflows</h1>
${
      workflows.length === 0 ? markup`<p class="empty">No workflows registered yet.</p>` : table({
        id: "workflows",
        caption: "Workflows by name",
        heads: ["Workflow", "Latest runs", { number: "Failed" }, ...DURATION_HEADS, "Last run", { number: "Runners" }],
        rows: workflows.map((workflow) => workflowRow(workflow, at)),
      })
    }
${isTruncated && markup`<p class="note">More workflows exist than this page shows.</p>`}
<p class="note">Counts and durations cover the latest ${counted(sampled, "run")} of the store.</p>
`,
  }, view);
}

/** How the runs of a sample ended, as a bar with a text. */
export function sampleBar({ runs }: RunSample): Html {
  const total = RUN_STATES.reduce((sum, state) => sum + runs[state], 0);
  const parts = RUN_STATES.filter((state) => runs[state] > 0);
  if (total === 0) return markup`<span class="note">none</span>`;
  let x = 0;
  const bars = parts.map((state) => {
    const width = Math.round((runs[state] / total) * 10_000) / 100;
    x += width;
    return markup`<rect class="s-${state}" x="${
      Math.round((x - width) * 100) / 100
    }%" width="${width}%" y="0" height="8"/>`;
  });
  return markup`<svg class="sample" width="100%" height="8" aria-hidden="true">${bars}</svg><span class="small">${
    parts.map((state) => `${grouped(runs[state])} ${state}`).join(", ")
  }</span>`;
}

/** The share of failures. */
export function rateWords(rate: number | undefined): string {
  if (rate === undefined) return "–";
  const percent = rate * 100;
  return `${percent > 0 && percent < 10 ? percent.toFixed(1) : Math.round(percent)} %`;
}

/** The column heads for `durationCells`. */
export const DURATION_HEADS: readonly Head[] = [{ number: "p50" }, { number: "p95" }, { number: "p99" }];

/** The cells p50, p95 and p99 of a row. */
export function durationCells(durations: Durations | undefined): Html {
  const cell = (ms: number | undefined): Html => numberCell(ms === undefined ? "–" : duration(ms));
  return markup`${cell(durations?.p50Ms)}${cell(durations?.p95Ms)}${cell(durations?.p99Ms)}`;
}

function workflowRow(workflow: WorkflowSummary, at: number): Html {
  const { name, href, runsHref, versions, latestVersion, runners, sample } = workflow;
  return markup`
<tr id="workflow-${encodeURIComponent(name.toWellFormed())}">
<th scope="row"><a href="${href}">${name}</a><br><span class="small"><code>${latestVersion}</code>${
    versions > 1 &&
    `, ${counted(versions, "version")}`
  }</span></th>
<td class="sample-cell">${
    sampleBar(sample)
  } <a class="small" href="${runsHref}">runs<span class="visually-hidden"> of ${name}</span></a></td>
${numberCell(rateWords(sample.failureRate))}${durationCells(sample.durations)}
<td class="when">${sample.lastAt === undefined ? "–" : moment(sample.lastAt, at)}</td>
${numberCell(runners.length === 0 ? markup`<span class="bad">none</span>` : runners.length)}
</tr>
`;
}
