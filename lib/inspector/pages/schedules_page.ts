import type { SchedulesPage, ScheduleSummary } from "../schedule_shape.ts";
import type { View } from "../shapes.ts";
import { type Html, markup } from "./html.ts";
import { page } from "./page.ts";
import { runLink } from "./run_link.ts";
import { numberCell, table } from "./table.ts";
import { moment } from "./times.ts";

/** The rules that start runs. */
export function schedulesPage(data: SchedulesPage, view: View): Html {
  const { schedules, at, hasMore } = data;
  return page({
    title: "Schedules",
    section: "schedules",
    answer: data,
    jsonHref: `${view.basePath}/api/schedules`,
    content: markup`
<h1>Schedules</h1>
${
      schedules.length === 0 ? markup`<p class="empty">No schedules.</p>` : table({
        id: "schedules",
        caption: "Schedules by name",
        heads: ["Schedule", "Rule", "Starts", "Next", "Past", { number: "Runs" }, { number: "Missed" }, {
          number: "Overlapped",
        }, { number: "Failed" }],
        rows: schedules.map((schedule) => scheduleRow(schedule, at)),
      })
    }
${hasMore && markup`<p class="note">More schedules exist; <code>sluice schedules list</code> lists all.</p>`}
`,
  }, view);
}

function scheduleRow(
  { name, rule, workflow, isPaused, next, queued, past, counts, error }: ScheduleSummary,
  at: number,
): Html {
  return markup`
<tr>
<th scope="row">${name}${isPaused && markup` <span class="chip">paused</span>`}${
    error !== undefined && markup`<br><span class="note">Failed: ${error}</span>`
  }</th>
<td><code>${rule}</code></td>
<td>${workflow}</td>
<td>${next.length === 0 ? "–" : next.map((tick) => markup`${moment(tick, at)}<br>`)}${
    queued > 0 && markup`<span class="note">${queued} queued</span>`
  }</td>
<td>${
    past.map((tick) =>
      markup`${moment(tick.at, at)} ${
        tick.run === undefined ? markup`<span class="note">${tick.outcome}</span>` : runLink(tick.run)
      }<br>`
    )
  }</td>
${numberCell(counts.started)}${numberCell(counts.missed)}${numberCell(counts.overlapped)}${numberCell(counts.failed)}
</tr>`;
}
