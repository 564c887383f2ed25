import { ShutdownError } from "../../errors.ts";
import type { ScheduleRow, ScheduleVerdict } from "../../store/port/schedules.ts";
import type { ClientContext } from "../client/client_context.ts";
import type { Observer } from "../telemetry/engine_events.ts";
import { logFailedCall } from "../errors/failed_call.ts";
import { type Advance, advance } from "./advance.ts";
import { checkPoll } from "./check_poll.ts";
import type { PollEntry, ScheduleEntry } from "./entries.ts";
import { reconcile } from "./reconcile.ts";
import { createScheduler, type Look, type Scheduler, type Step } from "./scheduler.ts";

/** Registers the schedules of a runner, and fires them until it is stopped. */
export async function startScheduling(context: ClientContext, emit: Observer): Promise<Scheduler> {
  const { store, clock, logger, watcher, newId, maxPayloadBytes } = context;
  const entries = context.schedules.byName;
  const served = new Set(context.catalog.served.map(({ workflow }) => workflow));
  const superseded = new Set<string>();
  const stopped = new AbortController();
  const firstLooks = await reconcile({ store, entries, served });
  await warnOfUnserved(context, served);
  return createScheduler({
    store,
    clock,
    logger,
    firstLooks,
    prepare,
    waitForEnd: (runId) => watcher.waitForEnd(runId),
    stopping: () => stopped.abort(new ShutdownError("The runner stops; another one checks again")),
  });

  function prepare(row: ScheduleRow): Step | Promise<Step> {
    const entry = entries.get(row.name)!;
    if (row.state !== "active") return { write: undefined, next: { at: undefined } };
    if (row.definition !== entry.definition) {
      warnOfOther(row.name);
      return { write: undefined, next: { at: undefined } };
    }
    superseded.delete(row.name);
    if (entry.kind === "poll") {
      const isDue = row.nextAt !== undefined && row.nextAt <= store.now();
      return isDue ? check(entry, row) : { write: undefined, next: { at: row.nextAt } };
    }
    const advanced = advance(entry, row, { now: store.now(), newId, maxPayloadBytes });
    return advanced instanceof Promise
      ? advanced.then((advanced) => stepOf(entry, row, advanced))
      : stepOf(entry, row, advanced);
  }

  async function check(entry: PollEntry, row: ScheduleRow): Promise<Step> {
    const { name, workflow } = row;
    const checked = await checkPoll(entry, row, { context, stopped: stopped.signal });
    if (checked === undefined) return { write: undefined, next: { at: store.now() } };
    const { write, error, isAborted, checkedMs } = checked;
    return {
      write,
      next: { at: write.nextAt },
      done(verdict) {
        // The lease was over before the check returned: another runner checks again.
        if (verdict.kind === "conflict") {
          emit({ type: "checkDropped", schedule: name, workflow });
          logger.warn(
            `The check of poll "${name}" took too long: its result is dropped, and another runner checks again`,
          );
          return;
        }
        if (error !== undefined) {
          logger.error(`The check of poll "${name}" failed: ${error}; checking again in ${entry.schedule.everyMs} ms`);
          const failure = { schedule: name, workflow, tick: undefined, message: error, retryAt: write.nextAt };
          emit({ type: "scheduleFailed", failure });
        }
        // Another runner repeats a check that this one has aborted.
        if (isAborted) return;
        const runIds = [...verdict.inserted];
        const isFailed = error !== undefined;
        emit({ type: "pollChecked", schedule: name, workflow, runIds, isFailed, ms: checkedMs });
      },
    };
  }

  function stepOf(entry: ScheduleEntry, row: ScheduleRow, advanced: Advance): Step | Promise<Step> {
    const { write, cancels } = advanced;
    const next: Look = {
      at: write.nextAt,
      waitsFor: advanced.after.queue.length > 0 && entry.rule.overlap !== "allow" ? write.lastRun : undefined,
    };
    if (write.runs.length === 0 && write.progress === JSON.stringify(advanced.before)) {
      return { write: undefined, next };
    }
    const step: Step = { write, next, done: (verdict) => report(entry, advanced, verdict) };
    return cancels === undefined ? step : cancelBefore(row, cancels, step);
  }

  async function cancelBefore({ name }: ScheduleRow, runId: string, step: Step): Promise<Step> {
    try {
      await store.control(runId, { kind: "cancel", reason: `a later tick of schedule "${name}" is due` });
    } catch (error) {
      logFailedCall(logger, `Cannot cancel the previous run of schedule "${name}"; retrying`, error);
      return { write: undefined, next: { at: store.now() + 1_000 } };
    }
    void context.applyChanges();
    return step;
  }

  function report(
    entry: ScheduleEntry,
    { write, before, after, errors, lateMs }: Advance,
    verdict: ScheduleVerdict,
  ): void {
    if (verdict.kind === "conflict") return;
    const { name, workflow } = write;
    const runs = write.runs.filter(({ id }) => verdict.inserted.has(id)).map(({ id, schedule }) => ({
      id,
      tick: schedule!.tick!,
      lateMs: lateMs.get(id)!,
    }));
    for (const { tick, message } of errors) {
      const retryAt = after.retry?.tick === tick ? after.retry.at : undefined;
      const then = retryAt === undefined ? "the tick is dropped" : `retrying at ${new Date(retryAt).toISOString()}`;
      logger.error(
        `Cannot start the run of schedule "${name}" for ${new Date(tick).toISOString()}: ${message}; ${then}`,
      );
      emit({ type: "scheduleFailed", failure: { schedule: name, workflow, tick, message, retryAt } });
    }
    emit({
      type: "scheduleAdvanced",
      advance: {
        schedule: name,
        workflow: entry.plan.workflow.name,
        runs,
        overlapped: after.overlapped - before.overlapped,
        missed: after.missed - before.missed,
        failed: after.failed - before.failed,
        lost: after.lost.filter((tick) => !before.lost.includes(tick)),
      },
    });
  }

  function warnOfOther(name: string): void {
    if (superseded.has(name)) return;
    superseded.add(name);
    logger.warn(
      `Schedule "${name}" was registered with another definition by another runner; this runner does not change it`,
    );
  }
}

async function warnOfUnserved({ store, logger, schedules }: ClientContext, served: ReadonlySet<string>): Promise<void> {
  const unserved = new Set([...schedules.byName.values()].map(({ plan }) => plan.workflow.name));
  for (const name of served) unserved.delete(name);
  if (unserved.size === 0) return;
  const now = store.now();
  for (const runner of await store.runners()) {
    if (runner.leaseUntil > now) { for (const { workflow } of runner.served) unserved.delete(workflow); }
  }
  for (const name of unserved) {
    logger.warn(`No live runner executes workflow "${name}", which schedules start; its runs wait for one`);
  }
}
