import type { Clock } from "../../clock.ts";
import type { RunMove } from "../../store/port/batch.ts";
import { type LiveRun, type LiveUnit, unitsOf } from "../runs/live_run.ts";
import { waitsForPermit } from "../machine/run_state.ts";
import { waitsForChild } from "../machine/waiting_units.ts";

/** A run that waits longer than this is released from memory, and claimed again when it is due. In milliseconds. */
const LONG_WAIT_MS = 5_000;

/** What parking needs of an executor. */
export interface ParkingOptions {
  readonly clock: Clock;
  /** The store's time. */
  readonly now: () => number;
  /** Runs in memory at once. */
  readonly maxRuns: number;
  /** Writes what becomes of a run. */
  readonly move: (run: LiveRun, move: RunMove) => void;
}

/** Parks runs that only wait, in memory or in the store. */
export interface Parking {
  /** How many runs stay in memory because they wait for child runs, or for slots of limits. */
  readonly kept: number;
  /** Parks a run until a time, or until something arrives for it. */
  park(run: LiveRun, at: number | undefined): void;
  /** Releases a run, as it is, to any runner. */
  handBack(run: LiveRun): void;
  /** Called when a run has left memory. */
  forget(run: LiveRun): void;
}

/**
 * Parking for the runs of an executor. A run that waits for child runs stays in memory until none has ended for a while,
 * because each end would otherwise cost a claim. So does a run that waits for slots of limits. Such runs are counted apart
 * from the others, and are at most half of `maxRuns`.
 */
export function createParking({ clock, now, maxRuns, move }: ParkingOptions): Parking {
  const mostKept = Math.floor(maxRuns / 2);
  /** The runs that are kept, and when each was last parked. */
  const kept = new Map<LiveRun, number>();
  return {
    get kept() {
      return kept.size;
    },
    park(run, at) {
      const dueAt = dueAtOf(run, at);
      const isLong = (dueAt ?? Infinity) - now() > LONG_WAIT_MS;
      move(run, { to: "waiting", dueAt, release: isLong && !keep(run) });
    },
    handBack(run) {
      const { isParked, parkedUntil } = run.state;
      move(run, isParked ? { to: "waiting", dueAt: dueAtOf(run, parkedUntil), release: true } : { to: "pending" });
    },
    forget: (run) => void kept.delete(run),
  };

  function keep(run: LiveRun): boolean {
    if (!isKept(run)) return false;
    const isNew = !kept.has(run);
    if (isNew && kept.size >= mostKept && !isAsking(run)) return false;
    kept.set(run, now());
    if (isNew) releaseAfter(run, LONG_WAIT_MS);
    return true;
  }

  /** A run is parked after the end of each child run, so its timer is not set anew each time. */
  function releaseAfter(run: LiveRun, ms: number): void {
    run.timers ??= new Map();
    run.timers.set("release", clock.after(ms, () => release(run)));
  }

  function release(run: LiveRun): void {
    const parkedAt = kept.get(run);
    if (parkedAt === undefined || run.isLeaving || run.gone) return;
    const leftMs = Math.min(LONG_WAIT_MS, parkedAt + LONG_WAIT_MS - now());
    if (run.state.isParked ? leftMs > 0 : isKept(run)) {
      return releaseAfter(run, run.state.isParked ? leftMs : LONG_WAIT_MS);
    }
    kept.delete(run);
    if (run.state.isParked) move(run, { to: "waiting", dueAt: dueAtOf(run, run.state.parkedUntil), release: true });
  }
}

/** Whether something that a run waits for may come soon. */
function isKept(run: LiveRun): boolean {
  return waitsForChild(run.state) || (run.hasPermits && hasUnit(run, waitsForPermit));
}

/** Whether it is not known yet if a unit of a run has been granted its slots. */
function isAsking(run: LiveRun): boolean {
  return run.hasPermits && hasUnit(run, ({ permit }) => permit?.state === "checking");
}

function hasUnit(run: LiveRun, test: (unit: LiveUnit) => boolean): boolean {
  for (const unit of unitsOf(run)) if (test(unit)) return true;
  return false;
}

/** When a parked run is due: at the time that it waits for, or at its deadline. */
function dueAtOf({ deadlineAt }: LiveRun, at: number | undefined): number | undefined {
  const dueAt = Math.min(at ?? Infinity, deadlineAt ?? Infinity);
  return dueAt === Infinity ? undefined : dueAt;
}
