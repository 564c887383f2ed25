import { systemClock } from "../clock.ts";
import { SLICE_ROWS } from "./claim_bounds.ts";

/** Lets the event loop turn once, between two slices of something long. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => void systemClock.after(0, resolve));
}

/** Work in the caller's thread that is cut into slices. */
export interface Slices {
  /** Counts rows of work that was done; lets the event loop turn after each slice. */
  done(rows: number): Promise<void>;
}

/** Slices of about two milliseconds. */
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
