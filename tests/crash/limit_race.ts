/**
 * The workflows of a race for slots of limits, and the checks of their effect log. A line is written when a body, or a
 * run that holds slots itself, begins and ends.
 *
 * @module
 */
import process from "node:process";
import { type AnyWorkflow, unchecked, workflow } from "../../mod.ts";
import { type Line, writeLine } from "./racers.ts";

/** The period of the rate limits. */
export const PER_MS = 1_000;

/** The slots of each lane of a limit; for rate limits, how many bodies may begin in a period. */
export const PLACES: Readonly<Record<string, number>> = { three: 3, keyed: 2, items: 2, runs: 2, children: 2, rate: 5 };

/** The keys of the limits with keys. */
export const KEYS: readonly string[] = ["x", "y"];

/** The workflows that clients of the race start, each run with a key. */
export type Raced = "task" | "map" | "whole" | "parent" | "rated";

/** How long a body takes, in milliseconds. */
const BODY_MS = 30;

/** The times of lines and of timers are rounded. */
const TOLERANCE_MS = 5;

/** Creates the workflows, whose bodies write to a log. */
export function limitWorkflows(log: string): Readonly<Record<Raced | "child", AnyWorkflow>> {
  const input = unchecked<string>();
  const three = { name: "three", max: PLACES["three"]! };
  const perKey = <Args>(name: string, key: (args: Args) => string) => ({ name, max: PLACES[name]!, key });
  const of = ({ input }: { readonly input: string }): string => input;
  const note = (kind: "begin" | "end", name: string, what: string, runId: string): void =>
    writeLine(log, { kind, pid: process.pid, name, what, runId });
  // A body in two lanes writes lines for both; it is in the second lane for a shorter time.
  const during = async (lanes: readonly (readonly [name: string, key: string])[], runId: string): Promise<void> => {
    for (const [name, key] of lanes) note("begin", name, key, runId);
    await new Promise((resolve) => setTimeout(resolve, BODY_MS));
    for (const [name, key] of lanes) note("end", name, key, runId);
  };
  const spans = (name: "runs" | "children", kind: "begin" | "end") =>
  ({ input, ctx: { runId } }: {
    readonly input: string;
    readonly ctx: { readonly runId: string };
  }): void => note(kind, name, input, runId);

  const task = workflow("task", { version: "1", input }).task("a", {
    limits: [three, perKey("keyed", of)],
    run: ({ input, ctx }) => during([["three", "-"], ["keyed", input]], ctx.runId),
  });
  const map = workflow("map", { version: "1", input }).map("m", {
    over: () => [0, 1, 2, 3, 4, 5],
    concurrency: 4,
    limits: [three, { name: "items", max: PLACES["items"]!, key: ({ item }) => KEYS[item % 2]! }],
    run: ({ item, ctx }) => during([["three", "-"], ["items", KEYS[item % 2]!]], `${ctx.runId}/${item}`),
  });
  const whole = workflow("whole", { version: "1", input, limits: [perKey("runs", of)] })
    .task("begin", { run: spans("runs", "begin") })
    .sleep("wait", { after: ["begin"], for: BODY_MS })
    .task("end", { after: ["wait"], run: spans("runs", "end") });
  const child = workflow("child", { version: "1", input })
    .task("begin", { run: spans("children", "begin") })
    .sleep("wait", { after: ["begin"], for: BODY_MS })
    .task("end", { after: ["wait"], run: spans("children", "end") });
  const parent = workflow("parent", { version: "1", input }).subworkflow("c", {
    workflow: child,
    input: of,
    limits: [perKey("children", of)],
  });
  const rated = workflow("rated", { version: "1", input }).task("a", {
    limits: [{ ...perKey("rate", of), per: PER_MS }],
    run: ({ input, ctx }) => note("begin", "rate", input, ctx.runId),
  });
  return { task, map, whole, child, parent, rated };
}

/** The time for which a body, or a run that holds slots itself, is in a lane. */
export interface Span {
  /** The limit and its key. */
  readonly lane: string;
  /** When it began and ended, as numbers of lines; one that has not ended has no end. */
  readonly from: number;
  readonly to: number;
  readonly fromMs: number;
  readonly toMs: number;
}

/**
 * Returns the spans in all lanes. A body ends with the death of its process at the latest; a run or child run that
 * holds slots is active until its last line.
 */
export function spansOf(lines: readonly Line[]): readonly Span[] {
  const spans: { -readonly [K in keyof Span]: Span[K] }[] = [];
  const bodies = new Map<string, (typeof spans)[number]>();
  const runs = new Map<string, (typeof spans)[number]>();
  const killed = new Set<number>();
  lines.forEach(({ kind, pid, name, what, runId, at }, number) => {
    if (kind === "kill") {
      killed.add(pid);
      for (const [key, span] of bodies) {
        if (!key.startsWith(`${pid} `)) continue;
        Object.assign(span, { to: number, toMs: at });
        bodies.delete(key);
      }
      return;
    }
    const lane = `${name} ${what}`;
    if (name === "runs" || name === "children") {
      const known = runs.get(runId) ?? { lane, from: number, to: number, fromMs: at, toMs: at };
      if (!runs.has(runId)) spans.push(known);
      runs.set(runId, known);
      return void Object.assign(known, { to: number, toMs: at });
    }
    const key = `${pid} ${lane} ${runId}`;
    if (kind === "end") {
      Object.assign(bodies.get(key) ?? {}, { to: number, toMs: at });
      return void bodies.delete(key);
    }
    // A kill is logged before the process is killed, so that lines of this process may follow.
    const isDying = killed.has(pid);
    const span = { lane, from: number, to: isDying ? number : Infinity, fromMs: at, toMs: isDying ? at : Infinity };
    spans.push(span);
    if (!isDying) bodies.set(key, span);
  });
  return spans;
}

/** Returns the slots of a lane. */
function placesOf(lane: string): number {
  return PLACES[lane.split(" ", 1)[0]!]!;
}

/** Returns descriptions of the moments, as numbers of lines, at which a lane had more bodies than slots. */
export function tooManyAtOnce(spans: readonly Span[]): readonly string[] {
  const wrong: string[] = [];
  for (const [lane, own] of byLane(spans)) {
    if (lane.startsWith("rate ")) continue;
    const changes = own.flatMap(({ from, to }) => [{ at: from, by: 1 }, { at: to, by: -1 }]);
    let active = 0;
    for (const { at, by } of changes.toSorted((a, b) => a.at - b.at)) {
      active += by;
      if (by > 0 && active > placesOf(lane)) wrong.push(`${lane}: ${active} at once in line ${at}`);
    }
  }
  return wrong;
}

/** Returns descriptions of the periods in which more bodies began than a rate limit allows. */
export function tooManyInPeriod(spans: readonly Span[]): readonly string[] {
  const wrong: string[] = [];
  for (const [lane, own] of byLane(spans)) {
    if (!lane.startsWith("rate ")) continue;
    const starts = own.map(({ fromMs }) => fromMs).toSorted((a, b) => a - b);
    const places = placesOf(lane);
    starts.slice(places).forEach((at, first) => {
      const ms = at - starts[first]!;
      if (ms < PER_MS - TOLERANCE_MS) wrong.push(`${lane}: ${places + 1} began within ${ms} ms`);
    });
  }
  return wrong;
}

/** Returns the longest time, in milliseconds, for which nothing began in a lane, and that lane. */
export function longestPause(
  spans: readonly Span[],
  { fromMs, toMs }: Pick<Span, "fromMs" | "toMs">,
): { readonly lane: string; readonly ms: number } {
  let longest = { lane: "", ms: 0 };
  for (const [lane, own] of byLane(spans)) {
    const starts = own.map((span) => Math.min(span.fromMs, toMs)).toSorted((a, b) => a - b);
    let last = fromMs;
    for (const at of [...starts, toMs]) {
      if (at - last > longest.ms) longest = { lane, ms: at - last };
      last = at;
    }
  }
  return longest;
}

function byLane(spans: readonly Span[]): ReadonlyMap<string, readonly Span[]> {
  return Map.groupBy(spans, ({ lane }) => lane);
}
