/** What the graph needs to know of a task. */
export interface GraphTask {
  /** Unique in its workflow. */
  readonly id: string;
  /** Ids of the tasks that must end first. */
  readonly after: readonly string[];
  /** How they must have ended. */
  readonly on?: string;
  /** Present if the task may be skipped. */
  readonly when?: unknown;
}
