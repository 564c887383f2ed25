/**
 * Small random workflows, and what each of their units will do. Everything follows from a seed, so that a failure can be
 * replayed.
 */
import type { Trigger } from "../../lib/definition/definition.ts";
import { dynamicWorkflow } from "../../lib/definition/dynamic.ts";
import { type ItemPolicy, type Plan, planOf } from "../../lib/engine/machine/plan.ts";
import type { Wake } from "../../lib/engine/machine/run_state.ts";
import type { Random } from "../random.ts";

/** What a unit does, apart from its dependencies. */
export interface Behaviour {
  /** How many times it is postponed before anything else. */
  readonly deferrals: number;
  /** How many of its attempts have to wait for a place of a limit. */
  readonly holds: number;
  /** What it waits for, one wait after the other, before its attempts end as planned. */
  readonly waits: readonly Wake[];
  /** How each attempt ends; no attempt follows the last one. */
  readonly attempts: readonly ("completes" | "fails")[];
}

/** A task and its behaviour; other tasks are named by their numbers. */
export interface GraphTask extends Behaviour {
  readonly after: readonly number[];
  readonly on: Trigger;
  /** What `when` returns; `undefined` if there is none. */
  readonly when: boolean | undefined;
  /** In how many of the first attempts `when` throws instead. */
  readonly whenThrows: number;
  /** For a task that expands instead of completing: its items. */
  readonly items:
    | (ItemPolicy & {
      readonly each: readonly Behaviour[];
      /** Items that are left out. */
      readonly omitted: readonly number[];
    })
    | undefined;
}

/** A workflow in which the behaviour of every unit is fixed. */
export interface Graph {
  readonly tasks: readonly GraphTask[];
  /** The task it returns. */
  readonly result: number | undefined;
}

const TRIGGERS: readonly Trigger[] = [
  ...["success", "success", "success", "settled", "allSucceeded"] as const,
  ...["anySucceeded", "anyFailed", "allFailed"] as const,
];
const ITEM_FAILURES: readonly ItemPolicy["onFailure"][] = ["stop", "finish", "collect"];

/** One to seven tasks. */
export function randomGraph(random: Random): Graph {
  const tasks = Array.from({ length: 1 + random.below(7) }, (_, number) => randomTask(random, number));
  return { tasks, result: random.chance(0.5) ? random.below(tasks.length) : undefined };
}

/** The compiled graph. Kinds that expand do so by their policy. */
export function planOfGraph(graph: Graph): Plan {
  const id = (number: number): string => `t${number}`;
  const plan = planOf(dynamicWorkflow({
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
  return { ...plan, nodes: plan.nodes.map((node, number) => ({ ...node, items: graph.tasks[number]!.items })) };
}

function randomTask(random: Random, number: number): GraphTask {
  const before = Array.from({ length: number }, (_, earlier) => earlier);
  const when = random.chance(0.3) ? random.chance(0.6) : undefined;
  return {
    ...randomBehaviour(random),
    after: before.filter(() => random.chance(2 / (number + 1))),
    on: random.pick(TRIGGERS),
    when,
    whenThrows: when !== undefined && random.chance(0.4) ? 1 + random.below(2) : 0,
    items: random.chance(0.25) ? randomItems(random) : undefined,
  };
}

function randomItems(random: Random): GraphTask["items"] {
  const each = Array.from({ length: random.below(6) }, () => randomBehaviour(random));
  const all = each.map((_, item) => item);
  return {
    isReversed: random.chance(0.3),
    startsAtOnce: random.chance(0.3),
    // Not all of them: such a task is not begun.
    omitted: random.chance(0.3) ? random.shuffled(all).slice(1).filter(() => random.chance(0.5)) : [],
    concurrency: 1 + random.below(3),
    onFailure: random.pick(ITEM_FAILURES),
    each,
  };
}

function randomBehaviour(random: Random): Behaviour {
  return {
    deferrals: random.chance(0.2) ? 1 + random.below(2) : 0,
    holds: random.chance(0.25) ? 1 + random.below(2) : 0,
    waits: random.chance(0.25) ? Array.from({ length: 1 + random.below(2) }, () => randomWake(random)) : [],
    attempts: Array.from({ length: 1 + random.below(3) }, () => random.chance(0.45) ? "fails" : "completes"),
  };
}

/** A wait for a time, for something from outside, or for both. Times count from the beginning of the wait. */
function randomWake(random: Random): Wake {
  const at = 1 + random.below(50);
  return random.pick<Wake>([{ at }, { message: true }, { message: true, at }, { child: true }, { permit: true }]);
}
