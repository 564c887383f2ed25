/** Requests to cancel, pause and resume a run, or many runs, from outside. */
import { type Checks, shown } from "../../definition/checks.ts";
import { RunNotFoundError, RunStateError } from "../../errors.ts";
import type { Acknowledgement, ControlledRun, ControlRequest } from "../../store/port/control.ts";
import type { RunSelection } from "../../store/port/listing.ts";
import { textProblem } from "../../text_limits.ts";
import type { ClientContext } from "./client_context.ts";
import { livenessOf, thisIsolate } from "../fleet/process_liveness.ts";
import { recoveredRuns } from "../commit/recovered_runs.ts";
import { isOver } from "../reading/run_reader.ts";

/** How long changes of runs that other processes own wait to be applied there. */
const ACKNOWLEDGE_MS = 1_000;

/**
 * Changes a run from outside.
 *
 * @throws {RunNotFoundError} If the run does not exist.
 * @throws {RunStateError} If the run has ended.
 */
export async function controlRun(context: ClientContext, id: string, request: ControlRequest): Promise<void> {
  const result = await context.store.control(id, request);
  const isChanged = result.kind === "done";
  const applied = applyChanged(context, isChanged ? [{ id, ...result }] : []);
  if (result.kind === "unknown") throw new RunNotFoundError(id);
  if (result.kind === "ended") throw new RunStateError(request.kind, id, result.state);
  await acknowledged(context, await applied);
}

/**
 * Changes those of the selected runs that match; returns how many. `mayWait` says whether owners in other processes are
 * waited for, and `isApplied` of the result whether all of them have applied the changes in time.
 */
export async function controlMany(
  context: ClientContext,
  selection: RunSelection,
  { request, mayWait }: { readonly request: ControlRequest; readonly mayWait: boolean },
): Promise<{ readonly changed: number; readonly isApplied: boolean }> {
  const runs = await context.store.controlMany(selection, request);
  const foreign = await applyChanged(context, runs);
  return { changed: runs.length, isApplied: mayWait && await acknowledged(context, foreign) };
}

/** Checks the options of a cancel. */
export function cancelRequest(
  { reason, compensate }: { readonly reason: unknown; readonly compensate: unknown },
  checks: Checks,
): ControlRequest {
  if (compensate !== undefined && typeof compensate !== "boolean") {
    checks.report(`compensate must be true or false, not ${shown(compensate)}`);
  }
  const request = { kind: "cancel", reason: checkReason(reason, checks) } as const;
  return compensate === false ? { ...request, compensate } : request;
}

/** Checks the reason of a cancel or a pause. */
export function checkReason(reason: unknown, checks: Checks): string | undefined {
  if (reason === undefined) return undefined;
  const problem = typeof reason === "string" ? textProblem(reason, "reason") : `must be a string, not ${shown(reason)}`;
  if (problem !== undefined) checks.report(`the reason ${problem}`);
  return String(reason);
}

/**
 * Applies changes to what is in memory here, and returns those that owners in other processes have to apply. When it
 * resolves, runs of this process are paused or cancelled: none of their tasks may start.
 */
async function applyChanged(
  context: ClientContext,
  runs: readonly ControlledRun[],
): Promise<readonly Acknowledgement[]> {
  const applied = context.applyChanges();
  for (const { id, state } of runs) if (isOver(state)) context.watcher.reportStoredEnd(id);
  await applied;
  const own = context.runner?.id();
  return runs.filter(({ owner }) => owner !== undefined && owner !== own);
}

/**
 * Waits until the owners in other processes have applied changes; returns whether they have. A body that an owner starts
 * in the meantime starts before the call resolves. An owner that does not acknowledge a change is suspended or dead. If
 * the operating system says that it is dead, its runs are recovered, which applies the change. Otherwise the next owner
 * of the run applies it: the change is durable.
 */
async function acknowledged(context: ClientContext, changes: readonly Acknowledgement[]): Promise<boolean> {
  const { store, clock, logger } = context;
  // A clock that is moved by hand stands still while this waits.
  if (changes.length === 0 || clock.outside !== undefined) return true;
  const endsAt = performance.now() + ACKNOWLEDGE_MS;
  try {
    for (let ms = 1; !await store.areAcknowledged(changes); ms = Math.min(ms * 2, 50)) {
      if (performance.now() >= endsAt) return await recoverDead(context) && await store.areAcknowledged(changes);
      await new Promise<void>((resolve) => void clock.after(ms, resolve));
    }
  } catch (error) {
    const [{ id } = { id: "" }] = changes;
    logger.warn(`Cannot read whether the owners of run "${id}" and others have applied a change`, {
      error: String(error),
    });
  }
  return true;
}

/** Recovers the runs of runners whose processes on this host have ended; returns whether there were any. */
async function recoverDead({ store, logger }: ClientContext): Promise<boolean> {
  const self = thisIsolate();
  const runners = await store.runners();
  const dead = runners.filter((runner) => livenessOf(runner, self) === "dead").map(({ id }) => id);
  if (dead.length === 0) return false;
  const alive = runners.map(({ id }) => id).filter((id) => !dead.includes(id));
  await Array.fromAsync(recoveredRuns(store, logger, { dead, alive, recoveryLimit: Infinity }));
  return true;
}
