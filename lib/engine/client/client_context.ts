import type { Clock } from "../../clock.ts";
import { createIds, type NewId } from "../../ids.ts";
import type { Logger } from "../../logger.ts";
import type { Admit } from "../limits/admit_runs.ts";
import type { Store } from "../../store/port/store.ts";
import { type Catalog, catalogOf } from "../catalog.ts";
import { createRunWatcher, type RunWatcher } from "./run_watcher.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { type ClientSettings, clientSettings } from "../options.ts";
import type { Insert } from "./client_starts.ts";
import { noEntries, type ScheduleEntries } from "../schedules/entries.ts";
import { createRunReader, type RunReader } from "../reading/run_reader.ts";
import type { RunnerStats } from "../telemetry/stats.ts";

/** The parts of a client or runner that its methods, its handles and the inspector share. */
export interface ClientContext {
  /** The store of the runs. */
  readonly store: Store;
  /** The workflows that can be started. */
  readonly catalog: Catalog;
  /** Notifies waiters of the ends and changes of runs. */
  readonly watcher: RunWatcher;
  /** Reads runs from the store. */
  readonly reader: RunReader;
  /** Timers run on this clock. */
  readonly clock: Clock;
  /** Receives log lines. */
  readonly logger: Logger;
  /** The largest input, in bytes of JSON. */
  readonly maxPayloadBytes: number;
  /** Makes the id of a new run. */
  readonly newId: NewId;
  /** Returns the trace context of the caller, as text that is stored with a new run. */
  readonly currentTrace: () => string | undefined;
  /** Inserts runs in one commit. */
  readonly insert: Insert;
  /** Admits runs that were inserted and have limits; resolves with the limits that refused some of them, by id. */
  readonly admit: Admit;
  /**
   * Called after a write that did not pass through the committer: runs may have become due, or orders may stand. Resolves
   * when the runner of this context has applied the orders; at once for a client.
   */
  readonly applyChanges: () => Promise<void>;
  /** The schedules that the client or runner was given. */
  readonly schedules: ScheduleEntries;
  /** Called after a write of a schedule by this process: its runner looks at it at once. */
  readonly lookAtSchedule: (name: string) => void;
  /** The runner of this context; `undefined` for a client. */
  readonly runner: LocalRunner | undefined;
}

/** What a context knows of its runner. */
export interface LocalRunner {
  /** Returns its number in the store, which changes when its lease is lost. */
  id(): number;
  /** Whether it has the run with a number in memory, and so will report its end or the loss of it. */
  holds(seq: number): boolean;
  /** Returns how busy it is. */
  load(): RunnerStats;
  /** Returns a copy of its counters. */
  metrics(): Metrics;
  /** Whether a task of a run is ready and waits for a slot for its body. */
  isQueued(runId: string, taskId: string): boolean;
}

/** What a context consists of, in addition to the options of the client or runner. */
export interface ClientContextParts
  extends Pick<ClientContext, "store" | "catalog" | "insert" | "admit" | "schedules"> {
  /** @default {() => Promise.resolve()} */
  readonly applyChanges?: ClientContext["applyChanges"];
  /** @default {undefined} a client */
  readonly runner?: LocalRunner;
  /** @default {() => {}} */
  readonly lookAtSchedule?: ClientContext["lookAtSchedule"];
  /** Reads runs; a runner shares it with its parts. @default {createRunReader(store, catalog)} */
  readonly reader?: RunReader;
  /** Returns the ids of the runs that this process owns. @default {() => new Set()} */
  readonly ownRuns?: () => ReadonlySet<string>;
}

/** Creates the context of a client or runner. */
export function createClientContext(
  { clock, logger, maxPayloadBytes, tracing }: ClientSettings,
  { store, catalog, schedules, insert, admit, ...parts }: ClientContextParts,
): ClientContext {
  const { applyChanges = () => Promise.resolve(), lookAtSchedule = () => {}, runner, ownRuns, reader } = parts;
  return {
    store,
    catalog,
    watcher: createRunWatcher(store, { clock, logger, ownRuns }),
    reader: reader ?? createRunReader(store, catalog),
    clock,
    logger,
    maxPayloadBytes,
    newId: createIds(),
    currentTrace: tracing?.currentContext ?? (() => undefined),
    insert,
    admit,
    applyChanges,
    schedules,
    lookAtSchedule,
    runner,
  };
}

/** Creates a context that reads a bare store; `insert` rejects with a `TypeError`. */
export function createReadOnlyContext(store: Store, logger: Logger): ClientContext {
  const refusal = "Cannot start a run: this context is read-only; start it with a client or a runner";
  const insert = (): Promise<never> => Promise.reject(new TypeError(refusal));
  return createClientContext({ ...clientSettings({}), logger }, {
    store,
    catalog: catalogOf([]),
    schedules: noEntries(),
    insert,
    admit: insert,
  });
}

/** Registered for the whole process: two copies of this library, such as one per bundle, find each other's contexts. */
const CONTEXT = Symbol.for("@sluice/sluice/context");

/** Attaches a context to the client or runner object that `contextOf` is called with; returns that object. */
export function withContext<C extends object>(context: ClientContext, client: C): C {
  return Object.defineProperty(client, CONTEXT, { value: context });
}

/** Returns the context of a client or runner; `undefined` for any other object. */
export function contextOf(client: object): ClientContext | undefined {
  // Only `withContext` sets a property of this symbol.
  return (client as { readonly [CONTEXT]?: ClientContext })[CONTEXT];
}

/**
 * Returns the context of a runner or client, or creates one for a store.
 *
 * @throws {TypeError} If it is none of these; the message begins with `action`.
 */
export function contextFor(
  target: object,
  { logger, action }: { readonly logger: Logger; readonly action: string },
): ClientContext {
  const isObject = typeof target === "object" && target !== null;
  const context = isObject ? contextOf(target) : undefined;
  if (context !== undefined) return context;
  if (isObject && "inspection" in target && "now" in target) return createReadOnlyContext(target as Store, logger);
  throw new TypeError(`${action}: the target must be a runner, a client or an open store`);
}

/** Returns what a runner has counted since it was opened; `undefined` for any object that is not a runner. */
export function metricsOf(runner: object): Metrics | undefined {
  return contextOf(runner)?.runner?.metrics();
}
