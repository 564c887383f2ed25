/** The part of a task that queries of the graph need. */
export interface GraphTask {
  /** Unique in its workflow. */
  readonly id: string;
  /** Ids of the tasks that must end first. */
  readonly after: readonly string[];
  /** The kind of the task. @default {"task"} */
  readonly kind?: string;
  /** Ids of further ancestors whose outputs the task receives. */
  readonly reads?: readonly string[];
  /** How the tasks in `after` must have ended. */
  readonly on?: string;
  /** Present if the task may be skipped. */
  readonly when?: unknown;
  /** Present if the task can be undone. */
  readonly undo?: unknown;
  /** What a map does for each item, with an `undo` if that can be undone. */
  readonly each?: { readonly kind: string; readonly undo?: unknown };
}
