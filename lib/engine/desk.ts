import type { Clock } from "../clock.ts";
import type { Logger } from "../logger.ts";
import type { StartVerdict } from "../store/batch.ts";
import type { Store } from "../store/port.ts";
import { type Catalog, catalogOf } from "./catalog.ts";
import { createHub, type Hub } from "./hub.ts";
import { type ClientSettings, clientSettings } from "./options.ts";
import { createReader, type Reader } from "./reading.ts";
import type { Starting } from "./start.ts";
import type { RunnerStats } from "./stats.ts";

/** What handles, clients and runners share over one store. */
export interface Desk {
  /** The store. */
  readonly store: Store;
  /** The workflows that can be started. */
  readonly catalog: Catalog;
  /** Who waits for which run. */
  readonly hub: Hub;
  /** Reads runs. */
  readonly reader: Reader;
  /** Timers run on it. */
  readonly clock: Clock;
  /** Where messages go. */
  readonly logger: Logger;
  /** The largest input, in bytes of JSON. */
  readonly maxPayloadBytes: number;
  /** Where the caller is in a trace. */
  readonly here: () => string | undefined;
  /** Inserts runs, in one commit. */
  readonly insert: (runs: readonly Starting[]) => Promise<readonly StartVerdict[]>;
  /** Whether a task waits, in this process, for one of the places for bodies. */
  readonly isQueued: (runId: string, taskId: string) => boolean;
  /** The runner's own number and load; `undefined` for a client. */
  readonly runner: (() => { readonly id: number; readonly load: RunnerStats }) | undefined;
  /** Something was changed past the outbox: runs may be due, or orders stand. Resolves when this process obeys these. */
  readonly changed: () => Promise<void>;
}

/** A desk over a store. */
export function createDesk(
  store: Store,
  catalog: Catalog,
  { clock, logger, maxPayloadBytes, tracing }: ClientSettings,
  ways: Pick<Desk, "insert" | "changed" | "isQueued" | "runner"> & { readonly own?: () => ReadonlySet<string> },
): Desk {
  const { own, ...rest } = ways;
  const hub = createHub(store, clock, logger, own);
  const here = tracing?.here ?? (() => undefined);
  return { store, catalog, hub, reader: createReader(store, catalog), clock, logger, maxPayloadBytes, here, ...rest };
}

/** A desk for looking at a store that nobody carries runs of here. */
export function detachedDesk(store: Store, logger: Logger): Desk {
  const refuse = (): never => {
    throw new TypeError("Cannot start a run here: this only reads");
  };
  const settings = { ...clientSettings({}), logger };
  return createDesk(store, catalogOf([]), settings, {
    insert: refuse,
    changed: () => Promise.resolve(),
    isQueued: () => false,
    runner: undefined,
  });
}

const desks = new WeakMap<object, Desk>();

/** Lets `deskOf()` find the desk of a client or runner; answers that. */
export function atDesk<C extends object>(desk: Desk, client: C): C {
  desks.set(client, desk);
  return client;
}

/** The desk of a client or runner; `undefined` if it is none. */
export function deskOf(client: object): Desk | undefined {
  return desks.get(client);
}
