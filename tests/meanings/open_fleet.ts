/** Opens several runners on one store and one clock that is moved by hand, each of which can be killed. */
import { type AnyWorkflow, createRunner, type Runner, type RunnerOptions } from "../../mod.ts";
import { createFakeClock, type FakeClock } from "../../lib/testing/mod.ts";
import { createLife, shareStore } from "../../lib/testing/mortal.ts";
import { type EmptyStore, emptyStore } from "../empty_store.ts";
import { openPlace } from "../place.ts";

/** A runner of a fleet. */
export interface FleetRunner<W extends AnyWorkflow> {
  readonly runner: Runner<W>;
  /** Stops it, so that what is left goes to the others. */
  stop(): Promise<void>;
  /** Ends it, as if its process had been killed: its bodies never settle, and nothing of it reaches the store. */
  kill(): void;
}

/** A fleet; disposing of it stops the runners that live. */
export interface Fleet extends AsyncDisposable {
  /** The clock of all runners: its time passes, and is never set. */
  readonly clock: FakeClock;
  /** Sets the clock that runners and the store read ahead, or back, while no time passes. */
  set(ms: number): void;
  readonly place: EmptyStore;
  /** Starts a runner. */
  runner<const W extends AnyWorkflow>(
    workflows: readonly W[],
    options?: Omit<RunnerOptions<W>, "workflows">,
  ): Promise<FleetRunner<W>>;
}

/**
 * Opens a fleet without runners. None is notified of what another one does: they rely on their polls. They are of one process,
 * so that the lease of one that was killed must end.
 */
export function openFleet(): Fleet {
  const place = emptyStore();
  const clock = createFakeClock();
  let offsetMs = 0;
  const wallClock: FakeClock = { ...clock, now: () => clock.now() + offsetMs, monotonic: clock.now };
  const stops = new Set<() => Promise<void>>();
  const closes: (() => Promise<void>)[] = [];
  return {
    clock,
    set: (ms) => void (offsetMs += ms),
    place,
    async runner(workflows, options = {}) {
      const shared = shareStore(await openPlace(place, { clock: wallClock }), wallClock);
      closes.push(shared.close);
      const life = createLife(shared, wallClock, { isolate: undefined, wrote() {} });
      const runner = await createRunner(life.store, {
        ...{ clock: life.clock, logger: false, recoveryLimit: 1_000, ...options },
        workflows,
      });
      const stop = (): Promise<void> => runner.stop({ timeout: 0 });
      stops.add(stop);
      return {
        runner,
        async stop() {
          stops.delete(stop);
          await clock.until(stop());
        },
        kill() {
          stops.delete(stop);
          life.end();
        },
      };
    },
    async [Symbol.asyncDispose]() {
      for (const stop of stops) await clock.until(stop());
      for (const close of closes) await close();
      await place[Symbol.asyncDispose]();
    },
  };
}
