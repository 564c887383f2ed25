/**
 * What attempts of a resumed run read and only the store has: outputs of dependencies, the items of a map, and outputs of
 * steps. It is read when an attempt needs it.
 *
 * @module
 */
import type { JournalOutput, OutputsRequest } from "../store/batch.ts";
import { nodeOf } from "./attempt.ts";
import { elementsOf } from "./elements.ts";
import { itemOutputs } from "./expansion.ts";
import { COLLECTED } from "./items.ts";
import type { Attempt, LiveRun, LiveUnit } from "./live_run.ts";
import { NO_ITEM, unitKey } from "./run_state.ts";

/** Something to read, and what takes it in. */
export interface StoredInput {
  readonly request: OutputsRequest;
  readonly receive: (rows: readonly JournalOutput[]) => void;
}

const NOTHING: readonly StoredInput[] = [];

/** Returns what an attempt reads that is not in memory. */
export function storedInputsOf({ unit }: Attempt): readonly StoredInput[] {
  const { run } = unit;
  const { before, reads } = nodeOf({ unit });
  let inputs: StoredInput[] | undefined;
  for (const number of before) if (run.state.units[number]!.isStored) (inputs ??= []).push(outputOf(run, number));
  for (const number of reads) if (run.state.units[number]!.isStored) (inputs ??= []).push(outputOf(run, number));
  if (unit.item !== NO_ITEM && run.state.units[unit.node]!.expansion!.elements === undefined) {
    (inputs ??= []).push(elementsFor(run, unit.node));
  }
  const steps = run.storedSteps?.get(unitKey(unit));
  if (steps !== undefined) (inputs ??= []).push(stepsOf(unit, steps));
  return inputs ?? NOTHING;
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
    request: { seq: run.seq, task: nodeOf({ unit }).id, of: "steps", item },
    receive(rows) {
      const outputs = new Map(rows.map(({ step, output }) => [step, output]));
      const steps = unit.steps ??= new Map();
      // A step without an output has no row here. What the unit has run since is newer.
      for (const name of names) if (!steps.has(name)) steps.set(name, Promise.resolve(outputs.get(name)));
      run.storedSteps?.delete(unitKey(unit));
    },
  };
}
