/** Consecutive items of a task. */
export interface ItemRange {
  /** The task. */
  readonly task: string;
  /** The first item. */
  readonly first: number;
  /** The last item. */
  readonly last: number;
}
