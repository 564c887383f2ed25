import type { RunnersPage, RunnerSummary, View } from "../shapes.ts";
import { type Html, markup } from "./html.ts";
import { counted } from "./labels.ts";
import { page } from "./page.ts";
import { clip } from "./payload.ts";
import { countWords } from "./runs_page.ts";
import { stateBadge } from "./states.ts";
import { table } from "./table.ts";
import { fact } from "./task_list.ts";
import { moment } from "./times.ts";

/** The runners, the backlog, and the runs that no runner can continue. */
export function runnersPage(data: RunnersPage, view: View): Html {
  const { runners, backlog, oldestDueAt, stranded, at } = data;
  return page({
    title: "Runners",
    section: "runners",
    answer: data,
    jsonHref: `${view.basePath}/api/runners`,
    content: markup`
<h1>Runners</h1>
<dl class="facts">
${fact("Alive", `${runners.filter(({ isAlive }) => isAlive).length}`)}
${fact("Backlog", countWords(backlog))}
${oldestDueAt !== undefined && fact("Oldest run due", moment(oldestDueAt, at))}
</dl>
${
      runners.length === 0 ? markup`<p class="empty">No runners: runs wait until a runner starts.</p>` : table({
        id: "runners",
        caption: "Runners by id",
        heads: ["Runner", "Lease", "Started", { number: "Runs" }, { number: "Bodies" }, "Workflows"],
        rows: runners.map((runner) => runnerRow(runner, at)),
      })
    }
${stranded.length > 0 && strandedTable(stranded)}
`,
  }, view);
}

function runnerRow(runner: RunnerSummary, at: number): Html {
  const { id, host, pid, isThis, isAlive, leaseUntil, startedAt, runs, maxRuns, bodies, concurrency } = runner;
  return markup`
<tr id="runner-${id}">
<th scope="row">${id}${
    isThis && markup` <span class="chip">this one</span>`
  }<br><span class="small">process ${pid} on <code title="${host}">${host.split(" ")[0]}</code></span></th>
<td>${isAlive ? stateBadge("completed", "alive") : stateBadge("failed", "lease expired")} <span class="small">${
    isAlive ? "expires" : "expired"
  } ${moment(leaseUntil, at)}</span></td>
<td class="when">${moment(startedAt, at)}</td>
<td class="number">${load(runs.count, maxRuns, `Runs of runner ${id}`)}<br>${
    countWords(runs)
  } <span class="small">of ${maxRuns}</span></td>
<td class="number">${
    bodies === undefined
      ? markup`<span class="small">at most ${concurrency}</span>`
      : markup`${
        load(bodies.active, concurrency, `Bodies of runner ${id}`)
      }<br>${bodies.active} <span class="small">of ${concurrency}${
        bodies.queued > 0 && `, ${bodies.queued} queued`
      }</span>`
  }</td>
<td>${workflowLinks(runner)}</td>
</tr>
`;
}

function workflowLinks({ workflows, isPinned }: RunnerSummary): Html {
  const shown = workflows.slice(0, MOST_WORKFLOWS);
  const rest = workflows.length - shown.length;
  return markup`${
    shown.map(({ name, version, href }, i) =>
      markup`${i > 0 && ", "}<a href="${href}">${name} <code class="small">${version.slice(0, 7)}</code></a>`
    )
  }${rest > 0 && ` and ${counted(rest, "other")}`}${isPinned && markup` <span class="chip">pinned versions</span>`}`;
}

const MOST_WORKFLOWS = 12;

function load(count: number, most: number, label: string): Html {
  return markup`<progress max="${most}" value="${Math.min(count, most)}" aria-label="${label}"></progress>`;
}

function strandedTable(stranded: RunnersPage["stranded"]): Html {
  return markup`<section aria-labelledby="stranded-title">
<h2 id="stranded-title">Parked runs</h2>
<p class="note">No live runner can continue these runs.</p>
${
    table({
      id: "stranded",
      caption: "Parked runs",
      heads: ["State", "Run"],
      rows: stranded.map(strandedRow),
    })
  }
</section>`;
}

function strandedRow({ id, href, state, workflow, reason }: RunnersPage["stranded"][number]): Html {
  return markup`
<tr id="stranded-${id}">
<td>${state && stateBadge(state)}</td>
<td class="main-cell"><a href="${href}">${workflow} <code class="id">${id}</code></a><p class="why">${
    clip(reason, 400)
  }</p></td>
</tr>`;
}
