/** A large tree of runs, and schedules with many ticks to catch up. */
import { type AnyWorkflow, type Schedule, schedule, unchecked, workflow } from "../../mod.ts";

/** The children of a tree; each has a child too, so that a tree exceeds what one transaction changes. */
export const CHILDREN = 600;
/** The number of schedules, and the interval of their ticks. */
export const SCHEDULES = 20;
export const EVERY_MS = 100;

const grandchild = workflow("grandchild", { version: "1" }).event("answer", { schema: unchecked<string>() });
const child = workflow("child", { version: "1" }).subworkflow("below", { workflow: grandchild });

/** A run with many descendants, all of which wait. */
export const tree = workflow("tree", { version: "1" }).map("all", {
  over: () => Array.from({ length: CHILDREN }, (_, index) => index),
  workflow: child,
});

const tick = workflow("tick", { version: "1" }).task("work", { run: () => 1 });

/** All workflows. */
export const treeWorkflows: readonly AnyWorkflow[] = [tree, child, grandchild, tick];

/** The schedules, which start a run for each tick. */
export function tickSchedules(): Schedule[] {
  return Array.from({ length: SCHEDULES }, (_, at) =>
    schedule({
      name: `s${at}`,
      workflow: tick,
      every: EVERY_MS,
      overlap: "allow",
      catchUp: "all",
      maxCatchUp: 10_000,
    }));
}
