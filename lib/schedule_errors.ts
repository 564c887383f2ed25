import { SluiceError } from "./sluice_error.ts";

/** The store has no schedule or poll of this name. */
export class UnknownScheduleError extends SluiceError {
  /** Name of the class. */
  override name = "UnknownScheduleError";
  /** Stable code for programs. */
  declare readonly code: "unknown_schedule";
  /** The requested name. */
  readonly schedule: string;
  /** Creates an error for a name; `action` completes "Cannot …". */
  constructor(schedule: string, action: string, hint: string) {
    super("unknown_schedule", `Cannot ${action} schedule "${schedule}": the store has no schedule of that name${hint}`);
    this.schedule = schedule;
  }
}
