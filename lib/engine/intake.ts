/**
 * Takes in what was claimed: runs that this runner can carry on come into memory, the others go back to the store with
 * the reason why.
 *
 * @module
 */
import type { Logger } from "../logger.ts";
import type { ClaimedRun, JournalRecord, OutputsRequest, RecordHead, RunMove } from "../store/batch.ts";
import type { Store } from "../store/port.ts";
import type { Catalog } from "./catalog.ts";
import { whyIncompatible } from "./compatibility.ts";
import { canRunBeside, RECHECK_MS } from "./crash_quarantine.ts";
import type { Observer } from "./engine_events.ts";
import type { Outbox } from "./outbox.ts";
import type { Plan } from "./plan.ts";
import type { RunReader } from "./run_reader.ts";

/** A claimed run with all that its journal holds. */
export interface ResumedRun extends Omit<ClaimedRun, "journal"> {
  /** Its journal, with outputs. */
  readonly journal: readonly JournalRecord[];
}

// So many runs are brought into memory at once: their outputs are one question to the store.
const LOADED_RUNS = 32;

/** Takes in claimed runs. */
export interface Intake {
  /** Runs that were claimed and are neither in memory nor on their way back. */
  readonly size: number;
  /**
   * Takes in runs, each by itself: what is wrong with one changes nothing for the others. Runs that are no longer owned
   * once their outputs and definitions are read are left to their next owner.
   */
  take(runs: readonly ClaimedRun[], isOwned: () => boolean): Promise<void>;
}

/** What an intake needs of its runner. */
export interface IntakeOptions {
  readonly catalog: Catalog;
  /** Reads outputs. */
  readonly store: Pick<Store, "outputs">;
  /** Reads the definition that a run was started with. */
  readonly definition: RunReader["definition"];
  readonly outbox: Outbox;
  readonly logger: Logger;
  /** The store's time. */
  readonly now: () => number;
  /** A run is given up after so many runners died with it. */
  readonly recoveryLimit: number;
  /** With how many crashes the runs in memory have come. */
  readonly held: () => readonly number[];
  /** What is claimed while the runner stops goes back with all that it still owns. */
  readonly isStopping: () => boolean;
  /** A run comes into memory. */
  readonly bringIn: (plan: Plan, run: ResumedRun) => void;
  /** One that went back is due again at that time. */
  readonly expect: (dueAt: number) => void;
  /** Receives what happens to runs that are not admitted. */
  readonly emit: Observer;
}

/** An intake into which nothing has come. */
export function createIntake(options: IntakeOptions): Intake {
  const { store, catalog, outbox, logger, now } = options;
  let size = 0;
  return {
    get size() {
      return size;
    },
    async take(runs, isOwned) {
      // Counted until they are in memory: a claim in between must not ask for their places again.
      size += runs.length;
      const turns = await sift(runs);
      for (let from = 0; from < turns.length; from += LOADED_RUNS) {
        await takeSome(turns.slice(from, from + LOADED_RUNS), isOwned);
      }
    },
  };

  async function takeSome(runs: readonly ClaimedRun[], isOwned: () => boolean): Promise<void> {
    let resumed: readonly ResumedRun[];
    try {
      resumed = await withOutputs(runs);
    } catch (error) {
      logger.error("Cannot read the outputs of runs that were claimed; they are claimed again", {
        error: String(error),
      });
      const dueAt = now() + RECHECK_MS;
      size -= runs.length;
      await Promise.all(runs.map((run) => giveBack(run, { to: "waiting", dueAt, release: true })));
      return options.expect(dueAt);
    }
    for (const run of resumed) {
      size--;
      if (!options.isStopping() && isOwned()) await takeOne(run, isOwned);
    }
  }

  async function withOutputs(runs: readonly ClaimedRun[]): Promise<readonly ResumedRun[]> {
    const requests = runs.flatMap(outputsOf);
    const outputs = new Map<string, string>();
    for (const { seq, output, ...head } of requests.length === 0 ? [] : await store.outputs(requests)) {
      outputs.set(keyOf(seq, head), output);
    }
    return runs.map((run) => ({
      ...run,
      journal: run.journal.map((head) => ({ ...head, output: outputs.get(keyOf(run.seq, head)) })),
    }));
  }

  async function takeOne(run: ResumedRun, isOwned: () => boolean): Promise<void> {
    const plan = catalog.get(run.workflow);
    const version = plan?.workflow.version ?? run.version;
    try {
      if (plan === undefined) return strand(run, version, "its workflow is not registered");
      const isAsItBegan = run.version === version || run.journal.length === 0;
      const problem = isAsItBegan ? undefined : await whyNot(run, plan);
      if (!isOwned()) return;
      if (problem === undefined) options.bringIn(plan, run);
      else strand(run, version, problem);
    } catch (error) {
      // Not handed back as it is: it would be claimed again at once, for ever.
      logger.error(`Cannot take up run "${run.id}"`, { error: String(error) });
      strand(run, version, "its definition cannot be read");
    }
  }

  /** Those whose turn it is; the others have gone back, durably, before one of these may take this process down. */
  async function sift(runs: readonly ClaimedRun[]): Promise<readonly ClaimedRun[]> {
    if (runs.every(({ crashes }) => crashes === 0)) return runs;
    const held = [...options.held()];
    const turns: ClaimedRun[] = [];
    const gone: Promise<void>[] = [];
    for (const run of runs) {
      if (canRunBeside(run.crashes, held, options.recoveryLimit)) {
        held.push(run.crashes);
        turns.push(run);
        continue;
      }
      size--;
      const dueAt = now() + RECHECK_MS;
      gone.push(giveBack(run, { to: "waiting", dueAt, release: true }));
      options.expect(dueAt);
    }
    await Promise.all(gone);
    return turns;
  }

  async function whyNot(run: ResumedRun, plan: Plan): Promise<string | undefined> {
    return whyIncompatible(run, plan, await options.definition(run));
  }

  function strand(run: ResumedRun, by: string, reason: string): void {
    logger.warn(`Run "${run.id}" of workflow "${run.workflow}" cannot go on with version ${by}: ${reason}`);
    void giveBack(run, { to: "stranded", by, reason });
    options.emit({ type: "runParked", run, reason });
  }

  function giveBack({ id, seq, epoch }: Pick<ClaimedRun, "id" | "seq" | "epoch">, move: RunMove): Promise<void> {
    return new Promise((resolve) => {
      outbox.write({ seq, epoch, records: [], move, sent: false, settled, dropped: settled });

      function settled(): void {
        options.emit({ type: "runChanged", runId: id });
        resolve();
      }
    });
  }
}

/** What to read of a run's outputs: those of all tasks and steps that completed. */
function outputsOf({ seq, journal }: ClaimedRun): readonly OutputsRequest[] {
  const requests = new Map<string, OutputsRequest>();
  for (const { task, step, state } of journal) {
    if (state !== "completed") continue;
    const of = step === "" ? "results" : "steps";
    requests.set(`${of} ${task}`, { seq, task, of });
  }
  return [...requests.values()];
}

function keyOf(seq: number, { task, item, step }: Pick<RecordHead, "task" | "item" | "step">): string {
  return JSON.stringify([seq, task, item, step]);
}
