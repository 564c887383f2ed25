/** Decodes how far a run is: its state as it is reported, how it is being ended, and what it ends as. */
import type { ErrorRecord } from "../../errors.ts";
import type { RunEnding, RunState } from "../port/batch.ts";
import { createReader, type Decode, isErrorRecord, type Row, STORED_STATES } from "./decode.ts";
import { CLOSINGS } from "./hand_over.ts";
import type { Closing } from "../port/listing.ts";

const { optionalText, oneOf, json } = createReader("runs", "seq");

const readState = oneOf(STORED_STATES, "a state of a run");
const readClosing = oneOf(CLOSINGS, "a way in which a run ends");

/** Decodes the state of a run as it is reported. */
export function decodeState(row: Row, column: string): RunState {
  const state = readState(row, column);
  const { closing, ended_at } = row;
  const isUndoing = ended_at === null && (closing === "undoFailed" || closing === "undoCancelled");
  return isUndoing && state !== "paused" ? "compensating" : state;
}

/** Decodes how a run is being ended, or was. */
export function decodeClosing(row: Row, column: string): Closing | undefined {
  return row[column] === null ? undefined : readClosing(row, column);
}

/** Decodes the error of a run. */
export const decodeError: Decode<ErrorRecord | undefined> = json(isErrorRecord);

/** Decodes what a run ends as once it is compensated; `undefined` for a run without a compensation. */
export function decodeEnding(row: Row): RunEnding | undefined {
  switch (row["closing"]) {
    case "undoFailed":
      return { state: "failed", error: decodeError(row, "error") ?? { name: "Error", message: "the run failed" } };
    case "undoCancelled":
      return { state: "cancelled", reason: optionalText(row, "reason") };
    default:
      return undefined;
  }
}
