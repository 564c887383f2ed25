/**
 * Registers the schedules of a runner in its store, by name: an unchanged one stays as it is, one with other ticks is
 * armed again from now on, a new one is inserted, and one that the program no longer has is paused.
 *
 * @module
 */
import { encodeJson } from "../../definition/json.ts";
import type { Store } from "../../store/port/store.ts";
import type { ScheduleRecord, ScheduleRow, ScheduleWrite } from "../../store/port/schedules.ts";
import { armed, nextLook } from "./decide.ts";
import type { Entry, PollEntry, ScheduleEntry } from "./entries.ts";
import type { Look } from "./scheduler.ts";
import { decodeProgress, decodeSchedule, NO_PROGRESS, type Progress, type StoredSchedule } from "./stored.ts";

/** Rows that one statement reads or writes. */
const AT_ONCE = 200;

/** What a reconciliation needs of its runner. */
export interface ReconcileOptions {
  readonly store: Store;
  readonly entries: ReadonlyMap<string, Entry>;
  /** Names of the workflows that the runner executes. */
  readonly served: ReadonlySet<string>;
}

/** Registers all schedules of a runner; returns when each must be checked. */
export async function reconcile(options: ReconcileOptions): Promise<ReadonlyMap<string, Look>> {
  const { store, entries } = options;
  const looks = new Map<string, Look>();
  let missing = [...entries.keys()].sort();
  // A conflict means that another runner registers the same schedule.
  while (missing.length > 0) {
    const conflicts: string[] = [];
    for (let at = 0; at < missing.length; at += AT_ONCE) {
      const names = missing.slice(at, at + AT_ONCE);
      const rows = new Map((await store.schedules.read({ names })).map((row) => [row.name, row]));
      const writes: ScheduleWrite[] = [];
      for (const name of names) {
        const row = rows.get(name);
        const write = registered(entries.get(name)!, row, store.now());
        if (write !== undefined) writes.push(write);
        else looks.set(name, firstLook(row!, row!));
      }
      const verdicts = await store.schedules.write(writes);
      for (const [index, write] of writes.entries()) {
        const { name } = write;
        if (verdicts[index]?.kind === "written") looks.set(name, firstLook(write, rows.get(name)));
        else conflicts.push(name);
      }
    }
    missing = conflicts;
  }
  await pauseRemoved(options);
  return looks;
}

function firstLook(record: ScheduleRecord, row: ScheduleRow | undefined): Look {
  const waits = row?.isLastRunLive === true && record.state === "active" && decodeProgress(record).queue.length > 0;
  return { at: record.nextAt, waitsFor: waits ? record.lastRun : undefined };
}

/** The write that registers a schedule; `undefined` if its row says so already. */
function registered(entry: Entry, row: ScheduleRow | undefined, now: number): ScheduleWrite | undefined {
  const { schedule: { name, kind }, stored: { workflow }, definition } = entry;
  if (row !== undefined && row.definition === definition && row.kind === kind && row.pausedBy !== "removal") {
    return undefined;
  }
  const isPaused = row?.pausedBy === "user";
  const { progress, nextAt } = entry.kind === "poll"
    ? pollProgress(entry, row, now)
    : scheduleProgress(entry, row?.kind === kind ? row : undefined, now);
  return {
    name,
    kind,
    workflow,
    state: isPaused ? "paused" : "active",
    pausedBy: isPaused ? "user" : undefined,
    nextAt: isPaused ? undefined : nextAt,
    lastRun: row?.lastRun,
    definition,
    progress: JSON.stringify(progress),
    revision: row?.revision ?? 0,
    runs: [],
    isChange: true,
  };
}

interface Registered {
  readonly progress: Progress;
  readonly nextAt: number | undefined;
}

function scheduleProgress({ rule, stored }: ScheduleEntry, row: ScheduleRow | undefined, now: number): Registered {
  const isSame = row !== undefined && ticksOf(decodeSchedule(row)) === ticksOf(stored);
  const before = row === undefined ? NO_PROGRESS : decodeProgress(row);
  // What became due while the schedule was removed is treated as if no runner had been alive.
  const progress = isSame ? before : armed(rule, before, now);
  return { progress, nextAt: nextLook(rule, progress, now) };
}

/** A poll keeps its cursor whatever has changed, and is checked at once, or when the check in progress must have ended. */
function pollProgress({ schedule }: PollEntry, row: ScheduleRow | undefined, now: number): Registered {
  if (row?.kind === "poll") return { progress: decodeProgress(row), nextAt: row.nextAt ?? now };
  const cursor = encodeJson(schedule.cursor, "cursor", Infinity);
  return { progress: { ...NO_PROGRESS, cursor, nextTick: now }, nextAt: now };
}

/** What decides about the ticks of a schedule. */
function ticksOf({ timing, jitterMs }: StoredSchedule): string {
  return JSON.stringify([timing, jitterMs]);
}

/**
 * Pauses the schedules that the program of this runner has lost: those of its workflows, and those that no live runner
 * has. A schedule of another program on the same store is left alone while that runs.
 */
async function pauseRemoved({ store, entries, served }: ReconcileOptions): Promise<void> {
  let held: ReadonlySet<string> | undefined;
  for (let after = "";;) {
    const rows = await store.schedules.read({ after, limit: AT_ONCE });
    const writes: ScheduleWrite[] = [];
    for (const row of rows) {
      if (entries.has(row.name) || row.state === "paused") continue;
      held ??= await store.schedules.held();
      if (!served.has(row.workflow) && held.has(row.name)) continue;
      writes.push({ ...row, state: "paused", pausedBy: "removal", nextAt: undefined, runs: [], isChange: true });
    }
    // Another runner may have advanced one of them meanwhile: it is paused when a runner starts next.
    if (writes.length > 0) await store.schedules.write(writes);
    if (rows.length < AT_ONCE) return;
    after = rows.at(-1)!.name;
  }
}
