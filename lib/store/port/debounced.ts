/** How a run is debounced. */
export interface Debounce {
  /** The key: at most one run of a workflow with it is pending. */
  readonly key: string;
  /** The time from the last start until the run is due. */
  readonly delayMs: number;
  /** The longest time from the first start until the run is due. @default {undefined} no limit */
  readonly maxDelayMs: number | undefined;
  /** The number of starts that the run has replaced. @default {0} */
  readonly replaced?: number;
}
