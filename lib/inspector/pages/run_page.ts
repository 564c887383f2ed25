import type { ExplanationDetail, RunPage, RunPageEvent, TaskDetail } from "../run_shape.ts";
import type { RunLink, View } from "../shapes.ts";
import { actionLinks } from "./action_links.ts";
import { type DrawnTask, graphSvg } from "./graph_svg.ts";
import { type Hole, type Html, markup } from "./html.ts";
import { counted, taskAnchor } from "./labels.ts";
import { page } from "./page.ts";
import { clip, errorView, payloadView } from "./payload.ts";
import { runLink } from "./run_link.ts";
import { stateBadge } from "./states.ts";
import { table } from "./table.ts";
import { fact, marksOf, noteOf, taskList } from "./task_list.ts";
import { date, duration, moment } from "./times.ts";

/** One run. */
export function runPage(data: RunPage, view: View): Html {
  const { run, tasks } = data;
  const ended =
    tasks.filter(({ state }) =>
      state !== "pending" && state !== "running" && state !== "waiting" && state !== "blocked"
    ).length;
  return page({
    title: `${run.workflow} ${run.state}`,
    section: "runs",
    answer: data,
    jsonHref: `${view.basePath}/api/runs/${encodeURIComponent(run.id)}`,
    status: `${run.workflow} is ${run.state}: ${ended} of ${counted(tasks.length, "task")} ended`,
    againAfter: run.endedAt !== undefined ? undefined : data.taskCounts.running > 0 ? 10 : 60,
    content: markup`
<p class="crumbs"><a href="${view.basePath}/runs">Runs</a> › <a href="${data.workflowHref}">${run.workflow}</a></p>
<h1>${run.workflow} ${stateBadge(run.state)}</h1>
<p class="id-line"><code>${run.id}</code></p>
${actionLinks(data.actions, "this run")}
${run.error && markup`<section id="failure" aria-label="Failure">${errorView(run.error)}</section>`}
${explanation(data)}
${facts(data)}
${resultPart(data)}
${graph(data, view)}
${taskList(data)}
${
      run.input &&
      markup`<section id="input-part" aria-labelledby="input"><h2 id="input">Input</h2>${
        payloadView(run.input, "Input")
      }</section>`
    }
${related(data)}
${eventsTable(data)}
`,
  }, view);
}

function explanation({ run, explanation }: RunPage): Html | undefined {
  if (run.endedAt !== undefined) {
    if (run.reason === undefined) return undefined;
    return markup`
<section id="state-why" class="why-box" aria-label="Reason">
<p>${clip(run.reason)}</p>
</section>
`;
  }
  const { reasons } = explanation;
  const shown = reasons.slice(0, MOST_REASONS);
  const rest = reasons.length - shown.length;
  return markup`
<section id="state-why" class="why-box" aria-labelledby="why">
<h2 id="why">Status</h2>
<ul>${shown.map((reason) => markup`<li>${reasonView(reason)}</li>`)}${
    rest > 0 &&
    markup`<li>and ${counted(rest, "other reason")}</li>`
  }</ul>
</section>
`;
}

const MOST_REASONS = 8;

function reasonView({ message, taskId, run }: ExplanationDetail["reasons"][number]): Html {
  const words = clip(message, 600);
  return markup`${taskId === undefined ? words : markup`<a href="#${taskAnchor(taskId)}">${words}</a>`}${
    run && markup` ${runLink(run)}`
  }`;
}

function facts({ run, at, workflowHref }: RunPage): Html {
  const { startedAt, endedAt, key, debounce, tags } = run;
  return markup`<dl class="facts" id="facts">
${fact("Created", markup`${date(run.createdAt)} <span class="note">${moment(run.createdAt, at)}</span>`)}
${
    startedAt !== undefined &&
    fact("Queue time", duration(Math.max(0, startedAt - run.createdAt)))
  }
${
    startedAt !== undefined && endedAt !== undefined
      ? fact("Duration", duration(endedAt - startedAt))
      : startedAt !== undefined && fact("Running for", duration(at - startedAt))
  }
${endedAt !== undefined && fact("Ended", date(endedAt))}
${run.dueAt !== undefined && fact("Due", moment(run.dueAt, at))}
${run.deadlineAt !== undefined && endedAt === undefined && fact("Deadline", moment(run.deadlineAt, at))}
${run.timeoutMs !== undefined && fact("Timeout", duration(run.timeoutMs))}
${
    key !== undefined &&
    fact(
      "Key",
      markup`<code>${key}</code>${
        run.keyScope === "active" && markup` <span class="note">while the run is active</span>`
      }`,
    )
  }
${
    debounce !== undefined &&
    fact(
      "Debounced",
      markup`<code>${debounce.key}</code> <span class="note">by ${duration(debounce.delayMs)}, replaced ${
        counted(debounce.replaced, "time")
      }</span>`,
    )
  }
${
    tags.length > 0 && fact(
      "Tags",
      markup`${tags.map((tag) => markup` <span class="chip">${tag}</span>`)}`,
    )
  }
${run.priority !== 0 && fact("Priority", `${run.priority}`)}
${fact("Version", markup`<a href="${workflowHref}"><code>${run.version}</code></a>`)}
${run.strandedBy !== undefined && fact("Parked", markup`version <code>${run.strandedBy}</code> cannot continue it`)}
${run.runner !== undefined && fact("Runner", `${run.runner}`)}
${run.epoch > 1 && fact("Claims", `${run.epoch}`)}
${run.crashes > 0 && fact("Crashes", `${run.crashes}`)}
</dl>`;
}

function graph(data: RunPage, { layouts }: View): Html {
  const { graph, tasks, at, run } = data;
  const details = new Map(tasks.map((task) => [task.id, task]));
  const drawn = graph.tasks.map((node): DrawnTask => {
    const task = details.get(node.id);
    return {
      ...node,
      state: task !== undefined && isUndoing(task) ? "compensating" : task?.state,
      note: task === undefined ? "" : noteOf(task, at),
      done: task === undefined ? undefined : doneOf(task),
      marks: marksOf(node, graph),
    };
  });
  return markup`<section id="graph-part" aria-labelledby="graph">
<h2 id="graph">Graph</h2>
${
    !graph.isKnown &&
    markup`
<p class="note">The definition of this version is not stored, or is too large; the graph shows the recorded tasks.</p>`
  }
${graphSvg(drawn, `The graph of this run of ${run.workflow}`, layouts)}
</section>`;
}

/** The result of a completed run, as `result()` returns it: the output of the returned task, or all outputs. */
function resultPart({ run, graph, tasks }: RunPage): Html | undefined {
  if (run.state !== "completed") return undefined;
  const returned = graph.result === undefined ? tasks : tasks.filter(({ id }) => id === graph.result);
  const outputs = returned.flatMap(({ id, output, items }) =>
    output === undefined && items === undefined ? [] : [{ id, output, items }]
  );
  const shown = outputs.slice(0, MOST_OUTPUTS);
  const rest = outputs.length - shown.length;
  return markup`
<section id="result-part" aria-labelledby="result">
<h2 id="result">Result</h2>
${outputs.length === 0 && markup`<p class="note">The run completed without an output.</p>`}
${
    shown.map(({ id, output, items }) =>
      markup`<h3><a href="#${taskAnchor(id)}"><code>${id}</code></a></h3>${
        output && payloadView(output, `Result of ${id}`)
      }${items && markup`<p><a href="${items.href}">Outputs of ${counted(items.counts.total, "item")}</a></p>`}`
    )
  }
${rest > 0 && markup`<p class="note">The outputs of ${counted(rest, "more task")} are shown with the tasks below.</p>`}
</section>
`;
}

const MOST_OUTPUTS = 5;

/** Whether all items of a map wait, for example for their child runs. */
function isWaitingMap(task: TaskDetail): boolean {
  return task.state === "waiting" && task.items !== undefined;
}

function doneOf(task: TaskDetail): number | undefined {
  if (isUndoing(task)) return shareOf(task.undo!);
  return task.state === "running" || isWaitingMap(task) ? shareOf(task) : undefined;
}

/** Whether the undo of a task has begun and not ended. */
function isUndoing({ undo }: TaskDetail): boolean {
  return undo?.state === "pending" || undo?.state === "running" || undo?.state === "waiting";
}

function shareOf({ progress }: Pick<TaskDetail, "progress">): number | undefined {
  if (progress?.total === undefined || !(progress.total > 0)) return undefined;
  return Math.max(0, Math.min(1, progress.done / progress.total));
}

function related({ links }: RunPage): Html | undefined {
  const { forkedFrom, forks, parent, children } = links;
  const groups: readonly (readonly [string, readonly RunLink[]])[] = [
    ["Child run of", parent ? [parent] : []],
    ["Child runs", children],
    ["Forked from", forkedFrom ? [forkedFrom] : []],
    ["Forks", forks],
  ];
  const some = groups.filter(([, runs]) => runs.length > 0);
  if (some.length === 0) return undefined;
  return markup`
<section id="related-part" aria-labelledby="related">
<h2 id="related">Related runs</h2>
<dl class="facts">${some.map(([term, runs]) => fact(term, markup`${runs.map(runLink)}`))}</dl>
</section>
`;
}

function eventsTable({ events, run }: RunPage): Html {
  return markup`<section id="events-part" aria-labelledby="events">
<h2 id="events">History</h2>
${
    table({
      id: "run-events",
      caption: "History, oldest first",
      heads: [{ number: "Time" }, "Event", "Task", "Details"],
      rows: events.map((event) => eventRow(event, run.createdAt)),
    })
  }
</section>`;
}

function eventRow({ at, kind, taskId, attempt, detail }: RunPageEvent, start: number): Html {
  const task: Hole = taskId !== undefined && markup`<a href="#${taskAnchor(taskId)}"><code>${taskId}</code></a>`;
  return markup`
<tr>
<td class="number"><time datetime="${new Date(at).toISOString()}">${duration(at - start)}</time></td>
<td>${kind.replace(/^fact\./, "")}</td>
<td>${task}${attempt !== undefined && attempt > 1 && markup` <span class="note">attempt ${attempt}</span>`}</td>
<td>${detail !== undefined && clip(detail, 300)}</td>
</tr>
`;
}
