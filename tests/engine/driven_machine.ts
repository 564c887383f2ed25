/** The state machine driven by hand, with its commands as text. */
import type { DynamicBody } from "../../lib/definition/dynamic.ts";
import { dynamicWorkflow } from "../../mod.ts";
import { advance } from "../../lib/engine/machine/machine.ts";
import type { Command, MachineEvent } from "../../lib/engine/machine/machine_protocol.ts";
import { type ItemPolicy, type Plan, planOf } from "../../lib/engine/machine/plan.ts";
import { newRunState, NO_ITEM, type RecordedUnit, Unit, type WokenBy } from "../../lib/engine/machine/run_state.ts";

/** A task of an example; with `items` it expands. */
export interface ExampleTask extends Omit<DynamicBody, "run"> {
  readonly items?: ItemPolicy;
}

/** Two tasks, one after the other. */
export const CHAIN: readonly ExampleTask[] = [{ id: "a" }, { id: "b", after: ["a"] }];

/** A row of a journal. */
export function recorded(node: number, state: RecordedUnit["state"], item: number = NO_ITEM): RecordedUnit {
  return { node, item, state, attempts: 1, wake: undefined, reason: undefined, items: undefined };
}

/** A run whose events and commands name units as `a`, or as `a/0` for an item. */
export interface DrivenMachine {
  /** What it returned for `started`. */
  readonly commands: readonly string[];
  tell(event: MachineEvent): string[];
  completed(id: string): string[];
  conditionFailed(id: string): string[];
  durable(id: string): string[];
  woken(id: string, by?: WokenBy): string[];
  failed(id: string, retryAt?: number): string[];
  abandoned(id: string): string[];
  expanded(id: string, items: number): string[];
  attempts(id: string): number;
  reasons(): Record<string, string | undefined>;
  /** The unit; an item must have begun. */
  unit(id: string): Unit;
}

/** A run that has started. */
export function started(
  tasks: readonly ExampleTask[],
  returns?: string,
  journal: readonly RecordedUnit[] = [],
): DrivenMachine {
  const plan = planOfTasks(tasks, returns);
  const items = new Map<string, Unit>();
  const run = newRunState(plan, { newUnit }, journal);
  const tell = (event: MachineEvent): string[] => [...advance(plan, run, event)].map(show);
  return {
    commands: tell({ type: "started" }),
    tell,
    completed: (id) => tell({ type: "completed", unit: unit(id) }),
    conditionFailed: (id) => tell({ type: "conditionFailed", unit: unit(id) }),
    durable: (id) => tell({ type: "durable", unit: unit(id) }),
    woken: (id, by = "time") => tell({ type: "woken", unit: unit(id), by }),
    failed: (id, retryAt) => tell({ type: "failed", unit: unit(id), retryAt }),
    abandoned: (id) => tell({ type: "abandoned", unit: unit(id) }),
    expanded: (id, count) => tell({ type: "expanded", unit: unit(id), items: count }),
    attempts: (id) => unit(id).attempts,
    reasons: () => Object.fromEntries(run.units.map((each) => [nameOf(each), each.reason])),
    unit,
  };

  function newUnit(node: number, item: number): Unit {
    const made = new Unit(plan, node, item);
    if (item !== NO_ITEM) items.set(nameOf(made), made);
    return made;
  }

  function unit(id: string): Unit {
    return items.get(id) ?? run.units[plan.numbers.get(id)!]!;
  }

  function nameOf({ node, item }: Unit): string {
    const { id } = plan.nodes[node]!;
    return item === NO_ITEM ? id : `${id}/${item}`;
  }

  function show(command: Command): string {
    switch (command.do) {
      case "start":
      case "record":
        return `${command.do} ${nameOf(command.unit)}`;
      case "continue":
        return `continue ${nameOf(command.unit)} by ${command.by}`;
      case "wait":
        return `wait ${nameOf(command.unit)} ${
          command.wake.at === undefined ? "for ever" : `until ${command.wake.at}`
        }`;
      case "park":
        return `park ${command.at === undefined ? "for ever" : `until ${command.at}`}`;
      case "end":
        return `end ${command.as}`;
      case "abort":
        return command.unit === undefined ? "abort" : `abort ${nameOf(command.unit)}`;
      case "cancelChildren":
        return `cancel children of ${nameOf(command.unit)}`;
      case "release":
        return command.do;
    }
  }
}

function planOfTasks(tasks: readonly ExampleTask[], returns: string | undefined): Plan {
  const plan = planOf(dynamicWorkflow({
    name: "example",
    tasks: tasks.map(({ items: _, ...task }) => ({ ...task, run: () => null })),
    ...(returns === undefined ? {} : { returns }),
  }));
  return { ...plan, nodes: plan.nodes.map((node, number) => ({ ...node, items: tasks[number]!.items })) };
}
