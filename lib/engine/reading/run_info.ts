/** Runs in the form in which callers see them. */
import { decodeJson } from "../../definition/json.ts";
import type { KeyScope } from "../../definition/task_start.ts";
import type { ErrorRecord } from "../../errors.ts";
import type { RunState } from "../../store/port/batch.ts";
import type { Debounce } from "../../store/port/debounced.ts";
import type { ListedRun } from "../../store/port/listing.ts";
import type { RunRow } from "../../store/port/store.ts";

/** A run, as `status()` and `list()` return it. Times are milliseconds since the epoch. */
export interface RunInfo {
  /** Id of the run. */
  readonly id: string;
  /** Name of its workflow. */
  readonly workflow: string;
  /** Version of the workflow that the run started with. */
  readonly version: string;
  /** State of the run. */
  readonly state: RunState;
  /** Key that it was started with. */
  readonly key: string | undefined;
  /** How long it holds that key; `undefined` for a run without a key. */
  readonly keyScope: KeyScope | undefined;
  /** How its starts were debounced; `undefined` for a run without a debounce key. */
  readonly debounce: DebounceInfo | undefined;
  /** Lower values run first. */
  readonly priority: number;
  /** Tags of the run, those of its workflow included. */
  readonly tags: readonly string[];
  /** When the run was created. */
  readonly createdAt: number;
  /** When a runner first claimed it. */
  readonly startedAt: number | undefined;
  /** When the run ended. */
  readonly endedAt: number | undefined;
  /** When a pending, waiting or compensating run continues; `undefined` in every other state, and while it is executed. */
  readonly dueAt: number | undefined;
  /** When the timeout of the run ends it. */
  readonly deadlineAt: number | undefined;
  /** Why the run failed. */
  readonly error: ErrorRecord | undefined;
  /** Why the run is cancelled, being cancelled, paused or parked. */
  readonly reason: string | undefined;
  /** How many runners died while they owned it, since it last made progress. */
  readonly crashes: number;
  /** Id of the run that it was forked from. */
  readonly forkedFrom: string | undefined;
  /** Name of the schedule or poll that started it. */
  readonly schedule: string | undefined;
  /** Tick of the schedule that it was started for; `undefined` if it was triggered, or started by a poll. */
  readonly tick: number | undefined;
  /** Input of the run, as its schema returned it: from `status()`, and from `list()` if it was called with `input: true`. */
  readonly input?: unknown;
}

/** How the starts of a run were debounced. Durations are milliseconds. */
export interface DebounceInfo {
  /** The debounce key. */
  readonly key: string;
  /** How long after the last start the run is due. */
  readonly delayMs: number;
  /** How long after the first start the run is due at the latest; `undefined` for no limit. */
  readonly maxDelayMs: number | undefined;
  /** How many starts have replaced the input of an earlier one. */
  readonly replaced: number;
}

/** A run, as `status()` returns it. Times are milliseconds since the epoch. */
export interface RunStatus extends RunInfo {
  /** The input of the run, as its schema returned it. */
  readonly input: unknown;
}

/** Converts the row of a run to the form that callers see. */
export function runInfo(row: RunRow): RunInfo {
  const {
    id,
    workflow,
    version,
    state,
    key,
    keyScope,
    debounce,
    priority,
    tags,
    createdAt,
    startedAt,
    endedAt,
  } = row;
  const { deadlineAt, error, reason, crashes, forkedFrom, schedule, tick } = row;
  const isDue = state === "pending" || state === "waiting" || (state === "compensating" && row.owner === undefined);
  return {
    id,
    workflow,
    version,
    state,
    key,
    keyScope: key === undefined ? undefined : keyScope ?? "ever",
    debounce: debounce && debounceInfo(debounce),
    priority,
    tags,
    createdAt,
    startedAt,
    endedAt,
    dueAt: isDue ? dueAtOf(row) : undefined,
    deadlineAt,
    error,
    reason,
    crashes,
    forkedFrom,
    schedule,
    tick,
  };
}

/** Returns when a run is due: of a run whose workflow has limits, when it asks for their places. */
export function dueAtOf({ dueAt, gateAt = -1 }: Pick<ListedRun, "dueAt" | "gateAt">): number | undefined {
  return dueAt ?? (gateAt < 0 ? undefined : gateAt);
}

/** Converts the row of a run, with its input, to the form that callers see. */
export function runStatus(row: RunRow): RunStatus {
  return { ...runInfo(row), input: decodeJson(row.input, "the input of the run") };
}

/** Converts how a run was debounced to the form that callers see. */
export function debounceInfo({ key, delayMs, maxDelayMs, replaced = 0 }: Debounce): DebounceInfo {
  return { key, delayMs, maxDelayMs, replaced };
}
