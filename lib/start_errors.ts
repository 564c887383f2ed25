import { SluiceError } from "./sluice_error.ts";

/** Too many starts wait for the database, which is slow or away: start again later. Nothing was queued. */
export class QueueFullError extends SluiceError {
  /** Names the class. */
  override name = "QueueFullError";
  /** The code of the class. */
  declare readonly code: "queue_full";
  /** Number of runs that wait. */
  readonly waiting: number;
  /** Creates an error for a start that has no room. */
  constructor(waiting: number) {
    super("queue_full", `Cannot start a run: ${waiting} runs already wait for the database; try again later`);
    this.waiting = waiting;
  }
}

/** A run with this workflow and key exists, and the option `ifExists` of the start does not allow to return it. */
export class KeyConflictError extends SluiceError {
  /** Names the class. */
  override name = "KeyConflictError";
  /** The code of the class. */
  declare readonly code: "key_conflict";
  /** Id of the run that exists. */
  readonly runId: string;
  /** The key. */
  readonly key: string;
  /** Creates an error for a start whose key is taken. */
  constructor(workflow: string, key: string, runId: string, isOtherInput: boolean) {
    const why = isOtherInput ? "was started with another input" : "exists already";
    super("key_conflict", `Cannot start workflow "${workflow}" with key "${key}": run "${runId}" ${why}`);
    this.runId = runId;
    this.key = key;
  }
}
