/** Shows the progress of the tasks of a run: one line that is rewritten on a terminal, plain lines elsewhere. */
import type { RunEvent } from "../../mod.ts";
import { plain, shorten } from "./text.ts";

/** The output of the display, such as `process.stdout`. */
export interface Screen {
  /** Whether lines can be rewritten. */
  readonly isTTY?: boolean | undefined;
  /** Its width in columns. */
  readonly columns?: number | undefined;
  /** Writes a text. */
  readonly write: (text: string) => unknown;
}

/** A display of one run. */
export interface ProgressDisplay {
  /** Processes an event. */
  readonly onEvent: (event: RunEvent) => void;
  /** Removes the rewritten line. */
  readonly end: () => void;
}

/** Shows the tasks of a run on `screen`; those in `done` had ended before this process started. */
export function showProgress(screen: Screen, tasks: readonly string[], done: Iterable<string> = []): ProgressDisplay {
  const shown = new Map(tasks.map((task) => [task, "·"]));
  for (const task of done) shown.set(task, "✓");
  const startedAt = new Map<string, number>();
  let ended = false;
  return { onEvent, end };

  function onEvent(event: RunEvent): void {
    if (ended || !("taskId" in event)) return;
    if (event.type === "task.started") startedAt.set(event.taskId, event.at);
    shown.set(event.taskId, symbol(event));
    if (screen.isTTY) return rewrite([...shown].map(([task, state]) => `${task} ${state}`).join("  "));
    const line = sentence(event, event.at - (startedAt.get(event.taskId) ?? event.at));
    if (line !== undefined) screen.write(`${line}\n`);
  }

  function end(): void {
    if (screen.isTTY && !ended) rewrite("");
    ended = true;
  }

  function rewrite(line: string): void {
    // The last column stays free, because some terminals wrap after it. Some terminals report a width of 0.
    const text = shorten(line, (screen.columns || 80) - 1);
    screen.write(`\r${text}\x1b[K`);
  }
}

type TaskEvent = Extract<RunEvent, { readonly taskId: string }>;

function symbol(event: TaskEvent): string {
  switch (event.type) {
    case "task.started":
      return "0 %";
    case "task.progress":
    case "undo.progress":
      return event.total ? `${Math.floor((event.done / event.total) * 100)} %` : `${event.done}`;
    case "task.completed":
      return "✓";
    case "task.failed":
      return "✗";
    case "task.retrying":
    case "task.deferred":
      return "↻";
    case "task.blocked":
      return "!";
    case "task.skipped":
      return "–";
    case "undo.started":
    case "undo.retrying":
    case "undo.deferred":
    case "undo.completed":
      return "↩";
    case "undo.failed":
      return "✗";
  }
}

function sentence(event: TaskEvent, ms: number): string | undefined {
  switch (event.type) {
    case "task.started":
    case "task.progress":
      return undefined;
    case "task.completed":
      return `  done: ${event.taskId} (${ms} ms)`;
    case "task.failed":
      return `  failed: ${event.taskId}: ${plain(event.error.message)}`;
    case "task.retrying":
      return `  will try again: ${event.taskId}: ${plain(event.error.message)}`;
    case "task.deferred":
      return `  will come back: ${event.taskId}`;
    case "undo.started":
    case "undo.progress":
    case "undo.deferred":
      return undefined;
    case "undo.completed":
      return `  undone: ${event.taskId}`;
    case "undo.retrying":
      return `  will try to undo again: ${event.taskId}: ${plain(event.error.message)}`;
    case "undo.failed":
      return `  cannot undo: ${event.taskId}: ${plain(event.error.message)}`;
    case "task.skipped":
      return `  skipped: ${event.taskId}: ${plain(event.reason)}`;
  }
}
