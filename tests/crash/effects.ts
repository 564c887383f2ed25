/**
 * The effect log: one line for each external effect of a body, in the order in which they happened in all processes.
 * Short appends to one file are atomic, and a written line survives the death of the process.
 *
 * @module
 */
import { appendFileSync, existsSync, readFileSync } from "node:fs";

/** A line of the log. */
export interface Effect {
  /**
   * A body or step began or ended, or the test is about to end a process, so that others may take over from here on.
   */
  readonly kind: "begin" | "end" | "kill" | "stop";
  /** The run; `-` for a process that is ended. */
  readonly runId: string;
  /** The task, or `task/step`. */
  readonly unit: string;
  /** The number of the attempt. */
  readonly attempt: number;
  /** The process id. */
  readonly pid: number;
  /** The committed tasks (ended) and steps (completed) of the run at the time at which a body or step began. */
  readonly committed: readonly string[];
}

/** Appends a line. */
export function writeEffect(log: string, effect: Effect): void {
  const { kind, runId, unit, attempt, pid, committed } = effect;
  appendFileSync(log, `${kind} ${runId} ${unit} ${attempt} ${pid} ${committed.join(",")}\n`);
}

/** Records that a process is about to be killed, or to receive a signal to stop. */
export function writeEnd(log: string, kind: "kill" | "stop", pid: number): void {
  writeEffect(log, { kind, runId: "-", unit: "-", attempt: 0, pid, committed: [] });
}

/** Returns the path of a gate, a file beside the log: bodies that wait at the gate continue once the file exists. */
export function gateOf(log: string, name = "gate"): string {
  return `${log}.${name}`;
}

/** Reads all lines. */
export function readEffects(log: string): Effect[] {
  if (!existsSync(log)) return [];
  return readFileSync(log, "utf8").split("\n").slice(0, -1).map((line) => {
    const [kind, runId, unit, attempt, pid, committed] = line.split(" ");
    return {
      kind: kind as Effect["kind"],
      runId: runId!,
      unit: unit!,
      attempt: Number(attempt),
      pid: Number(pid),
      committed: committed === "" ? [] : committed!.split(","),
    };
  });
}

/**
 * Returns descriptions of the faults in a log; none if every body and step
 *
 * - began only after the ends of all its dependencies were committed, and never after its own end was;
 * - began again only if the process of the earlier attempt was killed or stopped;
 * - belonged to one process at a time: a run changes its owner only when the owner is killed or stopped, and never
 *   returns to an earlier owner.
 *
 * `after` returns the dependencies of a unit.
 */
export function wrongIn(
  effects: readonly Effect[],
  after: (runId: string, unit: string) => readonly string[],
): string[] {
  const wrong: string[] = [];
  const ended = new Set<number>();
  const owners = new Map<string, number[]>();
  const begun = new Map<string, number[]>();
  for (const { kind, runId, unit, attempt, pid, committed } of effects) {
    if (kind === "kill" || kind === "stop") {
      ended.add(pid);
      continue;
    }
    const what = `${kind} of ${unit}, attempt ${attempt}, of run ${runId} by ${pid}`;
    const hands = owners.get(runId) ?? [];
    owners.set(runId, hands);
    const owner = hands.at(-1);
    if (owner !== pid) {
      if (hands.includes(pid)) wrong.push(`${what}: it belongs to ${owner} by now`);
      else if (owner !== undefined && !ended.has(owner)) wrong.push(`${what}: its owner ${owner} lives`);
      if (!hands.includes(pid)) hands.push(pid);
    }
    if (kind === "end") continue;
    const missing = after(runId, unit).filter((before) => !committed.includes(before));
    if (missing.length > 0) wrong.push(`${what}: the end of ${missing} is not committed`);
    if (committed.includes(unit)) wrong.push(`${what}: its result is committed`);
    const key = `${runId} ${unit} ${attempt}`;
    const before = begun.get(key) ?? [];
    if (before.includes(pid)) wrong.push(`${what}: the same process did it before`);
    begun.set(key, [...before, pid]);
  }
  return wrong;
}
