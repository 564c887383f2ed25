import type { TaskState } from "../../store/port/batch.ts";
import { type Box, type Foldable, foldTasks } from "./graph_fold.ts";
import { type Layout, layOut, type Line } from "./graph_layout.ts";
import { type Html, markup } from "./html.ts";
import { columnsOf, commonName, counted, grouped, shorten, taskAnchor } from "./labels.ts";
import { TASK_STATES } from "./states.ts";

/** The state in which a task is drawn. */
export type DrawnState = TaskState | "compensating";

const DRAWN_STATES: readonly DrawnState[] = ["compensating", ...TASK_STATES];

/** A task to draw. */
export interface DrawnTask extends Foldable {
  /** Where it is, `compensating` while it is undone; `undefined` where no run is drawn. */
  readonly state: DrawnState | undefined;
  /** What stands below its id. */
  readonly note: string;
  /** How much of it is done, from 0 to 1; `undefined` if that is not known. */
  readonly done: number | undefined;
  /** What stands above it, such as `when`. */
  readonly marks: readonly string[];
}

/**
 * Renders a graph as SVG; its boxes link to the details of their tasks. Tasks with the same dependencies share a box if
 * they are many.
 */
export function graphSvg(tasks: readonly DrawnTask[], title: string, layouts: Layouts): Html {
  const boxes = foldTasks(tasks, MOST_ALIKE);
  if (boxes.length > MOST_BOXES) {
    return markup`<p class="note">A graph of ${
      counted(tasks.length, "task")
    } is too large to draw; the list below shows them.</p>`;
  }
  const labels = boxes.map(labelOf);
  const layout = layoutOf(boxes.map(({ after }, at) => ({ after, width: widthOf(labels[at]!) })), layouts);
  const { width, height, lines, implied, leftOut } = layout;
  // The marks of the first row are above it.
  const top = labels.some(({ marks }) => marks.length > 0) ? MARK_HEIGHT : 0;
  const heads = boxes.flatMap(({ after }, at) => after.length === 0 ? [] : [headOf(layout, at, labels[at]!)]);
  return markup`
<div class="scroll" id="graph-view" tabindex="0" role="region" aria-label="Graph drawing">
<svg class="graph" width="${width}" height="${height + top}" viewBox="0 ${-top} ${width} ${
    height + top
  }" role="group" aria-label="${title}">
<desc>The tasks from top to bottom. Each task links to its details below, which state the same as text.</desc>
<path class="edges" d="${lines.map(curveOf).join("")}"/>
<path class="heads" d="${heads.join("")}"/>
${labels.map((label, at) => boxOf(label, layout.boxes[at]!))}
</svg>
</div>
${implied > 0 && markup`<p class="note">${counted(implied, "line")} implied by others are not drawn.</p>`}
${
    leftOut > 0 &&
    markup`<p class="note">The graph has too many lines to draw: the ${grouped(leftOut)} longest are omitted. The list
below names every dependency.</p>`
  }
`;
}

interface Label {
  readonly name: string;
  readonly note: string;
  readonly full: string;
  readonly anchor: string;
  readonly state: DrawnState | undefined;
  readonly done: number | undefined;
  readonly marks: readonly string[];
  readonly isMany: boolean;
}

const BOX_HEIGHT = 42;
const MARK_HEIGHT = 10;
const MOST_ALIKE = 12;
// A larger graph is unreadable, and its layout would block the event loop.
const MOST_BOXES = 500;
const ROW_WIDTH = 1_160;
const WIDEST = 240;
const COLUMN = 7.3;
const SMALL_COLUMN = 6;
const TEXT_X = 29;
const NAME_COLUMNS = 27;
const NOTE_COLUMNS = 19;
const MANY_COLUMNS = 33;

function labelOf({ tasks }: Box<DrawnTask>): Label {
  const [first] = tasks;
  if (tasks.length > 1) return labelOfMany(tasks);
  const { id, state, note, done, marks } = first!;
  const full = [id, state, note].filter((part) => part !== undefined && part !== "").join(", ");
  const name = shorten(id, NAME_COLUMNS);
  return { name, note: shorten(note, NOTE_COLUMNS), full, anchor: taskAnchor(id), state, done, marks, isMany: false };
}

function labelOfMany(tasks: readonly DrawnTask[]): Label {
  const counts = DRAWN_STATES.flatMap((state) => {
    const of = tasks.filter((task) => task.state === state);
    return of.length === 0 ? [] : [{ state, count: of.length, first: of[0]!.id }];
  });
  // Independent of the states, so that the box keeps its size.
  const name = `${shorten(commonName(tasks.map(({ id }) => id)), NAME_COLUMNS - 8)} × ${tasks.length}`;
  const words = counts.map(({ state, count }) => `${count} ${state}`);
  return {
    name,
    note: shorten(words.join(", "), MANY_COLUMNS),
    full: [name, ...words].join(", "),
    anchor: taskAnchor(counts[0]?.first ?? tasks[0]!.id),
    state: counts[0]?.state,
    done: undefined,
    marks: tasks[0]!.marks,
    isMany: true,
  };
}

function widthOf({ name, isMany, marks }: Label): number {
  const note = (isMany ? MANY_COLUMNS : NOTE_COLUMNS) * SMALL_COLUMN;
  const text = TEXT_X + Math.max(columnsOf(name) * COLUMN, note) + 11;
  // Marks are left of the centre, where lines arrive, unless they are long.
  return Math.ceil(Math.max(text, Math.min(WIDEST, 2 * (columnsOf(marks.join(" · ")) * SMALL_COLUMN + 10))));
}

/** Layouts by the sizes and dependencies of their boxes, in order of last use. */
export type Layouts = Map<string, Layout>;

// A live page renders the same graph after every change, with the same layout.
const MOST_LAYOUTS = 32;

function layoutOf(
  boxes: readonly { readonly width: number; readonly after: readonly number[] }[],
  layouts: Layouts,
): Layout {
  const key = boxes.map(({ width, after }) => `${width}:${after}`).join(" ");
  const layout = layouts.get(key) ?? layOut(boxes, { boxHeight: BOX_HEIGHT, rowWidth: ROW_WIDTH });
  layouts.delete(key);
  layouts.set(key, layout);
  if (layouts.size > MOST_LAYOUTS) layouts.delete(layouts.keys().next().value!);
  return layout;
}

function boxOf(label: Label, at: { readonly x: number; readonly y: number }): Html {
  const { name, note, full, anchor, state, done, marks, isMany } = label;
  const width = widthOf(label);
  return markup`
<a href="#${anchor}" class="box ${state && `s-${state}`}"><title>${full}</title>
${
    isMany &&
    markup`<rect class="behind" x="${at.x + 4}" y="${at.y + 4}" width="${width}" height="${BOX_HEIGHT}" rx="6"/>`
  }
<rect class="face" x="${at.x}" y="${at.y}" width="${width}" height="${BOX_HEIGHT}" rx="6"/>
${
    state &&
    markup`<use href="#s-${state}" class="symbol s-${state}" x="${at.x + 9}" y="${at.y + 8}" width="14" height="14"/>`
  }
<text class="name" x="${at.x + (state ? TEXT_X : 12)}" y="${at.y + 19}">${name}</text>
<text class="small" x="${at.x + (state ? TEXT_X : 12)}" y="${at.y + 34}">${note}</text>
${
    done !== undefined &&
    markup`<rect class="done" x="${at.x}" y="${at.y + BOX_HEIGHT - 3}" width="${Math.round(width * done)}" height="3"/>`
  }
${marks.length > 0 && markup`<text class="mark" x="${at.x + 3}" y="${at.y - 4}">${marks.join(" · ")}</text>`}</a>
`;
}

function curveOf({ x1, y1, x2, y2 }: Line): string {
  if (x1 === x2) return `M${x1} ${y1}V${y2}`;
  const middle = Math.round((y1 + y2) / 2);
  return `M${x1} ${y1}C${x1} ${middle} ${x2} ${middle} ${x2} ${y2}`;
}

function headOf({ boxes }: Layout, at: number, label: Label): string {
  const { x, y } = boxes[at]!;
  return `M${x + Math.round(widthOf(label) / 2)} ${y}l-4 -7h8z`;
}
