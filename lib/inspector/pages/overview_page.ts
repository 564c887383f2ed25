import type { BlockedTaskSummary, OverviewPage, ParkedRun } from "../overview_shape.ts";
import type { View } from "../shapes.ts";
import { failureTable } from "./failures_page.ts";
import { type Html, markup } from "./html.ts";
import { counted, taskAnchor } from "./labels.ts";
import { outcomeChart } from "./outcome_chart.ts";
import { page } from "./page.ts";
import { clip } from "./payload.ts";
import { countWords } from "./runs_page.ts";
import { RUN_STATES, stateBadge } from "./states.ts";
import { table } from "./table.ts";
import { moment } from "./times.ts";

/** A backlog whose oldest run has been due for longer needs attention. */
const LATE_MS = 60_000;

/** The front page: what needs attention, and how runs ended in the last hour and day. */
export function overviewPage(data: OverviewPage, view: View): Html {
  const { hour, day, failures, failuresHref, at, counts } = data;
  return page({
    title: "Overview",
    section: "overview",
    answer: data,
    jsonHref: `${view.basePath}/api/overview`,
    leastBetween: 5,
    againAfter: 30,
    content: markup`
<h1>Overview</h1>
${attention(data, view)}
<nav class="states" aria-label="Runs by state">
<ul>${
      RUN_STATES.map((state) =>
        markup`<li id="state-${state}"><a href="${view.basePath}/runs?state=${state}">${stateBadge(state)} <b>${
          countWords(counts[state])
        }</b></a></li>`
      )
    }</ul>
</nav>
<section id="outcomes-part" aria-labelledby="outcomes">
<h2 id="outcomes">Throughput</h2>
<p class="note">Runs by when they ended.</p>
<div class="charts">
${outcomeChart("hour", "Last hour", hour)}
${outcomeChart("day", "Last day", day)}
</div>
</section>
<section id="failures-part" aria-labelledby="failures-title">
<h2 id="failures-title">Failures of the last day</h2>
${failureTable(failures, at) ?? markup`<p class="empty">No runs failed.</p>`}
<p><a href="${failuresHref}">All failures of the last day</a></p>
</section>
${blockedPart(data)}
${parkedPart(data, view)}
`,
  }, view);
}

/** Sentences about runs that do not continue by themselves, with links to them. */
function attention(data: OverviewPage, { basePath }: View): Html {
  const { blockedCount, parkedCount, overdueSchedules, runners, backlog, oldestDueAt, at } = data;
  const waits = backlog.count > 0 && oldestDueAt !== undefined && at - oldestDueAt > LATE_MS;
  const sentences: readonly (Html | false)[] = [
    runners === 0 && markup`<a href="${basePath}/runners">No runner is alive</a>: no run continues until one starts.`,
    waits &&
    markup`<a href="${basePath}/runs?state=pending">${
      countWords(backlog)
    } due runs</a> wait for a runner, the oldest since ${moment(oldestDueAt, at)}.`,
    blockedCount.count > 0 &&
    markup`<a href="#blocked">${
      countWords(blockedCount)
    } blocked tasks</a> wait for a decision: their attempts ended without a result, and they run at most once.`,
    parkedCount.count > 0 &&
    markup`<a href="#parked">${countWords(parkedCount)} parked runs</a>: no live runner can continue them.`,
    overdueSchedules > 0 &&
    markup`<a href="${basePath}/schedules">${
      counted(overdueSchedules, "schedule")
    }</a> overdue: no live runner starts their runs.`,
  ];
  const some = sentences.filter((sentence) => sentence !== false);
  if (some.length === 0) return markup`<p id="attention" class="note">Nothing needs attention.</p>`;
  return markup`
<section id="attention" class="why-box" aria-labelledby="attention-title">
<h2 id="attention-title">Needs attention</h2>
<ul>${some.map((sentence) => markup`<li>${sentence}</li>`)}</ul>
</section>`;
}

function blockedPart({ blocked, blockedCount, at }: OverviewPage): Html | undefined {
  if (blocked.length === 0) return undefined;
  return markup`
<section id="blocked-part" aria-labelledby="blocked">
<h2 id="blocked">Blocked tasks</h2>
<p class="note">A program decides with <code>resolve()</code>, an operator with <code>sluice resolve</code>.</p>
${
    table({
      id: "blocked-tasks",
      caption: "Blocked tasks, those of the oldest runs first",
      heads: ["Task", "Run", "Attempt started"],
      rows: blocked.map((task) => blockedRow(task, at)),
    })
  }
${
    blockedCount.count > blocked.length &&
    markup`<p class="note">Shown: ${blocked.length} of ${countWords(blockedCount)}.</p>`
  }
</section>`;
}

function blockedRow({ run: { id, href, task = "", item }, workflow, startedAt }: BlockedTaskSummary, at: number): Html {
  return markup`
<tr>
<th scope="row"><a href="${href}#${taskAnchor(task)}"><code>${task}</code>${
    item !== undefined && ` item ${item}`
  }</a></th>
<td><a href="${href}">${workflow} <code class="id">${id}</code></a></td>
<td class="when">${startedAt === undefined ? "–" : moment(startedAt, at)}</td>
</tr>`;
}

function parkedPart({ parked, parkedCount }: OverviewPage, { basePath }: View): Html | undefined {
  if (parked.length === 0) return undefined;
  return markup`
<section id="parked-part" aria-labelledby="parked">
<h2 id="parked">Parked runs</h2>
${
    table({
      id: "parked-runs",
      caption: "Parked runs, with what each needs",
      heads: ["State", "Run"],
      rows: parked.map(parkedRow),
    })
  }
<p><a href="${basePath}/runs?parked=true">All ${countWords(parkedCount)} parked runs</a></p>
</section>`;
}

function parkedRow({ id, href, state, workflow, reason }: ParkedRun): Html {
  return markup`
<tr>
<td>${state && stateBadge(state)}</td>
<td class="main-cell"><a href="${href}">${workflow} <code class="id">${id}</code></a><p class="why">${
    clip(reason, 400)
  }</p></td>
</tr>`;
}
