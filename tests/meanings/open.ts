/**
 * Opens runners for the tests of this folder: on a store of their own, on a clock that is moved by hand, and without
 * anything left behind at the end of the scope.
 */
import {
  type AnyWorkflow,
  type Client,
  type ClientOptions,
  createClient,
  createRunner,
  type RunEvent,
  type Runner,
  type RunnerOptions,
} from "../../mod.ts";
import { createFakeClock, type FakeClock } from "../../lib/testing/mod.ts";
import { emptyStore } from "../empty_store.ts";

/** A line that a runner logged. */
export interface Line {
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A runner, and what belongs to it. */
export interface Opened<W extends AnyWorkflow> extends AsyncDisposable {
  readonly runner: Runner<W>;
  readonly clock: FakeClock;
  /** The events that `onEvent` received. */
  readonly events: RunEvent[];
  /** The lines that the logger received. */
  readonly lines: Line[];
  /** Another runner on the same store, which must be a shared one. */
  another<const V extends AnyWorkflow>(
    workflows: readonly V[],
    options?: Omit<RunnerOptions<V>, "workflows">,
  ): Promise<Runner<V>>;
  /** A client of the same store. */
  client<const V extends AnyWorkflow>(workflows: readonly V[], options?: ClientOptions<V>): Promise<Client<V>>;
}

/** Options of `open` in addition to those of a runner. */
export interface OpenOptions<W extends AnyWorkflow> extends Omit<RunnerOptions<W>, "workflows"> {
  /** Whether others will open the same store. @default {false} */
  readonly shared?: boolean;
}

/** Opens a runner. */
export async function open<const W extends AnyWorkflow>(
  workflows: readonly W[],
  { shared = false, ...options }: OpenOptions<W> = {},
): Promise<Opened<W>> {
  const store = emptyStore(shared ? "shared" : "memory");
  const clock = createFakeClock();
  const events: RunEvent[] = [];
  const lines: Line[] = [];
  const write = (level: string) => (message: string, fields = {}): void => void lines.push({ level, message, fields });
  const logger = { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
  // What a commit survives is not what these tests are about.
  const common = { clock, logger, durability: "process", ...store.options } as const;
  const stops: (() => Promise<void>)[] = [];
  const keep = <T extends { stop(): Promise<void> }>(opened: T): T => {
    stops.unshift(() => opened.stop());
    return opened;
  };
  return {
    runner: keep(
      await createRunner(store.url, { onEvent: (event) => void events.push(event), ...common, ...options, workflows }),
    ),
    clock,
    events,
    lines,
    another: async (workflows, options) => keep(await createRunner(store.url, { ...common, ...options, workflows })),
    client: async (workflows, options) => keep(await createClient(store.url, { ...common, ...options, workflows })),
    async [Symbol.asyncDispose]() {
      // Bodies that never settle are waited for, on a clock that would otherwise stand still.
      for (const stop of stops) await clock.until(stop());
      await store[Symbol.asyncDispose]();
    },
  };
}

/** Rejects with the signal's reason once it aborts: a body that heeds its signal. */
export function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

/** A body that never settles, whatever happens. */
export function never(): Promise<never> {
  return new Promise(() => {});
}
