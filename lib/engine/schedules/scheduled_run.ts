import { isAsynchronous } from "../../definition/asynchronous.ts";
import { isThenable } from "../../definition/thenable.ts";
import type { NewId } from "../../ids.ts";
import type { NewRun } from "../../store/port/batch.ts";
import type { RunLimits } from "../../store/port/limits.ts";
import { encodeInput } from "../client/start_options.ts";
import type { ScheduleEntry } from "./entries.ts";
import type { StoredTarget } from "./stored.ts";

/** What distinguishes the runs of a schedule. */
export interface ScheduledStart {
  /** The name of the schedule. */
  readonly schedule: string;
  /** The tick; `undefined` if it has none. */
  readonly tick: number | undefined;
  readonly dueAt: number;
  /** The input as JSON text. */
  readonly input: string | undefined;
  /** The places that the limits of the workflow demand. */
  readonly limits: RunLimits | undefined;
  /** The key of the run. @default {undefined} none */
  readonly key?: string | undefined;
}

/** Creates the row of a run to insert. */
export function scheduledRun(
  { workflow, version, tags, timeoutMs }: StoredTarget,
  { schedule, tick, dueAt, input, limits, key }: ScheduledStart,
  newId: NewId,
): NewRun {
  return {
    id: newId(dueAt),
    workflow,
    version,
    key,
    priority: 0,
    dueAt,
    tags,
    input,
    timeoutMs,
    owner: undefined,
    fork: undefined,
    limits,
    schedule: { name: schedule, tick },
  };
}

/**
 * Returns the input of a tick as JSON text; as a promise only if the schema of the workflow is asynchronous, or
 * the function of the schedule is marked so.
 *
 * @throws {Error} What the function of the schedule throws, or what `Client.start` throws because of an input.
 */
export function inputOf(
  { schedule, plan, stored }: ScheduleEntry,
  at: { readonly tick: number; readonly previous: number | undefined },
  maxPayloadBytes: number,
): string | undefined | Promise<string | undefined> {
  const { name, input } = schedule;
  if (typeof input !== "function") return stored.input;
  const value: unknown = input(at);
  const encode = (known: unknown): ReturnType<typeof encodeInput> =>
    encodeInput(plan, known, `Cannot start a run of schedule "${name}"`, maxPayloadBytes);
  if (!isThenable(value)) return encode(value);
  if (isAsynchronous(input)) return Promise.resolve(value).then(encode);
  value.then(undefined, () => {});
  throw new TypeError("input returned a promise; it must be synchronous");
}
