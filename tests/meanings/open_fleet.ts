/** Opens several runners on one store and one clock that is moved by hand, each of which can be killed. */
import { type AnyWorkflow, createRunner, type Runner, type RunnerOptions } from "../../mod.ts";
import { createFakeClock, type FakeClock } from "../../lib/testing/mod.ts";
import { createLife, shareStore } from "../../lib/testing/mortal.ts";
import { type EmptyStore, emptyStore } from "../empty_store.ts";
import { openPlace } from "../place.ts";

/** A runner of a fleet. */
export interface FleetRunner<W extends AnyWorkflow> {
  readonly runner: Runner<W>;
  /** Ends it, as if its process had been killed: its bodies never settle, and nothing of it reaches the store. */
  kill(): void;
}

/** A fleet; disposing of it stops the runners that live. */
export interface Fleet extends AsyncDisposable {
  readonly clock: FakeClock;
  readonly place: EmptyStore;
  /** Starts a runner. */
  runner<const W extends AnyWorkflow>(
    workflows: readonly W[],
    options?: Omit<RunnerOptions<W>, "workflows">,
  ): Promise<FleetRunner<W>>;
}

/** Opens a fleet without runners. They are of one process, so that the lease of one that was killed must end. */
export async function openFleet(): Promise<Fleet> {
  const place = emptyStore();
  const clock = createFakeClock();
  const store = await openPlace(place, { clock });
  const shared = shareStore(store, clock);
  const stops = new Set<() => Promise<void>>();
  return {
    clock,
    place,
    async runner(workflows, options = {}) {
      const life = createLife(shared, clock, { isolate: undefined, wrote() {} });
      const runner = await createRunner(life.store, {
        ...{ clock: life.clock, logger: false, recoveryLimit: 1_000, ...options },
        workflows,
      });
      const stop = (): Promise<void> => runner.stop({ timeout: 0 });
      stops.add(stop);
      return {
        runner,
        kill() {
          stops.delete(stop);
          life.end();
        },
      };
    },
    async [Symbol.asyncDispose]() {
      for (const stop of stops) await clock.until(stop());
      await shared.close();
      await place[Symbol.asyncDispose]();
    },
  };
}
