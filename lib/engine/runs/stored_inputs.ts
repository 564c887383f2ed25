/**
 * What attempts of a resumed run read and only the store has: outputs of dependencies, the items of a map, and outputs of
 * steps. It is read when an attempt needs it.
 *
 * @module
 */
import type { JournalOutput, OutputsRequest } from "../../store/port/outputs.ts";
import { nodeOf } from "./attempt.ts";
import { childDefinitionOf } from "../machine/child_definition.ts";
import { undoneUnit } from "./compensation.ts";
import { elementsOf } from "./elements.ts";
import { itemOutputs } from "./expansion.ts";
import { COLLECTED } from "../machine/items.ts";
import type { Attempt, LiveRun, LiveUnit } from "./live_run.ts";
import { NO_ITEM, unitKey } from "../machine/run_state.ts";

/** Something to read, and what takes it in. */
export interface StoredInput {
  readonly request: OutputsRequest;
  readonly receive: (rows: readonly JournalOutput[]) => void;
}

const NOTHING: readonly StoredInput[] = [];

/** Returns what an attempt reads that is not in memory. */
export function storedInputsOf({ unit }: Attempt): readonly StoredInput[] {
  const undone = undoneUnit(unit);
  return undone === undefined ? inputsOf(unit) : inputsOf(unit, undone, ownOutputOf(unit, undone));
}

/** What the body of a unit reads that is not in memory: the dependencies are its own, or those of what it undoes. */
function inputsOf(
  unit: LiveUnit,
  { run, node }: Pick<LiveUnit, "run" | "node"> = unit,
  own: StoredInput | undefined = undefined,
): readonly StoredInput[] {
  const { before, reads, readsOutputs } = run.plan.nodes[node]!;
  let inputs: StoredInput[] | undefined = own === undefined ? undefined : [own];
  if (readsOutputs) {
    for (const number of before) if (run.state.units[number]!.isStored) (inputs ??= []).push(outputOf(run, number));
    for (const number of reads) if (run.state.units[number]!.isStored) (inputs ??= []).push(outputOf(run, number));
  }
  if (unit.item !== NO_ITEM && run.state.units[node]!.expansion!.elements === undefined) {
    (inputs ??= []).push(elementsFor(run, node));
  }
  const steps = unit.run.storedSteps?.get(unitKey(unit));
  if (steps !== undefined) (inputs ??= []).push(stepsOf(unit, steps));
  return inputs ?? NOTHING;
}

/** The output that an undo receives; that of a child run is not read. */
function ownOutputOf(
  unit: LiveUnit,
  { run, node, item }: Pick<LiveUnit, "run" | "node" | "item">,
): StoredInput | undefined {
  const { id, task } = run.plan.nodes[node]!;
  if (childDefinitionOf(task, item) !== undefined) return undefined;
  if (item === NO_ITEM) return task.kind !== "map" && run.state.units[node]!.isStored ? outputOf(run, node) : undefined;
  return {
    request: { seq: run.seq, task: id, of: "results", item },
    receive: ([row]) => void unit.run.compensation!.outputs.set(unitKey(unit), row?.output),
  };
}

function outputOf({ seq, plan, state }: LiveRun, number: number): StoredInput {
  const unit = state.units[number]!;
  const { expansion } = unit;
  const task = plan.nodes[number]!.id;
  return {
    request: { seq, task, of: "results", ...(expansion === undefined ? { item: NO_ITEM } : {}) },
    receive(rows) {
      if (!unit.isStored) return;
      unit.isStored = false;
      if (expansion === undefined) unit.output = rows[0]?.output;
      else expansion.outputs = itemOutputs(expansion.total, unit.reason === COLLECTED, rows);
    },
  };
}

function elementsFor({ seq, plan, state }: LiveRun, number: number): StoredInput {
  return {
    request: { seq, task: plan.nodes[number]!.id, of: "input" },
    receive([row]) {
      const { expansion } = state.units[number]!;
      if (row?.output !== undefined) expansion!.elements ??= elementsOf(row.output, expansion!.total);
    },
  };
}

function stepsOf(unit: LiveUnit, names: readonly string[]): StoredInput {
  const { run, item } = unit;
  return {
    request: { seq: run.seq, task: nodeOf({ unit }).row, of: "steps", item },
    receive(rows) {
      const outputs = new Map(rows.map(({ step, output }) => [step, output]));
      const steps = unit.steps ??= new Map();
      // A step without an output has no row here. What the unit has run since is newer.
      for (const name of names) if (!steps.has(name)) steps.set(name, Promise.resolve(outputs.get(name)));
      run.storedSteps?.delete(unitKey(unit));
    },
  };
}
