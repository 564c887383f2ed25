/**
 * Small random workflows, and what each of their bodies will do. Everything follows from a seed, so that a failure can
 * be looked at again.
 */
import { dynamicWorkflow, type Trigger } from "../../mod.ts";
import { type Plan, planOf } from "../../lib/engine/plan.ts";

/** A task, and what will happen to it; others are named by their numbers. */
export interface GraphTask {
  readonly after: readonly number[];
  readonly on: Trigger;
  /** What `when` answers; `undefined` if there is none. */
  readonly when: boolean | undefined;
  /** In how many of the first attempts `when` throws instead of answering. */
  readonly whenThrows: number;
  /** How often it asks to be called later before anything else. */
  readonly deferrals: number;
  /** How each attempt ends; with the last one there is no other. */
  readonly attempts: readonly ("completes" | "fails")[];
}

/** A workflow whose every body is known beforehand. */
export interface Graph {
  readonly tasks: readonly GraphTask[];
  /** The task it returns. */
  readonly result: number | undefined;
}

/** Draws numbers. */
export interface Random {
  /** An integer from 0 to `below - 1`. */
  below(below: number): number;
  /** True with that probability. */
  chance(probability: number): boolean;
  /** One of a list that is not empty. */
  pick<T>(list: readonly T[]): T;
}

const TRIGGERS: readonly Trigger[] = ["success", "success", "settled", "anySucceeded", "anyFailed", "allFailed"];

/** Mulberry32: the same numbers for the same seed on every machine. */
export function randomOf(seed: number): Random {
  let state = seed >>> 0;
  return {
    below: (below) => Math.floor(next() * below),
    chance: (probability) => next() < probability,
    pick: (list) => list[Math.floor(next() * list.length)]!,
  };

  function next(): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
}

/** One to seven tasks. */
export function randomGraph(random: Random): Graph {
  const tasks = Array.from({ length: 1 + random.below(7) }, (_, number) => randomTask(random, number));
  return { tasks, result: random.chance(0.5) ? random.below(tasks.length) : undefined };
}

/** The graph as the engine takes it. */
export function planOfGraph(graph: Graph): Plan {
  const id = (number: number): string => `t${number}`;
  return planOf(dynamicWorkflow({
    name: "random",
    tasks: graph.tasks.map(({ after, on, when }, number) => ({
      id: id(number),
      after: after.map(id),
      on,
      run: () => null,
      ...(when === undefined ? {} : { when: () => when }),
    })),
    ...(graph.result === undefined ? {} : { returns: id(graph.result) }),
  }));
}

function randomTask(random: Random, number: number): GraphTask {
  const before = Array.from({ length: number }, (_, earlier) => earlier);
  const tries = 1 + random.below(3);
  const when = random.chance(0.3) ? random.chance(0.6) : undefined;
  return {
    after: before.filter(() => random.chance(2 / (number + 1))),
    on: random.pick(TRIGGERS),
    when,
    whenThrows: when !== undefined && random.chance(0.4) ? 1 + random.below(2) : 0,
    deferrals: random.chance(0.2) ? 1 + random.below(2) : 0,
    attempts: Array.from({ length: tries }, () => random.chance(0.45) ? "fails" : "completes"),
  };
}
