import type { Clock } from "../../clock.ts";
import { hasChildOutcome } from "../children/child_runs.ts";
import type { Observer } from "../telemetry/engine_events.ts";
import type { LiveRun, LiveUnit } from "../runs/live_run.ts";
import { hasMessage } from "../runs/run_messages.ts";
import type { MachineEvent } from "../machine/machine_protocol.ts";
import { waitsForPermit } from "../machine/run_state.ts";

/** What the waits of units need of an executor. */
export interface UnitWaitsOptions {
  readonly clock: Clock;
  /** The store's time. */
  readonly now: () => number;
  /** Passes an event to the state machine and carries out its commands. */
  readonly apply: (run: LiveRun, event: MachineEvent<LiveUnit>) => void;
  /** Writes the row of a unit as it is now. */
  readonly record: (unit: LiveUnit) => void;
  readonly emit: Observer;
  /** A unit waits for the places that limits demand. */
  readonly watchPermit: (unit: LiveUnit) => void;
}

/** The waits of units in memory: each ends at its time, or by a message or the end of a child run that is known. */
export interface UnitWaits {
  /** Ends the wait of a unit at its time. */
  arm(unit: LiveUnit): void;
  /** The row is durable that says that a unit waits. */
  durable(unit: LiveUnit): void;
}

/** The waits of an executor's units. */
export function createUnitWaits(options: UnitWaitsOptions): UnitWaits {
  const { clock, now, apply, record, emit } = options;
  return {
    arm(unit) {
      if (unit.isNewlyBlocked) block(unit);
      if (waitsForPermit(unit)) return options.watchPermit(unit);
      setTimer(unit);
    },
    durable(unit) {
      unit.isWaitInFlight = false;
      if (unit.state !== "waiting") return;
      if (unit.wake?.message === true && hasMessage(unit)) apply(unit.run, { type: "woken", unit, by: "message" });
      else if (waitsForPermit(unit) && unit.permit?.state === "granted") {
        apply(unit.run, { type: "woken", unit, by: "permit" });
      } else if (hasChildOutcome(unit)) apply(unit.run, { type: "woken", unit, by: "child" });
      else setTimer(unit);
    },
  };

  /** A wait can end once its row is durable: a failed attempt that is lost in a crash would be made again. */
  function setTimer(unit: LiveUnit): void {
    const at = unit.wake?.at;
    if (at === undefined || unit.isWaitInFlight) return;
    unit.disarm?.();
    unit.disarm = clock.after(Math.max(0, at - now()), () => apply(unit.run, { type: "woken", unit, by: "time" }));
  }

  function block(unit: LiveUnit): void {
    unit.isNewlyBlocked = false;
    record(unit);
    emit({ type: "unitBlocked", unit });
  }
}
