import type { FailureGroup, FailureGroups, FailuresPage } from "../overview_shape.ts";
import type { View } from "../shapes.ts";
import { type Html, markup } from "./html.ts";
import { counted } from "./labels.ts";
import { page } from "./page.ts";
import { clip } from "./payload.ts";
import { minuteOf } from "./runs_page.ts";
import { numberCell, table } from "./table.ts";
import { moment } from "./times.ts";

/** Failed runs grouped by their error. */
export function failuresPage(data: FailuresPage, view: View): Html {
  const { workflow, since, workflows, at } = data;
  const query = new URLSearchParams([
    ...(workflow === undefined ? [] : [["workflow", workflow]]),
    ...(since === undefined ? [] : [["since", `${since}`]]),
  ]);
  const names = workflow === undefined || workflows.includes(workflow) ? workflows : [workflow, ...workflows];
  return page({
    title: "Failures",
    section: "failures",
    answer: data,
    jsonHref: `${view.basePath}/api/failures${query.size === 0 ? "" : `?${query}`}`,
    leastBetween: 5,
    content: markup`
<h1>Failures</h1>
<form class="filter" method="get" action="${view.basePath}/failures" role="search" aria-label="Failures">
<label>Workflow <select name="workflow"><option value="">any</option>${
      names.map((name) => markup`<option value="${name}"${name === workflow && markup` selected`}>${name}</option>`)
    }</select></label>
<label>Ended since (UTC) <input type="datetime-local" name="since" value="${
      since !== undefined && minuteOf(since)
    }"></label>
<button>Show</button>${query.size > 0 && markup` <a class="clear" href="${view.basePath}/failures">Show all</a>`}
</form>
${failureTable(data, at) ?? markup`<p class="empty">No failed runs${query.size > 0 && " match"}.</p>`}
`,
  }, view);
}

/** The groups of failed runs and a note about omitted ones; `undefined` without failed runs. */
export function failureTable(failures: FailureGroups, at: number): Html | undefined {
  const { groups, groupCount, grouped, isCapped, isByWorkflow } = failures;
  if (groups.length === 0) return undefined;
  const rest = groupCount - groups.length;
  return markup`${
    table({
      id: "failures",
      caption: `Failed runs by ${isByWorkflow ? "workflow" : "error"}, the most frequent first`,
      heads: [{ number: "Runs" }, "Error", "First", "Last"],
      rows: groups.map((group) => failureRow(group, at)),
    })
  }${rest > 0 && markup`<p class="note">${counted(rest, "smaller group")} not shown.</p>`}${
    isCapped && markup`<p class="note">Grouped: ${counted(grouped, "run")} of the 5,000 that failed last.</p>`
  }${isByWorkflow && markup`<p class="note">Parts of errors are hidden, so runs are grouped by workflow.</p>`}`;
}

function failureRow(
  { runs, error, workflows, href, latest, firstEndedAt, lastEndedAt }: FailureGroup,
  at: number,
): Html {
  return markup`
<tr>
${numberCell(markup`<a href="${href}">${counted(runs, "run")}</a>`)}
<td class="main-cell"><p class="why bad">${clip(error, 300)}</p><p class="small">${
    workflows.join(", ")
  }; latest run <a href="${latest.href}"><code>${latest.id}</code></a></p></td>
<td class="when">${moment(firstEndedAt, at)}</td>
<td class="when">${moment(lastEndedAt, at)}</td>
</tr>`;
}
