import type { RunState, TaskState } from "../../store/port/batch.ts";
import { type Html, markup } from "./html.ts";

/** Any state of a run or task. */
export type State = RunState | TaskState;

/** States of a run, in display order. */
export const RUN_STATES: readonly RunState[] = [
  "running",
  "pending",
  "waiting",
  "paused",
  "compensating",
  "completed",
  "failed",
  "cancelled",
];

/** States of a task, the most important first. */
export const TASK_STATES: readonly TaskState[] = [
  "failed",
  "blocked",
  "running",
  "waiting",
  "pending",
  "completed",
  "compensated",
  "skipped",
  "cancelled",
];

/** A state as symbol, word and colour; each suffices by itself. */
export function stateBadge(state: State, word: string = state): Html {
  return markup`<span class="badge s-${state}">${stateSymbol(state)}${word}</span>`;
}

/** The symbol of a state, beside its word. */
export function stateSymbol(state: State): Html {
  return markup`<svg class="symbol s-${state}" width="14" height="14" aria-hidden="true"><use href="#s-${state}"/></svg>`;
}

/** The definitions of the symbols, once in a page. Each is 14 by 14 units. */
export function symbolSheet(): Html {
  return markup`<svg width="0" height="0" class="sheet" aria-hidden="true">${
    [...SHAPES].map(([state, shape]) => markup`<symbol id="s-${state}" viewBox="0 0 14 14">${shape}</symbol>`)
  }</svg>`;
}

// Drawn instead of typed: fonts lack some of these characters, and their sizes differ.
const BACK = markup`<path class="line" d="M6 3L2.5 6.5L6 10M2.5 6.5h5.7a3 3 0 0 1 0 6"/>`;

const SHAPES: ReadonlyMap<State, Html> = new Map<State, Html>([
  ["compensating", BACK],
  ["compensated", BACK],
  [
    "completed",
    markup`<path class="line" d="M2.5 7.5l3 3 6-7"/>`,
  ],
  [
    "failed",
    markup`<path class="line" d="M3 3l8 8M11 3l-8 8"/>`,
  ],
  [
    "running",
    markup`<path class="fill" d="M4 2.5v9l7.5-4.5z"/>`,
  ],
  [
    "waiting",
    markup`
<circle class="line" cx="7" cy="7" r="5"/>
<path class="line" d="M7 4v3l2.2 1.6"/>
`,
  ],
  [
    "blocked",
    markup`<path class="line" d="M7 2.2l5.2 9.3H1.8zM7 5.6v2.6M7 9.6v.4"/>`,
  ],
  [
    "paused",
    markup`<path class="line" d="M4.7 3v8M9.3 3v8"/>`,
  ],
  [
    "pending",
    markup`<circle class="line" cx="7" cy="7" r="4.5"/>`,
  ],
  [
    "skipped",
    markup`<path class="line" d="M2.5 9.5a4.6 4.6 0 0 1 8.6-1.6M11.6 4.2v3.9H7.7"/>`,
  ],
  [
    "cancelled",
    markup`
<circle class="line" cx="7" cy="7" r="5"/>
<path class="line" d="M3.6 10.4l6.8-6.8"/>
`,
  ],
]);
