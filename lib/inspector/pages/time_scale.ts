/** A time range, in milliseconds since the epoch. */
export interface Span {
  /** Its beginning. */
  readonly from: number;
  /** Its end; not before its beginning. */
  readonly to: number;
}

/** A mark of an axis. */
export interface Tick {
  /** Its place, in percent. */
  readonly at: number;
  /** Milliseconds since the axis began. */
  readonly elapsedMs: number;
}

/** A time range without events, which is drawn shorter. */
export interface Break extends Span {
  /** Where it begins, in percent. */
  readonly left: number;
  /** How wide it is, in percent. */
  readonly width: number;
}

/** Converts times to positions. */
export interface TimeScale {
  /** The place of a moment, from 0 to 100 percent. */
  at(ms: number): number;
  /** Round marks, from left to right, none of them in a break. */
  readonly ticks: readonly Tick[];
  /** What is drawn shorter. */
  readonly breaks: readonly Break[];
}

/**
 * Creates a scale over `whole` on which idle time takes little space: an idle range that is longer than all busy time
 * together is drawn with a twelfth of the width, or less if there are many. Otherwise an hour between two attempts would
 * make the attempts invisible.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const scale = timeScale({ from: 0, to: 1_000 }, [{ from: 0, to: 1_000 }]);
 * assertEquals(scale.at(250), 25);
 * assertEquals(scale.ticks.map(({ elapsedMs }) => elapsedMs), [0, 200, 400, 600, 800]);
 * ```
 */
export function timeScale(whole: Span, busy: readonly Span[]): TimeScale {
  const { from, to } = { from: whole.from, to: Math.max(whole.to, whole.from + 1) };
  const pieces = piecesOf({ from, to }, busy);
  const total = pieces.reduce((sum, { size }) => sum + size, 0);
  const placed: (Piece & { readonly left: number; readonly width: number })[] = [];
  let left = 0;
  for (const piece of pieces) {
    const width = (piece.size / total) * 100;
    placed.push({ ...piece, left, width });
    left += width;
  }
  const at = (ms: number): number => {
    const piece = placed.find((piece) => ms < piece.to) ?? placed.at(-1)!;
    const share = (ms - piece.from) / (piece.to - piece.from);
    return Math.round((piece.left + Math.max(0, Math.min(1, share)) * piece.width) * 100) / 100;
  };
  return { at, ticks: ticksOf(placed, from, total, at), breaks: placed.filter(({ isIdle }) => isIdle) };
}

interface Piece extends Span {
  readonly isIdle: boolean;
  /** How wide it is drawn, in milliseconds of the others. */
  readonly size: number;
}

const DRAWN_IDLE = 1 / 12;
const DRAWN_IDLE_IN_ALL = 1 / 2;
const MOST_TICKS = 6;
const LEAST_APART = 9;
const STEPS = [
  ...[1, 10, 100].flatMap((ms) => [ms, ms * 2, ms * 5]),
  ...[1, 2, 5, 10, 20, 30].map((seconds) => seconds * 1_000),
  ...[1, 2, 5, 10, 20, 30].map((minutes) => minutes * 60_000),
  ...[1, 2, 3, 6, 12].map((hours) => hours * 3_600_000),
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000].map((days) => days * 86_400_000),
];

function piecesOf({ from, to }: Span, busy: readonly Span[]): readonly Piece[] {
  const merged = mergeSpans(busy.map((span) => ({ from: Math.max(from, span.from), to: Math.min(to, span.to) })));
  const all = merged.reduce((sum, span) => sum + span.to - span.from, 0);
  const gaps = [...merged, { from: to, to }]
    .map((span, i): Span => ({ from: merged[i - 1]?.to ?? from, to: span.from }))
    .filter((gap) => all > 0 && gap.to - gap.from > Math.max(2, all));
  const idleSize = Math.max(1, all * Math.min(DRAWN_IDLE, DRAWN_IDLE_IN_ALL / gaps.length));
  const ends = [...gaps, { from: to, to: undefined }];
  return ends.flatMap((gap, i): Piece[] => {
    const start = gaps[i - 1]?.to ?? from;
    const before = gap.from > start ? [{ from: start, to: gap.from, isIdle: false, size: gap.from - start }] : [];
    return gap.to === undefined ? before : [...before, { from: gap.from, to: gap.to, isIdle: true, size: idleSize }];
  });
}

function mergeSpans(spans: readonly Span[]): readonly Span[] {
  const merged: { from: number; to: number }[] = [];
  for (const { from, to } of spans.filter(({ from, to }) => to >= from).sort((a, b) => a.from - b.from)) {
    const last = merged.at(-1);
    if (last !== undefined && from <= last.to) last.to = Math.max(last.to, to);
    else merged.push({ from, to });
  }
  return merged;
}

function ticksOf(pieces: readonly Piece[], origin: number, total: number, at: (ms: number) => number): Tick[] {
  const step = STEPS.find((step) => total / step <= MOST_TICKS) ?? STEPS.at(-1)!;
  const middles = pieces.filter(({ isIdle }) => isIdle).map(({ from, to }) => (at(from) + at(to)) / 2);
  const ticks: Tick[] = [];
  for (const { from, to, isIdle } of pieces) {
    if (isIdle) continue;
    for (let elapsedMs = Math.ceil((from - origin) / step) * step; elapsedMs < to - origin; elapsedMs += step) {
      const place = at(origin + elapsedMs);
      // The last label would not fit, and neither would two labels close to each other.
      const isNear = [ticks.at(-1)?.at, ...middles].some((other) =>
        Math.abs(place - (other ?? -LEAST_APART)) < LEAST_APART
      );
      if (place > 94 || isNear) continue;
      ticks.push({ at: place, elapsedMs });
    }
  }
  return ticks;
}
