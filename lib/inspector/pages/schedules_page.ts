import type { SchedulesPage, ScheduleSummary, View } from "../shapes.ts";
import { type Html, markup } from "./html.ts";
import { page } from "./page.ts";
import { runLink } from "./run_link.ts";
import { table } from "./table.ts";
import { moment } from "./times.ts";

/** The rules that start runs. */
export function schedulesPage(data: SchedulesPage, view: View): Html {
  const { schedules, at } = data;
  return page({
    title: "Schedules",
    section: "schedules",
    answer: data,
    jsonHref: `${view.basePath}/api/schedules`,
    content: markup`
<h1>Schedules</h1>
${
      schedules.length === 0
        ? markup`<p class="empty">There are no schedules: nothing here starts runs by itself.</p>`
        : table({
          id: "schedules",
          caption: "Schedules by name",
          heads: ["Schedule", "Rule", "Starts", "Next", "Past"],
          rows: schedules.map((schedule) => scheduleRow(schedule, at)),
        })
    }
`,
  }, view);
}

function scheduleRow({ name, rule, workflow, isPaused, next, past }: ScheduleSummary, at: number): Html {
  return markup`
<tr>
<th scope="row">${name}${isPaused && markup` <span class="chip">paused</span>`}</th>
<td><code>${rule}</code></td>
<td>${workflow}</td>
<td>${isPaused ? "–" : next.map((tick) => markup`${moment(tick, at)}<br>`)}</td>
<td>${past.map((tick) => markup`${moment(tick.at, at)} ${tick.run && runLink(tick.run)}<br>`)}</td>
</tr>`;
}
