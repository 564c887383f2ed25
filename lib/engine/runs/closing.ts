import type { ErrorRecord } from "../../errors.ts";

/** Why a run is ended from outside. */
export interface Closing {
  /** The reason its bodies are aborted with. */
  readonly cause: Error;
  /** The recorded reason of a cancelled run. */
  readonly reason: string | undefined;
  /** Whether it is compensated. */
  readonly compensate: boolean;
  /** The recorded error of a failed run. */
  readonly error: ErrorRecord | undefined;
}
