import type { TaskSample } from "../sample_shape.ts";
import type { GraphTask, VersionSummary, View, WorkflowPage } from "../shapes.ts";
import { actionLinks } from "./action_links.ts";
import { type DrawnTask, graphSvg } from "./graph_svg.ts";
import { type Html, markup } from "./html.ts";
import { counted, limitWords, taskAnchor } from "./labels.ts";
import { page } from "./page.ts";
import { clip } from "./payload.ts";
import { fact, marksOf } from "./task_list.ts";
import { numberCell, table } from "./table.ts";
import { date, duration } from "./times.ts";
import { DURATION_HEADS, durationCells, rateWords, sampleBar } from "./workflows_page.ts";

/** One workflow: its graph, versions and statistics. */
export function workflowPage(data: WorkflowPage, view: View): Html {
  const { name, graph, sample, version } = data;
  const { durations } = sample;
  return page({
    title: name,
    section: "workflows",
    answer: data,
    jsonHref: `${view.basePath}/api/workflows/${encodeURIComponent(name.toWellFormed())}?version=${version}`,
    content: markup`
<p class="crumbs"><a href="${view.basePath}/workflows">Workflows</a></p>
<h1>${name}</h1>
${actionLinks(data.actions, "this workflow")}
${graph.description !== undefined && markup`<p class="lead">${clip(graph.description, 2_000)}</p>`}
<dl class="facts">
${
      fact(
        "Latest runs",
        markup`<span class="sample-fact">${
          sampleBar(sample)
        } <a class="small" href="${data.runsHref}">all runs</a></span>`,
      )
    }
${fact("Failed", rateWords(sample.failureRate))}
${graph.limits !== undefined && fact("Limits of runs", limitWords(graph.limits))}
${durations && fact("p50", duration(durations.p50Ms))}
${durations && fact("p99", duration(durations.p99Ms))}
${durations && fact("Longest", duration(durations.maxMs))}
</dl>
<section aria-labelledby="graph">
<h2 id="graph">Graph</h2>
<p class="note">Version <code>${version}</code>${
      !graph.isKnown && "; its definition is not stored, or is too large"
    }</p>
${graphSvg(drawnTasks(data), `The graph of ${name}`, view.layouts)}
${
      graph.leftOut !== undefined &&
      markup`<p class="note">The workflow is too large to show in full; ${graph.leftOut}.</p>`
    }
</section>
${taskTable(data)}
${versionTable(data)}
`,
  }, view);
}

function drawnTasks({ graph, tasks }: WorkflowPage): readonly DrawnTask[] {
  const samples = new Map(tasks.map((task) => [task.id, task]));
  return graph.tasks.map((node) => {
    const durations = samples.get(node.id)?.durations;
    const note = durations === undefined ? node.kind : `p50 ${duration(durations.p50Ms)}`;
    return { ...node, state: undefined, note, done: undefined, marks: marksOf(node, graph) };
  });
}

function taskTable({ graph, tasks, sampledRuns }: WorkflowPage): Html {
  const samples = new Map(tasks.map((task) => [task.id, task]));
  const longest = Math.max(1, ...tasks.map(({ durations }) => durations?.p99Ms ?? 0));
  const heads = ["Completed", "Failed", "Skipped", "Retries"].map((number) => ({ number }));
  return markup`<section aria-labelledby="tasks">
<h2 id="tasks">Tasks</h2>
<p class="note">From the latest ${counted(sampledRuns, "ended run")} of this version.</p>
${
    table({
      id: "samples",
      caption: "Tasks in dependency order",
      heads: ["Task", ...heads, ...DURATION_HEADS, { unseen: "p50 to p99" }],
      rows: graph.tasks.map((node) => taskRow(node, marksOf(node, graph), sampleCells(samples.get(node.id), longest))),
    })
  }
</section>`;
}

function taskRow({ id, limits }: GraphTask, marks: readonly string[], cells: Html): Html {
  return markup`
<tr id="${taskAnchor(id)}"><th scope="row"><code>${id}</code> <span class="small">${marks.join(", ")}</span>${
    limits !== undefined && markup`<br><span class="small">limits ${limitWords(limits)}</span>`
  }</th>${cells}</tr>`;
}

function sampleCells(sample: TaskSample | undefined, longest: number): Html {
  const count = (n: number, kind = ""): Html =>
    numberCell(markup`<span class="${n === 0 ? "note" : kind}">${n}</span>`);
  if (sample === undefined) return markup`<td colspan="8" class="note">no data</td>`;
  const { completed, failed, skipped, retries, durations } = sample;
  return markup`${count(completed)}${count(failed, "bad")}${count(skipped)}${count(retries)}${
    durationCells(durations)
  }<td class="spread">${durations && spread(durations.p50Ms, durations.p99Ms, longest)}</td>`;
}

/** A bar to p50 and a thin line to p99, all on one scale. */
function spread(p50Ms: number, p99Ms: number, longest: number): Html {
  const percent = (ms: number): number => Math.max(0.5, Math.round((ms / longest) * 1_000) / 10);
  return markup`
<svg class="bars" width="100%" height="12" aria-hidden="true">
<rect class="tail" x="0" width="${percent(p99Ms)}%" y="5" height="2"/>
<rect class="half" x="0" width="${percent(p50Ms)}%" y="2" height="8" rx="1"/>
</svg>
`;
}

function versionTable({ versions, versionCount, version }: WorkflowPage): Html {
  return markup`<section aria-labelledby="versions-title">
<h2 id="versions-title">Versions</h2>
${
    table({
      id: "versions",
      caption: "Versions, newest first",
      heads: ["Version", "Registered", "Latest runs", { number: "Failed" }, ...DURATION_HEADS, { number: "Runners" }],
      rows: versions.map((one) => versionRow(one, one.version === version)),
    })
  }
${versionCount > versions.length && markup`<p class="note">The latest of ${versionCount} versions.</p>`}
</section>`;
}

function versionRow(one: VersionSummary, isShown: boolean): Html {
  const { version, structure, definedAt, href, runners, sample } = one;
  return markup`
<tr id="version-${version}">
<th scope="row"><a href="${href}"${isShown && markup` aria-current="true"`}><code>${version}</code></a>${
    isShown && markup` <span class="chip">shown</span>`
  }<br><span class="small">structure <code>${structure}</code></span></th>
<td class="when">${date(definedAt)}</td>
<td class="sample-cell">${sampleBar(sample)}</td>
${numberCell(rateWords(sample.failureRate))}${durationCells(sample.durations)}${numberCell(runners.length)}
</tr>
`;
}
