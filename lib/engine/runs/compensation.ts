/**
 * The compensation of a run in memory. When a run is to end as failed or cancelled and may have something to undo, it is
 * released with its ending in its row (`compensating`), and claimed again like any run that is due: what there is to undo
 * follows from its journal alone, whichever process carries it out.
 *
 * @module
 */
import type { ClaimedRun, RecordHead, RunEnding } from "../../store/port/batch.ts";
import { WAITS_FOR_CHILD } from "../../store/port/children.ts";
import { taskOfUndo } from "../../store/shared/undo_rows.ts";
import { childDefinitionOf } from "../machine/child_definition.ts";
import type { LiveRun, LiveUnit } from "./live_run.ts";
import type { Node, Plan } from "../machine/plan.ts";
import { NO_ITEM } from "../machine/run_state.ts";
import { restoredRun } from "./restored_run.ts";
import { type Undoable, undoPlanOf } from "./undo_plan.ts";

/** The rows of a journal of a run itself, without those of its undos. */
export function forwardHeads<Run extends Pick<ClaimedRun, "journal" | "completedItems">>(run: Run): Run {
  if (run.journal.every(({ task }) => taskOfUndo(task) === undefined)) return run;
  return {
    ...run,
    journal: run.journal.filter(({ task }) => taskOfUndo(task) === undefined),
    completedItems: run.completedItems.filter(({ task }) => taskOfUndo(task) === undefined),
  };
}

/** Whether a run in memory may have something to undo. */
export function mayCompensate({ plan, state }: LiveRun): boolean {
  return plan.compensates && state.units.some((unit) => plan.nodes[unit.node]!.mayUndo && hasEffects(unit));
}

function hasEffects({ state, attempts, expansion, wake }: LiveUnit): boolean {
  if (expansion !== undefined) return expansion.total > 0;
  return (state === "completed" && attempts > 0) || (state === "waiting" && wake?.child === true);
}

/** Loads a claimed run that is to be compensated. */
export function compensatingRun(plan: Plan, run: ClaimedRun, ending: RunEnding): LiveRun {
  const forward = forwardHeads(run);
  const base = restoredRun(plan, forward);
  const journal = Map.groupBy(forward.journal, ({ task }) => task);
  const items = Map.groupBy(forward.completedItems, ({ task }) => task);
  const undoPlan = undoPlanOf(
    plan,
    (node) => undoableOf(node, { journal: journal.get(node.id) ?? [], completedItems: items.get(node.id) ?? [] }),
  );
  const undone = run.journal.flatMap((record) => ofUndo(record));
  const undoneItems = run.completedItems.flatMap((range) => ofUndo(range));
  const omitted = undoPlan.nodes.flatMap(({ id, undo }) => undo!.omitted.map((range) => ({ task: id, ...range })));
  const live = restoredRun(undoPlan, {
    ...run,
    // The time-out of a run does not end its compensation.
    deadlineAt: undefined,
    journal: undone,
    completedItems: [...undoneItems, ...omitted],
    compensation: { base, ending, outputs: new Map(), isNew: undone.length === 0 },
  });
  live.hasChildren = undoPlan.nodes.some(({ task }) => startsChildren(task));
  return live;
}

function ofUndo<Row extends { readonly task: string }>(row: Row): readonly Row[] {
  const task = taskOfUndo(row.task);
  return task === undefined ? [] : [{ ...row, task }];
}

/** What there is to undo of a node: nothing of what a fork was given, as its effects are those of another run. */
function undoableOf(
  { task, mayUndo }: Node,
  { journal, completedItems }: Pick<ClaimedRun, "journal" | "completedItems">,
): Undoable | undefined {
  if (!mayUndo) return undefined;
  const rows = journal.filter(({ step }) => step === "");
  const own = rows.find(({ item }) => item === NO_ITEM);
  if (own === undefined || own.isCopied === true) return undefined;
  if (task.kind !== "map") {
    const isUndoable = own.state === "completed" || (task.kind === "subworkflow" && hasLiveChild(own));
    return isUndoable ? { total: 0, items: [] } : undefined;
  }
  const live = startsChildren(task) ? rows.filter((row) => row.item !== NO_ITEM && hasLiveChild(row)) : [];
  const items = [
    ...completedItems,
    ...live.map(({ item }) => ({ first: item, last: item })),
  ].sort((a, b) => a.first - b.first);
  return items.length === 0 ? undefined : { total: own.items ?? 0, items };
}

/** Whether the child run of a task or item may go on: it was cancelled with its parent, and compensates itself. */
function hasLiveChild({ state, reason }: RecordHead): boolean {
  return state === "waiting" && reason === WAITS_FOR_CHILD;
}

function startsChildren(task: Node["task"]): boolean {
  return childDefinitionOf(task, NO_ITEM) !== undefined || childDefinitionOf(task, 0) !== undefined;
}

/** How an undo reads the run as it was: the unit of the task, or what stands for one of its items. */
export function undoneUnit(unit: LiveUnit): Pick<LiveUnit, "run" | "node" | "item"> | undefined {
  const { compensation } = unit.run;
  if (compensation === undefined) return undefined;
  return { run: compensation.base, node: unit.run.plan.nodes[unit.node]!.undo!.of, item: unit.item };
}
