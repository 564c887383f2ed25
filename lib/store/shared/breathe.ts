import { systemClock } from "../../clock.ts";
import { SLICE_ROWS } from "./claim_bounds.ts";

let pending = 0;

/** Yields to the event loop once, between two slices of long work. */
export function breathe(): Promise<void> {
  pending++;
  return new Promise((resolve) =>
    void systemClock.after(0, () => {
      pending--;
      resolve();
    })
  );
}

/** Returns whether long work in this process waits for its next slice. A clock that is moved by hand stands still then. */
export function isBreathing(): boolean {
  return pending > 0;
}

/** Divides work in the caller's thread into slices. */
export interface Slices {
  /** Counts processed rows; yields to the event loop after each slice. */
  done(rows: number): Promise<void>;
}

/** Creates slices of about two milliseconds of work. */
export function createSlices(): Slices {
  let left = SLICE_ROWS;
  return {
    async done(rows) {
      left -= rows;
      if (left > 0) return;
      left = SLICE_ROWS;
      await breathe();
    },
  };
}
