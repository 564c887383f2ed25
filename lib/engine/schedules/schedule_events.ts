/** An event of a schedule or poll, as `onEvent` receives it from the runner that has fired it. */
export type ScheduleEvent =
  & {
    /** Name of the schedule or poll. */
    readonly schedule: string;
    /** Name of the workflow of its runs. */
    readonly workflow: string;
    /** Time of the event, in milliseconds since the epoch. */
    readonly at: number;
    /** Id of the run that a tick has started; absent for every other event. */
    readonly runId?: string;
  }
  & (
    | {
      /** A tick has started a run. */
      readonly type: "schedule.started";
      readonly tick: number;
      readonly runId: string;
      /** How long after the tick was due, jitter included, the run was started, in milliseconds. */
      readonly lateMs: number;
    }
    | {
      /**
       * Ticks have started no runs: no runner could start them in time (`missed`), an earlier run had not ended
       * (`overlapped`), or their inputs could not be computed (`failed`).
       */
      readonly type: "schedule.missed" | "schedule.overlapped" | "schedule.failed";
      /** The ticks, oldest first; of more than twenty the latest. */
      readonly ticks: readonly number[];
      /** How many there are; of missed ticks at most 1,000 are counted at once. */
      readonly count: number;
    }
    | {
      /** The input of a tick could not be computed, and is tried again. */
      readonly type: "schedule.retrying";
      readonly tick: number;
      /** Name and message of the error. */
      readonly message: string;
      readonly dueAt: number;
    }
    | {
      /** A check of a poll has returned; its runs are started, and its cursor is stored. */
      readonly type: "poll.checked";
      /** Runs that were started, without those whose key had a run already. */
      readonly runIds: readonly string[];
      /** How long the check took, in milliseconds. */
      readonly tookMs: number;
    }
    | {
      /** A check of a poll has failed, and is repeated. */
      readonly type: "poll.failed";
      /** Name and message of the error. */
      readonly message: string;
      readonly dueAt: number;
    }
    /** The result of a check is dropped: it came so late that another runner checks already. */
    | { readonly type: "poll.dropped" }
  );
