/**
 * The attempts that wait for slots. Runs take turns, so that one with ten thousand ready units delays another run by one
 * body, not by ten thousand; within a run the order is that in which its attempts became ready. Attempts for which a slot
 * is reserved come before all others.
 *
 * @module
 */
import type { Attempt, LiveRun } from "../runs/live_run.ts";
import { createRing } from "./ring.ts";

/** A queue of attempts, whose stage is `"queued"`. One that is dropped leaves with `drop()` and another stage. */
export interface AttemptQueue {
  /** The number of attempts. */
  readonly size: number;
  /** Whether an attempt with a reserved slot is among them. */
  readonly hasReserved: boolean;
  /** Adds an attempt. */
  push(attempt: Attempt): void;
  /** Adds an attempt for which a slot is reserved. */
  pushReserved(attempt: Attempt): void;
  /** Removes the next attempt; the queue must not be empty. */
  shift(): Attempt;
  /** Counts an attempt that is no longer queued. */
  drop(): void;
}

/** Creates an empty queue. */
export function createAttemptQueue(): AttemptQueue {
  const runs = createRing<LiveRun>();
  const reserved = createRing<Attempt>();
  let size = 0;
  return {
    get size() {
      return size;
    },
    get hasReserved() {
      return firstReserved() !== undefined;
    },
    push(attempt) {
      enter(attempt);
      const { run } = attempt.unit;
      if (run.lastQueued === undefined) {
        run.firstQueued = attempt;
        runs.push(run);
      } else run.lastQueued.next = attempt;
      run.lastQueued = attempt;
    },
    pushReserved(attempt) {
      enter(attempt);
      reserved.push(attempt);
    },
    shift() {
      size--;
      if (firstReserved() !== undefined) return reserved.shift()!;
      for (;;) {
        const attempt = nextOfRuns();
        if (attempt.stage === "queued") return attempt;
      }
    },
    drop: () => void size--,
  };

  function enter(attempt: Attempt): void {
    attempt.stage = "queued";
    size++;
  }

  /** Dropped attempts are removed when it is their turn. */
  function firstReserved(): Attempt | undefined {
    for (;;) {
      const first = reserved.peek();
      if (first === undefined || first.stage === "queued") return first;
      reserved.shift();
    }
  }

  /** The next attempt of the run whose turn it is; that run then goes to the end of the ring. */
  function nextOfRuns(): Attempt {
    const run = runs.shift()!;
    const attempt = run.firstQueued!;
    run.firstQueued = attempt.next;
    if (attempt.next !== undefined) attempt.next = undefined;
    if (run.firstQueued === undefined) run.lastQueued = undefined;
    else runs.push(run);
    return attempt;
  }
}
