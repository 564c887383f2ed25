/**
 * Advances one schedule: decides about its due ticks, computes the inputs of those that start runs, and returns what is
 * to be written.
 *
 * @module
 */
import type { NewId } from "../../ids.ts";
import type { NewRun } from "../../store/port/batch.ts";
import type { RunLimits } from "../../store/port/limits.ts";
import type { ScheduleRow, ScheduleWrite } from "../../store/port/schedules.ts";
import { thrownText } from "../errors/error_record.ts";
import { afterStart, decide, type Decision, dueAt, nextLook } from "./decide.ts";
import { runLimitsOf } from "../limits/permit_request.ts";
import type { ScheduleEntry } from "./entries.ts";
import { inputOf, scheduledRun } from "./scheduled_run.ts";
import { decodeProgress, type Progress } from "./stored.ts";

/** What is to be done for a schedule. */
export interface Advance {
  readonly write: ScheduleWrite;
  /** The run to cancel before the write. */
  readonly cancels: string | undefined;
  /** Starts that have failed. */
  readonly errors: readonly { readonly tick: number; readonly message: string }[];
  /** How late each run is started, by its id, in milliseconds. */
  readonly lateMs: ReadonlyMap<string, number>;
  readonly before: Progress;
  readonly after: Progress;
}

/** What advancing needs of its runner. */
export interface AdvanceOptions {
  readonly now: number;
  readonly newId: NewId;
  readonly maxPayloadBytes: number;
}

/** Advances a schedule; returns a promise only if the schema of its workflow is asynchronous. */
export function advance(entry: ScheduleEntry, row: ScheduleRow, options: AdvanceOptions): Advance | Promise<Advance> {
  const { now } = options;
  const before = decodeProgress(row);
  const decision = decide(entry.rule, before, { now, isLastRunLive: row.isLastRunLive });
  const inputs = decision.starts.map((tick, at) => {
    const previous = decision.starts[at - 1] ?? before.lastTick;
    try {
      return inputOf(entry, { tick, previous }, options.maxPayloadBytes);
    } catch (error) {
      return { error };
    }
  });
  const known = inputs.flatMap((input) => input instanceof Promise ? [] : [input]);
  if (known.length === inputs.length) return advanced({ entry, row, before, decision }, known, options);
  const later = inputs.map((input) => Promise.resolve(input).catch((error: unknown) => ({ error })));
  return Promise.all(later).then((all) => advanced({ entry, row, before, decision }, all, options));
}

interface Decided {
  readonly entry: ScheduleEntry;
  readonly row: ScheduleRow;
  readonly before: Progress;
  readonly decision: Decision;
}

function advanced(
  { entry, row, before, decision }: Decided,
  inputs: readonly (string | undefined | { readonly error: unknown })[],
  { now, newId }: AdvanceOptions,
): Advance {
  const { rule, stored, schedule: { name } } = entry;
  const runs: NewRun[] = [];
  const errors: { readonly tick: number; readonly message: string }[] = [];
  let after = decision.progress;
  for (const [at, tick] of decision.starts.entries()) {
    const input = withLimits(entry, inputs[at]);
    if ("error" in input) {
      const message = thrownText(input.error);
      errors.push({ tick, message });
      after = afterStart(after, tick, { now, error: message });
      continue;
    }
    after = afterStart(after, tick, { now, error: undefined });
    // Runs that are started together keep the order of their ticks.
    runs.push(scheduledRun(stored, { schedule: name, tick, dueAt: dueAt(rule, tick), ...input }, newId));
  }
  const last = runs.at(-1);
  return {
    write: {
      ...row,
      nextAt: nextLook(rule, after, now),
      lastRun: last?.id ?? row.lastRun,
      progress: JSON.stringify(after),
      runs,
    },
    cancels: decision.cancelsPrevious && last !== undefined ? row.lastRun : undefined,
    errors,
    lateMs: new Map(runs.map(({ id, dueAt = now }) => [id, Math.max(0, now - dueAt)])),
    before,
    after,
  };
}

/** The input of a run with what the limits of its workflow demand, or what was thrown. */
function withLimits(
  { plan }: ScheduleEntry,
  input: string | undefined | { readonly error: unknown },
): { readonly input: string | undefined; readonly limits: RunLimits | undefined } | { readonly error: unknown } {
  if (typeof input === "object") return input;
  try {
    return { input, limits: runLimitsOf(plan.workflow, input) };
  } catch (error) {
    return { error };
  }
}
