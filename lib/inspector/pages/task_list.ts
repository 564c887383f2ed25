import type { RunPage, StepDetail, TaskDetail, UndoDetail } from "../run_shape.ts";
import { WAITS_FOR_CHILD } from "../../store/port/children.ts";
import { isHeldTask } from "../../engine/reading/explain_limits.ts";
import type { Graph, GraphTask } from "../shapes.ts";
import { actionLinks } from "./action_links.ts";
import { attemptsView } from "./attempts_view.ts";
import { type Html, markup } from "./html.ts";
import { mapView } from "./items_view.ts";
import { counted, limitWords, taskAnchor } from "./labels.ts";
import { clip, errorView, payloadView } from "./payload.ts";
import { runLink } from "./run_link.ts";
import { stateBadge, stateSymbol, TASK_STATES } from "./states.ts";
import { type Timeline, timeline } from "./timeline.ts";
import { date, duration, moment, relative } from "./times.ts";

/** The tasks of a run, each with its bar on a common time line and details that unfold. */
export function taskList({ run, graph, tasks, taskCounts, at, isTruncated, leftOut }: RunPage): Html {
  const after = new Map(graph.tasks.map((task) => [task.id, task.after]));
  const byId = new Map(tasks.map((task) => [task.id, task]));
  const from = run.startedAt ?? run.createdAt;
  const lines = timeline({
    tasks,
    after: (id) => after.get(id) ?? [],
    whole: { from, to: Math.max(from, run.endedAt ?? at) },
    isOpen: run.endedAt === undefined,
  });
  const rows = graph.tasks.map((node) => taskRow(node, graph, { byId, lines, at, start: from }));
  return markup`
<section id="tasks-part" aria-labelledby="tasks">
<h2 id="tasks">Tasks</h2>
<ul class="tally">${
    TASK_STATES.filter((state) => taskCounts[state] > 0).map((state) => {
      const first = tasks.find((task) => task.state === state);
      const words = stateBadge(state, `${taskCounts[state]} ${state}`);
      return markup`<li id="tally-${state}">${
        first ? markup`<a href="#${taskAnchor(first.id)}">${words}</a>` : words
      }</li>`;
    })
  }</ul>
${isTruncated && markup`<p class="note">${leftOut ?? "This run is too large to show in full."}</p>`}
<div class="tasks ${tasks.length > MANY && "dense"}" id="tasks-view">
<div class="axis-row"><span></span>${lines.axis}<span></span></div>
${rows.slice(0, MOST_UNFOLDED)}
${
    rows.length > MOST_UNFOLDED && markup`
<details class="more" id="more-tasks">
<summary>${counted(rows.length - MOST_UNFOLDED, "more task")}</summary>
${rows.slice(MOST_UNFOLDED)}
</details>
`
  }
</div>
</section>
`;
}

const MANY = 40;

// Further tasks or steps are folded, so that the rest of the page stays near.
const MOST_UNFOLDED = 100;
const MOST_STEPS_UNFOLDED = 10;

interface Surroundings {
  readonly byId: ReadonlyMap<string, TaskDetail>;
  readonly lines: Timeline;
  readonly at: number;
  /** When the run began. */
  readonly start: number;
}

function taskRow(node: GraphTask, graph: Graph, { byId, lines, at, start }: Surroundings): Html | undefined {
  const task = byId.get(node.id);
  if (task === undefined) return undefined;
  const anchor = taskAnchor(task.id);
  return markup`
<details class="task s-${task.state}" id="row-${anchor}">
<summary><span class="task-name">${
    stateSymbol(task.state)
  }<span class="visually-hidden">${task.state}: </span><code>${task.id}</code></span>${
    lines.bars(task)
  }<span class="task-end">${endOf(task, at)}</span></summary>
<div class="task-body" id="${anchor}">
${actionLinks(task.actions, `task ${task.id}`)}
${task.reason !== undefined && markup`<p>${sentence(task, at)}</p>`}
${task.error && !task.history.some(({ error }) => error) && errorView(task.error)}
<dl class="facts">
${fact("State", stateBadge(task.state))}
${fact("Kind", kindOf(node))}
${node.after.length > 0 && fact("After", linksTo(node.after))}
${fact("Attempts", node.attempts === undefined ? `${task.attempts}` : `${task.attempts} of ${node.attempts}`)}
${node.timeoutMs !== undefined && fact("Timeout", `${duration(node.timeoutMs)} per attempt`)}
${node.limits !== undefined && fact("Limits", limitWords(node.limits))}
${task.startedAt !== undefined && fact("Latest start", date(task.startedAt))}
${task.child && fact("Child run", runLink(task.child))}
${task.dueAt !== undefined && task.state === "waiting" && fact("Continues", moment(task.dueAt, at))}
${graph.result === task.id && fact("Result", "the output of this task is the result of the run")}
</dl>
${task.items ? mapView(task.id, task.items) : task.progress && progressBar(task)}
${task.output && markup`<h3>Output</h3>${payloadView(task.output, `Output of ${task.id}`)}`}
${attemptsView(task, start)}
${task.undo && undoView(task.id, task.undo, { at, start })}
${
    task.steps.length > 0 && markup`
<h3>Steps</h3>
${stepList(task, start)}
`
  }
</div>
</details>
`;
}

/** The undo of a task whose run is compensated. */
function undoView(id: string, undo: UndoDetail, { at, start }: Pick<Surroundings, "at" | "start">): Html {
  const { state, dueAt, startedAt, endedAt, progress } = undo;
  const took = startedAt !== undefined && endedAt !== undefined && ` took ${duration(endedAt - startedAt)}`;
  return markup`
<h3>Undo</h3>
<p>${stateBadge(state)}${took}${
    dueAt !== undefined && state === "waiting" && markup`, continues ${moment(dueAt, at)}`
  }</p>
${progressBar({ id: `the undo of ${id}`, progress })}
${state === "failed" && markup`<p>The effects of the task remain; the other undos continued.</p>`}
${attemptsView(undo, start)}
`;
}

/** Marks beside the id of a task, such as its kind. */
export function marksOf(node: GraphTask, graph: Graph): readonly string[] {
  return [
    ...(node.kind === "task" ? [] : [node.kind]),
    ...(node.on === "success" ? [] : [`on ${node.on}`]),
    ...(node.isConditional ? ["when"] : []),
    ...(node.mayUndo ? ["undo"] : []),
    ...(graph.result === node.id ? ["result"] : []),
  ];
}

/** A term with its description. */
export function fact(term: string, value: Html | string): Html {
  return markup`<div><dt>${term}</dt><dd>${value}</dd></div>`;
}

/** How long a task has taken, or what it waits for, in a few words. */
export function noteOf(task: TaskDetail, at: number): string {
  const tries = task.attempts > 1 ? `, ${task.attempts} attempts` : "";
  if (task.undo !== undefined && task.state !== "compensated") return `undo ${task.undo.state}`;
  const begun = task.history.find(({ startedAt }) => startedAt !== undefined)?.startedAt ?? task.startedAt;
  switch (task.state) {
    case "completed":
    case "failed":
      return begun === undefined || task.endedAt === undefined
        ? `${task.state}${tries}`
        : `${duration(task.endedAt - begun)}${tries}`;
    case "running":
      return task.startedAt === undefined ? "running" : `running ${duration(at - task.startedAt)}${tries}`;
    case "waiting":
      if (isHeldTask(task)) return `waits for a limit${tries}`;
      return task.dueAt === undefined ? `waiting${tries}` : `${relative(task.dueAt - at)}${tries}`;
    case "blocked":
    case "pending":
    case "skipped":
    case "cancelled":
    case "compensated":
      return task.state;
  }
}

function endOf(task: TaskDetail, at: number): Html | string {
  const note = noteOf(task, at);
  return task.state === "failed" ? markup`<strong>failed</strong> ${note}` : note;
}

function sentence(task: TaskDetail, at: number): Html {
  const words = clip(task.reason ?? "");
  const since = task.startedAt === undefined ? "" : markup`, since ${date(task.startedAt)}`;
  if (task.state === "waiting" && task.kind === "event" && task.reason === "message") {
    return markup`Waits for a message${since}.`;
  }
  if (task.state === "waiting" && task.reason === WAITS_FOR_CHILD) {
    return markup`Waits for ${task.child === undefined ? "a child run" : runLink(task.child)}${since}.`;
  }
  if (task.state === "waiting" && task.kind === "sleep" && task.reason === "sleep") {
    return markup`Sleeps${since}${task.dueAt !== undefined && markup`; continues ${moment(task.dueAt, at)}`}.`;
  }
  if (isHeldTask(task)) return markup`Waits for a limit, named above under “Status”.`;
  if (task.state === "skipped") return markup`Skipped: ${words}.`;
  if (task.state === "blocked") {
    return markup`Blocked: ${words}, and the task runs at most once. Call resolve() on the run to decide.`;
  }
  return task.state === "waiting" ? markup`Waits: ${words}.` : markup`${words}`;
}

function kindOf(node: GraphTask): string {
  const on = node.on === "success" ? "" : `, on ${node.on}`;
  return `${node.kind}${on}${node.isConditional ? ", conditional" : ""}`;
}

function linksTo(ids: readonly string[]): Html {
  const shown = ids.slice(0, MANY);
  const rest = ids.length - shown.length;
  return markup`${shown.map((id, i) => markup`${i > 0 && ", "}<a href="#${taskAnchor(id)}"><code>${id}</code></a>`)}${
    rest > 0 && `, and ${counted(rest, "other")}`
  }`;
}

function progressBar({ id, progress }: Pick<TaskDetail, "id" | "progress">): Html | undefined {
  if (progress === undefined) return undefined;
  const { done, total, message } = progress;
  const words = total === undefined ? `${done} done` : `${done} of ${total}`;
  const bar = total !== undefined && total > 0 &&
    markup`<progress max="${total}" value="${done}" aria-label="Progress of ${id}"></progress>`;
  return markup`<p class="progress">${bar} ${words}${message !== undefined && markup`: ${clip(message, 500)}`}</p>`;
}

function stepList({ id, steps }: TaskDetail, start: number): Html {
  const items = steps.map((step) => stepView(step, start));
  const rest = items.slice(MOST_STEPS_UNFOLDED);
  return markup`
<ol class="steps">${items.slice(0, MOST_STEPS_UNFOLDED)}</ol>
${
    rest.length > 0 && markup`
<details class="more" id="more-steps-of-${taskAnchor(id)}">
<summary>${counted(rest.length, "more step")}</summary>
<ol class="steps" start="${MOST_STEPS_UNFOLDED + 1}">${rest}</ol>
</details>
`
  }
`;
}

function stepView({ name, endedAt, output }: StepDetail, start: number): Html {
  const when = endedAt !== undefined &&
    markup` <span class="note">completed ${duration(endedAt - start)} after the start of the run</span>`;
  if (output === undefined) return markup`<li><p><code>${name}</code>${when}</p></li>`;
  return markup`
<li><details><summary><code>${name}</code>${when}</summary>${
    payloadView(output, `Output of step ${name}`)
  }</details></li>`;
}
