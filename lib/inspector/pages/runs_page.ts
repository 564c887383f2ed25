import type { RunState } from "../../store/port/batch.ts";
import type { BoundedCount } from "../../engine/telemetry/run_counts.ts";
import type { RunsFilter, RunsPage, RunSummary, View } from "../shapes.ts";
import { type Html, markup } from "./html.ts";
import { counted, grouped } from "./labels.ts";
import { page } from "./page.ts";
import { clip } from "./payload.ts";
import { RUN_STATES, stateBadge } from "./states.ts";
import { table } from "./table.ts";
import { date, duration, moment } from "./times.ts";

/** The list of runs. */
export function runsPage(data: RunsPage, view: View): Html {
  const { filter, runs, at } = data;
  return page({
    title: "Runs",
    section: "runs",
    answer: data,
    jsonHref: `${view.basePath}/api/runs${queryOf(filter)}`,
    content: markup`
<h1>Runs</h1>
${stateMenu(data, view)}
${filterForm(data, view)}
${
      runs.length === 0 ? markup`<p class="empty">${emptyWords(data)}</p>` : table({
        id: "runs",
        caption: "Runs, newest first",
        heads: ["State", "Run", "Created", { number: "Duration" }],
        rows: runs.map((run) => runRow(run, at)),
      })
    }
${pager(data)}
`,
  }, view);
}

function emptyWords({ filter, searchedBackTo, isContinued }: RunsPage): string {
  if (searchedBackTo !== undefined) return "No matching runs so far.";
  if (isContinued) return "No older runs.";
  return queryOf(filter) === "" ? "No runs yet." : "No matching runs.";
}

/** A number of runs, which may be a lower bound. */
export function countWords({ count, precision }: BoundedCount): string {
  if (precision === "about") return `~ ${grouped(count)}`;
  return precision === "atLeast" ? `${grouped(count)}+` : grouped(count);
}

function runRow(run: RunSummary, at: number): Html {
  const { id, href, workflow, state, key, tags, createdAt } = run;
  return markup`
<tr id="run-${id}">
<td>${stateBadge(state)}</td>
<td class="main-cell"><a href="${href}">${workflow} <code class="id">${id}</code></a>${
    key !== undefined && markup` <span class="chip">key <code>${key}</code></span>`
  }${tags.map((tag) => markup` <span class="chip">${tag}</span>`)}${noteOf(run)}</td>
<td class="when">${moment(createdAt, at)}</td>
<td class="number">${tookOf(run, at)}</td>
</tr>
`;
}

function noteOf(run: RunSummary): Html | undefined {
  const notes = [
    run.isStranded && "parked",
    run.isCancelling && "being cancelled",
    run.crashes > 0 && `${counted(run.crashes, "runner")} crashed`,
  ].filter((note) => note !== false);
  const why = run.failure ?? run.reason;
  if (why === undefined && notes.length === 0) return undefined;
  return markup`<p class="why ${run.failure !== undefined && "bad"}">${notes.join(", ")}${
    notes.length > 0 && why !== undefined && ": "
  }${why !== undefined && clip(why, 200)}</p>`;
}

function tookOf({ state, startedAt, endedAt, dueAt }: RunSummary, at: number): Html | string {
  if (startedAt !== undefined && endedAt !== undefined) return duration(endedAt - startedAt);
  if (dueAt !== undefined && dueAt > at) return markup`<span class="note">due ${moment(dueAt, at)}</span>`;
  if (startedAt === undefined || state === "pending") return "";
  return markup`<span class="note">${duration(at - startedAt)}<span class="wide"> so far</span></span>`;
}

function stateMenu({ counts, filter }: RunsPage, view: View): Html {
  const link = (states: readonly RunState[]): string => `${view.basePath}/runs${queryOf({ ...filter, states })}`;
  const isOnly = (state: RunState): boolean => filter.states.length === 1 && filter.states[0] === state;
  return markup`
<nav class="states" aria-label="States">
<ul>
<li><a href="${link([])}"${filter.states.length === 0 && markup` aria-current="true"`}>Any state</a></li>
${
    RUN_STATES.map((state) =>
      markup`<li id="state-${state}"><a href="${link([state])}"${isOnly(state) && markup` aria-current="true"`}>${
        stateBadge(state)
      } <b>${countWords(counts[state])}</b></a></li>`
    )
  }
</ul>
</nav>
`;
}

function filterForm({ filter, workflows }: RunsPage, view: View): Html {
  const { workflow, states, tags, since, until, q, error, isParked } = filter;
  // The requested workflow may not be among the stored ones.
  const names = workflow === undefined || workflows.includes(workflow) ? workflows : [workflow, ...workflows];
  const option = (name: string): Html =>
    markup`<option value="${name}"${name === workflow && markup` selected`}>${name}</option>`;
  return markup`<form class="filter" method="get" action="${view.basePath}/runs" role="search" aria-label="Runs">
${states.map((state) => markup`<input type="hidden" name="state" value="${state}">`)}
<label>Workflow <select name="workflow"><option value="">any</option>${names.map(option)}</select></label>
<label>Id, key or tag <input type="search" name="q" value="${q ?? ""}" autocomplete="off" spellcheck="false"></label>
${
    [...tags, ""].map((tag) =>
      markup`<label>Tag <input name="tag" value="${tag}" autocomplete="off" spellcheck="false" size="12"></label>`
    )
  }
<label>From (UTC) <input type="datetime-local" name="since" value="${since !== undefined && minuteOf(since)}"></label>
<label>Before (UTC) <input type="datetime-local" name="until" value="${until !== undefined && minuteOf(until)}"></label>
<label>Error text <input type="search" name="error" value="${
    error ?? ""
  }" autocomplete="off" spellcheck="false"></label>
<label class="check"><input type="checkbox" name="parked" value="true"${isParked && markup` checked`}> Parked</label>
<button>Show</button>${queryOf(filter) !== "" && markup` <a class="clear" href="${view.basePath}/runs">Show all</a>`}
</form>`;
}

function pager({ isContinued, firstHref, nextHref, searchedBackTo }: RunsPage): Html {
  return markup`${
    searchedBackTo !== undefined &&
    markup`<p class="note">Searched the runs back to ${date(searchedBackTo)}, the limit of one request.</p>`
  }<nav class="pager" aria-label="More runs">${
    isContinued && markup`<a href="${firstHref}" rel="first">Newest runs</a>`
  }${
    nextHref !== undefined &&
    markup`<a href="${nextHref}" rel="next">${searchedBackTo === undefined ? "Older runs" : "Continue search"}</a>`
  }</nav>`;
}

function queryOf({ workflow, states, tags, since, until, q, error, isParked }: RunsFilter): string {
  const query = new URLSearchParams([
    ...(workflow === undefined ? [] : [["workflow", workflow]]),
    ...states.map((state) => ["state", state]),
    ...tags.map((tag) => ["tag", tag]),
    ...(since === undefined ? [] : [["since", `${since}`]]),
    ...(until === undefined ? [] : [["until", `${until}`]]),
    ...(q === undefined ? [] : [["q", q]]),
    ...(error === undefined ? [] : [["error", error]]),
    ...(isParked ? [["parked", "true"]] : []),
  ]);
  return query.size === 0 ? "" : `?${query}`;
}

/** A time as the value of a form field, UTC. */
export function minuteOf(at: number): string {
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? "" : date.toISOString().slice(0, 16);
}
