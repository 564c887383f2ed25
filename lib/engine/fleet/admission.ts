/**
 * Admits claimed runs: those that this runner can continue are loaded into memory, the others are handed back with the
 * reason.
 *
 * @module
 */
import { setImmediate } from "node:timers/promises";
import type { Logger } from "../../logger.ts";
import type { ClaimedRun, RunMove } from "../../store/port/batch.ts";
import { isCorruptRow } from "../../store/shared/corrupt_row.ts";
import type { Store } from "../../store/port/store.ts";
import { type Arrivals, readArrivals } from "../children/arrivals.ts";
import type { Catalog, StoredDefinition } from "../catalog.ts";
import type { Committer } from "../commit/committer.ts";
import { whyIncompatible, whyRemoved } from "./compatibility.ts";
import { canRunBeside, RECHECK_MS } from "./crash_quarantine.ts";
import type { Observer } from "../telemetry/engine_events.ts";
import { thrownText } from "../errors/error_record.ts";
import type { Executor } from "../execution/executor_options.ts";
import { logFailedCall } from "../errors/failed_call.ts";
import type { ChildOutcomes } from "../children/child_outcomes.ts";
import { receiveChildren, recordedChildWaits } from "../children/child_runs.ts";
import { compensatingRun } from "../runs/compensation.ts";
import { restoredRun } from "../runs/restored_run.ts";
import { receiveEarly } from "../runs/run_messages.ts";
import type { RunReader } from "../reading/run_reader.ts";

/** A claimed run with the messages to its tasks, and with the ends of its child runs. */
export interface ResumedRun extends ClaimedRun, Arrivals {}

/** After so many runs were loaded the event loop turns. */
const LOADED_AT_ONCE = 32;

/** Admits claimed runs. */
export interface Admission {
  /**
   * Admits runs, each by itself: a problem of one does not concern the others. Runs that are not owned any more once
   * their definitions are read are left to their next owner.
   */
  admit(runs: readonly ClaimedRun[], isOwned: () => boolean): Promise<void>;
}

/** What admission needs of its runner. */
export interface AdmissionOptions {
  readonly catalog: Catalog;
  /** Reads messages. */
  readonly store: Pick<Store, "messages">;
  /** Reads how child runs have ended. */
  readonly children: ChildOutcomes;
  /** Reads the definition that a run was started with. */
  readonly definition: RunReader["definition"];
  readonly committer: Committer;
  readonly logger: Logger;
  /** The store's time. */
  readonly now: () => number;
  /** A run is given up after so many runners died with it. */
  readonly recoveryLimit: number;
  readonly executor: Executor;
  /** Whether the runner stops: then claimed runs are handed back with all others that it owns. */
  readonly isStopping: () => boolean;
  readonly emit: Observer;
}

/** An admission without runs. */
export function createAdmission(options: AdmissionOptions): Admission {
  const { store, catalog, committer, executor, logger, now } = options;
  /** Why a definition could not be read the last time. */
  let unread: string | undefined;
  return {
    async admit(runs, isOwned) {
      // Until they are in memory, so that a claim in between leaves them their places.
      executor.reserve(runs.length);
      const admitted = await withoutQuarantined(runs);
      for (let from = 0; from < admitted.length; from += LOADED_AT_ONCE) {
        if (from > 0) await setImmediate();
        await admitSome(admitted.slice(from, from + LOADED_AT_ONCE), isOwned);
      }
    },
  };

  async function admitSome(runs: readonly ClaimedRun[], isOwned: () => boolean): Promise<void> {
    let resumed: readonly ResumedRun[];
    try {
      resumed = await withArrivals(runs);
    } catch (error) {
      const message = `Cannot read the messages of ${runs.length} claimed runs; they are released and claimed again`;
      logFailedCall(logger, message, error);
      executor.unreserve(runs.length);
      await Promise.all(runs.map(postpone));
      return;
    }
    for (const run of resumed) {
      executor.unreserve(1);
      if (!options.isStopping() && isOwned()) await admitOne(run, isOwned);
    }
  }

  async function withArrivals(runs: readonly ClaimedRun[]): Promise<readonly ResumedRun[]> {
    const addressees = runs.map((run) => ({ ...run, childWaits: recordedChildWaits(run) }));
    const arrivalsOf = await readArrivals(addressees, { messages: store.messages, children: options.children });
    return runs.map((run) => ({ ...run, ...arrivalsOf(run.seq) }));
  }

  async function admitOne(run: ResumedRun, isOwned: () => boolean): Promise<void> {
    const plan = catalog.get(run.workflow);
    const version = plan?.workflow.version ?? run.version;
    try {
      if (plan === undefined) return park(run, version, "its workflow is not registered");
      let before: StoredDefinition | undefined;
      if (run.version !== version && run.journal.length > 0) {
        try {
          before = await options.definition(run);
        } catch (error) {
          if (isCorruptRow(error)) throw error;
          return await postponeUnread(run, error);
        }
      }
      const problem = run.version === version ? whyRemoved(run, plan) : whyIncompatible(run, plan, before);
      unread = undefined;
      if (!isOwned()) return;
      if (problem !== undefined) return park(run, version, problem);
      const live = run.ending === undefined ? restoredRun(plan, run) : compensatingRun(plan, run, run.ending);
      receiveEarly(live, run.messages);
      receiveChildren(live, run.outcomes);
      executor.adopt(live);
    } catch (error) {
      // Parked and not handed back as it is: it would be claimed again at once, for ever.
      logger.error(`Cannot load run "${run.id}"; it is parked`, { error: String(error) });
      park(run, version, "its definition cannot be read");
    }
  }

  /** Hands back a run whose definition the store did not return, through no fault of the run. Logged once for each reason. */
  async function postponeUnread(run: ResumedRun, error: unknown): Promise<void> {
    const reason = thrownText(error);
    const message =
      `Cannot read the definition of run "${run.id}" and maybe others; they are released and claimed again`;
    if (reason !== unread) logFailedCall(logger, message, error);
    unread = reason;
    await postpone(run);
  }

  /**
   * Hands back runs that have to wait because runners died with them before. That is durable before one of the others may
   * bring this process down.
   */
  async function withoutQuarantined(runs: readonly ClaimedRun[]): Promise<readonly ClaimedRun[]> {
    if (runs.every(({ crashes }) => crashes === 0)) return runs;
    const held = [...executor.crashes];
    const admitted: ClaimedRun[] = [];
    const postponed: Promise<void>[] = [];
    for (const run of runs) {
      if (canRunBeside(run.crashes, held, options.recoveryLimit)) {
        held.push(run.crashes);
        admitted.push(run);
        continue;
      }
      executor.unreserve(1);
      postponed.push(postpone(run));
    }
    await Promise.all(postponed);
    return admitted;
  }

  function postpone(run: ClaimedRun): Promise<void> {
    const dueAt = now() + RECHECK_MS;
    options.emit({ type: "capacityReleased", dueAt });
    return handBack(run, { to: "waiting", dueAt, release: true });
  }

  function park(run: ClaimedRun, by: string, reason: string): void {
    logger.warn(
      `Run "${run.id}" of workflow "${run.workflow}" is parked: version ${by} cannot continue it (${reason})`,
    );
    void handBack(run, { to: "stranded", by, reason });
    options.emit({ type: "runParked", run, reason });
  }

  function handBack({ id, seq, epoch }: Pick<ClaimedRun, "id" | "seq" | "epoch">, move: RunMove): Promise<void> {
    return new Promise((resolve) => {
      committer.write({ seq, epoch, records: [], move, isSent: false, onResult: done, onDropped: done });

      function done(): void {
        options.emit({ type: "runChanged", runId: id });
        resolve();
      }
    });
  }
}
