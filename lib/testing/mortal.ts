/**
 * What a runner that can be killed sees of the world: a store and a clock. From the moment of its death no call of it
 * returns and none of its timers fires, so that it is as if its process had ended.
 *
 * @module
 */
import type { Clock } from "../clock.ts";
import { ANY_CHANGE, type Change, type Store } from "../store/port/store.ts";
import type { FakeClock } from "./fake_clock.ts";

/** One store in memory, as several parties see it. */
export interface SharedStore {
  /**
   * Returns the store as a party sees it, which is notified of what the others write: a store in memory sends no notifications.
   */
  party(options?: PartyOptions): Store;
  /** Closes the store. */
  close(): Promise<void>;
}

/** How a party uses a store. */
export interface PartyOptions {
  /** Whether the party is dead. @default {() => false} */
  readonly isDead?: () => boolean;
  /** Called when something of it has become durable, with the method that wrote it. */
  readonly wrote?: (method: string) => void;
  /** Distinguishes its runner from those that were killed before; `undefined` for one that lives in this process. */
  readonly isolate?: string | undefined;
}

/** Methods that may write what others wait for. A claim, a renewal and a read of messages concern only their caller. */
const NOTIFIED: ReadonlySet<string> = new Set([
  ...["commit", "transact", "recover", "control", "controlChildren", "send", "closeMailbox", "compensateChild"],
  ...["restart", "deleteRun", "unstrand", "leave", "schedules.write", "schedules.insert"],
  ...["limits.exchange", "limits.deploy"],
]);

/** Methods by which a runner executes runs and fires schedules, if they have written something. */
const EXECUTION: ReadonlySet<string> = new Set([
  ...["commit", "claim", "transact", "controlChildren", "closeMailbox", "compensateChild"],
  ...["schedules.write", "schedules.insert", "limits.exchange"],
]);

/** Shares a store. */
export function shareStore(store: Store, clock: Clock): SharedStore {
  const watchers = new Map<(change: Change) => void, object>();
  return {
    close: () => store.close(),
    party({ isDead = () => false, wrote = () => {}, isolate } = {}) {
      const party = {};
      const observed = (name: string, method: (...args: unknown[]) => unknown) => (...args: unknown[]) => {
        if (isDead()) return never();
        const result = method(...args);
        return result instanceof Promise ? settled(name, args, result) : result;
      };
      const settled = async (name: string, args: readonly unknown[], promise: Promise<unknown>): Promise<unknown> => {
        const result = await promise;
        if (isDead()) return await never();
        if (NOTIFIED.has(name)) notify(party);
        if (EXECUTION.has(name) && hasWritten(name, args, result)) wrote(name);
        // It may have died of it.
        return isDead() ? await never() : result;
      };
      const methods = (target: object, prefix = ""): Record<string, unknown> =>
        Object.fromEntries(
          Object.entries(target).map(([name, value]) => [
            name,
            typeof value === "function"
              ? observed(`${prefix}${name}`, value as () => unknown)
              : typeof value === "object" && value !== null
              ? methods(value, `${prefix}${name}.`)
              : value,
          ]),
        );
      const view = methods(store) as unknown as Store;
      return {
        ...view,
        join: (card, leaseMs) => view.join(isolate === undefined ? card : { ...card, isolate }, leaseMs),
        now: store.now,
        counters: store.counters,
        watch(changed) {
          const watcher = (change: Change): void => isDead() ? undefined : changed(change);
          watchers.set(watcher, party);
          return () => void watchers.delete(watcher);
        },
        close: () => Promise.resolve(),
      };
    },
  };

  function notify(author: object): void {
    for (const [changed, party] of watchers) if (party !== author) clock.after(0, () => changed(ANY_CHANGE));
  }
}

function hasWritten(name: string, [request]: readonly unknown[], result: unknown): boolean {
  switch (name) {
    case "claim":
      return (result as { readonly runs: readonly unknown[] }).runs.length > 0;
    case "schedules.write":
    case "schedules.insert":
      return (request as readonly unknown[]).length > 0;
    default:
      return true;
  }
}

/** A clock whose timers end with a runner. */
function mortalClock(clock: FakeClock, isDead: () => boolean): { readonly clock: Clock; end(): void } {
  const cancels = new Set<() => void>();
  const timer = (start: (fire: () => void) => () => void, fire: () => void): () => void => {
    if (isDead()) return () => {};
    const cancel = start(() => {
      cancels.delete(cancel);
      if (!isDead()) fire();
    });
    cancels.add(cancel);
    return () => {
      cancels.delete(cancel);
      cancel();
    };
  };
  return {
    clock: {
      now: clock.now,
      ...clock.monotonic === undefined ? {} : { monotonic: clock.monotonic },
      after: (ms, fire) => timer((fire) => clock.after(ms, fire), fire),
      periodic: (ms, idleMs, fire) => timer((fire) => clock.periodic!(ms, idleMs, fire), fire),
      idleMs: () => clock.idleMs!(),
      outside: (work) => clock.outside(work),
    },
    end() {
      for (const cancel of [...cancels]) cancel();
      cancels.clear();
    },
  };
}

/** What a runner sees of the world until its death. */
export interface Life {
  readonly store: Store;
  readonly clock: Clock;
  /** Resolves at its death. */
  readonly ended: Promise<undefined>;
  isEnded(): boolean;
  end(): void;
}

/** A runner's view of the store and the clock, which can end. */
export function createLife(
  shared: SharedStore,
  clock: FakeClock,
  { isolate, wrote }: {
    readonly isolate: string | undefined;
    readonly wrote: (method: string, end: () => void) => void;
  },
): Life {
  let hasEnded = false;
  const { promise: ended, resolve } = Promise.withResolvers<undefined>();
  const isEnded = (): boolean => hasEnded;
  const mortal = mortalClock(clock, isEnded);
  return {
    store: shared.party({ isDead: isEnded, wrote: (method) => wrote(method, end), isolate }),
    clock: mortal.clock,
    ended,
    isEnded,
    end,
  };

  function end(): void {
    hasEnded = true;
    mortal.end();
    resolve(undefined);
  }
}

function never(): Promise<never> {
  return new Promise(() => {});
}
