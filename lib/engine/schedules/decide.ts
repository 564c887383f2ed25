/**
 * What becomes of the ticks of a schedule that are due: a pure function of the schedule, how far it has come, and the
 * time.
 *
 * @module
 */
import { jitterOf, latestTicks, type Ticks } from "./ticks.ts";
import { type Progress, type StoredSchedule, withLost } from "./stored.ts";

/** A schedule with its ticks. */
export interface Rule extends Pick<StoredSchedule, "overlap" | "catchUp" | "maxCatchUp" | "jitterMs"> {
  readonly name: string;
  readonly ticks: Ticks;
}

/** A tick that was not started this long after it was due is missed. */
export const MISSED_AFTER_MS = 10_000;

/** Runs that one commit starts for a schedule. */
const MOST_STARTS = 100;

/** When a tick whose input failed is tried again, after each attempt. */
const RETRY_DELAYS_MS: readonly number[] = [1_000, 5_000, 25_000, 125_000];

/** What is to be done now. */
export interface Decision {
  /** Ticks to start runs for, in this order. */
  readonly starts: readonly number[];
  /** Whether the latest run is to be cancelled before. */
  readonly cancelsPrevious: boolean;
  /** How far the schedule has come if all starts succeed, but for what they change themselves; see `afterStart()`. */
  readonly progress: Progress;
}

/** Decides about all ticks that are due. */
export function decide(
  rule: Rule,
  progress: Progress,
  { now, isLastRunLive }: { readonly now: number; readonly isLastRunLive: boolean },
): Decision {
  const due = takeDue(rule, progress, now);
  let next: Progress = { ...due.progress, queue: [] };
  let waiting = [...progress.queue, ...due.kept];
  const { retry } = progress;
  if (retry !== undefined && due.count > 0) {
    next = withLost({ ...next, retry: undefined }, [retry.tick], { outcome: "failed", at: now });
  } else if (retry !== undefined && retry.at <= now) waiting = [retry.tick, ...waiting];
  const overlapped: number[] = [];
  const starts: number[] = [];
  const inTime = [...due.inTime];
  switch (rule.overlap) {
    case "allow":
      starts.push(...waiting, ...inTime);
      waiting = [];
      break;
    case "cancelPrevious": {
      const all = [...waiting, ...inTime];
      starts.push(...all.slice(-1));
      overlapped.push(...all.slice(0, -1));
      waiting = [];
      break;
    }
    case "queue":
      waiting.push(...inTime);
      if (!isLastRunLive) starts.push(...waiting.splice(0, 1));
      break;
    case "skip":
      if (!isLastRunLive) starts.push(...(waiting.length > 0 ? waiting : inTime).splice(0, 1));
      overlapped.push(...inTime);
  }
  // It waits like others, or overlaps.
  if (next.retry !== undefined && next.retry.at <= now && !starts.includes(next.retry.tick)) {
    next = { ...next, retry: undefined };
  }
  const later = starts.splice(MOST_STARTS);
  const queue = [...later, ...waiting];
  overlapped.unshift(...queue.splice(0, Math.max(0, queue.length - rule.maxCatchUp - later.length)));
  next = withLost({ ...next, queue }, overlapped, { outcome: "overlapped", at: now });
  return {
    starts,
    cancelsPrevious: rule.overlap === "cancelPrevious" && isLastRunLive && starts.length > 0,
    progress: next,
  };
}

/** Returns when a runner is to look at the schedule again; `undefined` for never. */
export function nextLook(rule: Rule, { nextTick, retry, queue }: Progress, now: number): number | undefined {
  const times = [
    ...(nextTick === undefined ? [] : [dueAt(rule, nextTick)]),
    ...(retry === undefined ? [] : [retry.at]),
    // The rest of a large number of starts.
    ...(rule.overlap === "allow" && queue.length > 0 ? [now] : []),
  ];
  return times.length === 0 ? undefined : Math.min(...times);
}

/** Returns the progress after a start of a tick, or after its failure. */
export function afterStart(
  progress: Progress,
  tick: number,
  { now, error }: { readonly now: number; readonly error: string | undefined },
): Progress {
  const { retry, ...rest } = progress;
  const kept = retry?.tick === tick ? undefined : retry;
  if (error === undefined) return { ...rest, retry: kept, error: undefined, lastTick: tick, started: rest.started + 1 };
  const failed = (retry?.tick === tick ? retry.failed : 0) + 1;
  const delay = RETRY_DELAYS_MS[failed - 1];
  const next: Progress = { ...rest, retry: kept, error: { message: error, at: now, tick } };
  if (delay === undefined || kept !== undefined) return withLost(next, [tick], { outcome: "failed", at: now });
  return { ...next, retry: { tick, failed, at: now + delay } };
}

/** Returns progress of a schedule that ticks from now on, without the ticks before. */
export function armed(rule: Rule, progress: Progress, now: number): Progress {
  return { ...progress, nextTick: rule.ticks.next(now), queue: [], retry: undefined };
}

/** Returns when a tick is due. */
export function dueAt({ name, jitterMs }: Pick<Rule, "name" | "jitterMs">, tick: number): number {
  return tick + jitterOf(name, tick, jitterMs);
}

interface Due {
  /** Ticks that are in time. */
  readonly inTime: readonly number[];
  /** Missed ticks that are caught up, oldest first. */
  readonly kept: readonly number[];
  /** How many ticks are due. */
  readonly count: number;
  readonly progress: Progress;
}

function takeDue(rule: Rule, progress: Progress, now: number): Due {
  const { nextTick } = progress;
  if (nextTick === undefined || dueAt(rule, nextTick) > now) return { inTime: [], kept: [], count: 0, progress };
  const { ticks, maxCatchUp, jitterMs } = rule;
  // Ticks that are in time are at most this many.
  const most = maxCatchUp + Math.ceil(MISSED_AFTER_MS / 100);
  const { latest, count } = latestTicks(ticks, { after: nextTick - 1, until: now, most });
  const end = jitterMs === 0 ? -1 : latest.findIndex((tick) => dueAt(rule, tick) > now);
  const due = end < 0 ? latest : latest.slice(0, end);
  // With jitter a tick that is not due may come before all that were considered.
  if (due.length === 0) return { inTime: [], kept: [], count: 0, progress: { ...progress, nextTick: latest[0] } };
  const inTime = due.filter((tick) => dueAt(rule, tick) >= now - MISSED_AFTER_MS);
  const late = due.filter((tick) => dueAt(rule, tick) < now - MISSED_AFTER_MS);
  const kept = caughtUp(rule, late, inTime.length > 0);
  const missed = late.slice(0, late.length - kept.length);
  const next: Progress = { ...progress, nextTick: latest[due.length] ?? ticks.next(due.at(-1)!) };
  return {
    inTime,
    kept,
    count: due.length,
    progress: withLost(next, missed, {
      outcome: "missed",
      at: now,
      count: missed.length + Math.max(0, count - latest.length),
    }),
  };
}

function caughtUp({ catchUp, maxCatchUp }: Rule, late: readonly number[], hasInTime: boolean): readonly number[] {
  switch (catchUp) {
    case "none":
      return [];
    case "last":
      return hasInTime ? [] : late.slice(-1);
    case "all":
      return late.slice(-maxCatchUp);
  }
}
