import { systemClock } from "../../clock.ts";

/** Lets the event loop turn once, between two slices of something long. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => void systemClock.after(0, resolve));
}
