import type { AttemptDetail, TaskDetail } from "../run_shape.ts";
import { type Html, markup } from "./html.ts";
import { duration } from "./times.ts";
import { type Span, type TimeScale, timeScale } from "./time_scale.ts";

/** The data of a time line. */
export interface TimelineOptions {
  /** The tasks of a run. */
  readonly tasks: readonly TaskDetail[];
  /** Ids of what a task depends on. */
  readonly after: (id: string) => readonly string[];
  /** From the run's start to its end, or to now. */
  readonly whole: Span;
  /** Whether the run has not ended. */
  readonly isOpen: boolean;
}

/** The bars of a run's tasks, all on one scale. */
export interface Timeline {
  /** The marks of the scale, from top to bottom of what it is laid under. */
  readonly axis: Html;
  /** A task's attempts, and its waits before, between and after them. */
  bars(task: TaskDetail): Html;
}

/** Draws when tasks ran and waited. Positions are percentages, so that it fills the page's width. */
export function timeline({ tasks, after, whole, isOpen }: TimelineOptions): Timeline {
  const scale = timeScale(whole, tasks.flatMap((task) => attemptSpans(task, whole.to)));
  const ends = new Map(tasks.map(({ id, endedAt }) => [id, endedAt]));
  return { axis: axisOf(scale), bars };

  function bars(task: TaskDetail): Html {
    const tries = task.history.filter(({ startedAt }) => startedAt !== undefined);
    const waits = waitsOf(task, tries);
    return markup`<svg class="bars" width="100%" height="16" aria-hidden="true">${
      waits.map(({ from, to, kind }) =>
        markup`<line class="wait ${kind}" x1="${scale.at(from)}%" x2="${scale.at(to)}%" y1="8" y2="8"/>`
      )
    }${tries.map((attempt) => barOf(attempt, scale, whole.to))}</svg>`;
  }

  function waitsOf(task: TaskDetail, tries: readonly AttemptDetail[]): readonly (Span & { readonly kind: string })[] {
    const waits = tries.slice(1).flatMap(({ startedAt }, i) => {
      const from = tries[i]!.endedAt;
      return from === undefined ? [] : [{ from, to: startedAt!, kind: "retry" }];
    });
    const [first, last] = [tries[0], tries.at(-1)];
    const ready = readyAt(task.id);
    // From the moment when it could have begun; it waited for a slot or for a runner.
    const isQueued = isOpen && first === undefined && task.state === "pending" && ready !== undefined;
    if (ready !== undefined && first !== undefined) waits.unshift({ from: ready, to: first.startedAt!, kind: "queue" });
    if (isQueued) waits.push({ from: ready, to: whole.to, kind: "queue" });
    if (task.state === "waiting") waits.push({ from: last?.endedAt ?? whole.from, to: whole.to, kind: "retry" });
    return waits.filter(({ from, to }) => to > from);
  }

  /** When the last of what it depends on ended; `undefined` if that is not known. */
  function readyAt(id: string): number | undefined {
    const known = after(id).map((other) => ends.get(other));
    return known.some((end) => end === undefined) ? undefined : Math.max(whole.from, ...known.map((end) => end!));
  }
}

const LEAST_WIDTH = 0.35;

function attemptSpans({ history }: TaskDetail, now: number): readonly Span[] {
  return history.flatMap(({ startedAt, endedAt, state }) => {
    if (startedAt === undefined) return [];
    return [{ from: startedAt, to: endedAt ?? (state === "running" ? now : startedAt) }];
  });
}

function barOf({ number, state, startedAt, endedAt }: AttemptDetail, scale: TimeScale, now: number): Html {
  const from = scale.at(startedAt!);
  const to = scale.at(endedAt ?? (state === "running" ? now : startedAt!));
  const width = Math.max(LEAST_WIDTH, Math.round((to - from) * 100) / 100);
  const words = endedAt === undefined ? state : `${state} after ${duration(endedAt - startedAt!)}`;
  return markup`
<rect class="s-${state}" x="${Math.min(from, 100 - LEAST_WIDTH)}%" width="${width}%" y="2" height="12" rx="2"><title>
attempt ${number}: ${words}</title></rect>`;
}

function axisOf({ ticks, breaks }: TimeScale): Html {
  return markup`<svg class="axis" width="100%" height="100%" aria-hidden="true">${
    breaks.map(({ left, width, from, to }) =>
      markup`
<rect class="break" x="${left}%" width="${width}%" y="0" height="100%"/>
<text x="${left + width / 2}%" y="12" text-anchor="middle">⋯ ${duration(to - from)} ⋯</text>
`
    )
  }${
    ticks.map(({ at, elapsedMs }) =>
      markup`
<line class="tick" x1="${at}%" x2="${at}%" y1="18" y2="100%"/>
<text x="${at}%" y="12" text-anchor="${at < 2 ? "start" : "middle"}">${
        elapsedMs === 0 ? "0" : duration(elapsedMs)
      }</text>
`
    )
  }</svg>`;
}
