import type { TaskArguments, TaskStatus } from "../../definition/context.ts";
import { decodeJson } from "../../definition/json.ts";
import { StoreError } from "../../errors.ts";
import { nodeOf } from "../runs/attempt.ts";
import { undoneUnit } from "../runs/compensation.ts";
import { outputTextOf } from "../runs/expanded_unit.ts";
import { decodeOutput } from "../runs/expansion.ts";
import type { Attempt, LiveRun, LiveUnit } from "../runs/live_run.ts";
import { hasEnded, NO_ITEM, statusOf, unitKey } from "../machine/run_state.ts";

/** Longer outputs are decoded for an item only if its body reads them: its map has many items. In characters. */
const LONGEST_DECODED = 1_000;

/**
 * Returns what a body receives. Each body gets its own copy of each output, decoded from the stored text: no body can
 * change what another body receives, and a resumed run receives the same as an uninterrupted one.
 *
 * @throws {StoreError} `corrupt_row`, if the store has no valid text of it.
 */
export function argumentsOf(attempt: Attempt, tx?: unknown): TaskArguments {
  if (attempt.unreadable !== undefined) throw attempt.unreadable;
  const undone = undoneUnit(attempt.unit);
  const unit = undone ?? attempt.unit;
  const { run } = unit;
  const args = run.plan.newRecord();
  const status = run.plan.newRecord<TaskStatus>();
  const { before, reads } = run.plan.nodes[unit.node]!;
  const add = unit.item === NO_ITEM ? addOutput : addLazily;
  for (const number of reads.length === 0 ? before : [...before, ...reads]) {
    status[run.plan.nodes[number]!.id] = statusOf(run.state.units[number]!);
    add(args, run, number);
  }
  if (unit.item === NO_ITEM) args["input"] = decodeJson(run.input, "the input of the run");
  else addItem(args, unit);
  args["ctx"] = attempt.context;
  args["status"] = status;
  if (tx !== undefined) args["tx"] = tx;
  if (undone !== undefined) args["output"] = undoneOutput(attempt.unit, undone);
  return args as TaskArguments;
}

/**
 * Returns what a hook receives: what the body received, but for the transaction, and `own`. Each hook gets its own copy of
 * each output, decoded when the hook reads it.
 */
export function hookArgumentsOf<Own extends object>(attempt: Attempt, own: Own): TaskArguments & Own {
  const { unit: { run }, unreadable } = attempt;
  const args = run.plan.newRecord();
  const status = run.plan.newRecord<TaskStatus>();
  const { before, reads } = nodeOf(attempt);
  for (const number of reads.length === 0 ? before : [...before, ...reads]) {
    const { id } = run.plan.nodes[number]!;
    const unit = run.state.units[number]!;
    const text = outputTextOf(unit);
    status[id] = statusOf(unit);
    defineLazily(args, id, () => {
      if (unreadable !== undefined) throw unreadable;
      return decodeOutput(text, id);
    });
  }
  defineLazily(args, "input", () => decodeJson(run.input, "the input of the run"));
  return Object.assign(args, { ctx: attempt.context, status }, own) as TaskArguments & Own;
}

/** The output of the task, or of the item, that a unit undoes. */
function undoneOutput({ run, node, item }: LiveUnit, undone: Pick<LiveUnit, "run" | "node">): unknown {
  const text = item === NO_ITEM
    ? outputTextOf(undone.run.state.units[undone.node]!)
    : run.compensation!.outputs.get(unitKey({ node, item }));
  return decodeOutput(text, undone.run.plan.nodes[undone.node]!.id);
}

type Args = Record<string, unknown>;

function addOutput(args: Args, { plan, state }: LiveRun, number: number): void {
  const { id } = plan.nodes[number]!;
  args[id] = decodeOutput(outputTextOf(state.units[number]!), id);
}

function addLazily(args: Args, run: LiveRun, number: number): void {
  const { id } = run.plan.nodes[number]!;
  const text = outputTextOf(run.state.units[number]!);
  if (text === undefined || (typeof text === "string" && text.length <= LONGEST_DECODED)) {
    return addOutput(args, run, number);
  }
  defineLazily(args, id, () => decodeOutput(text, id));
}

function addItem(args: Args, { run, node, item }: Pick<LiveUnit, "run" | "node" | "item">): void {
  const { elements } = run.state.units[node]!.expansion!;
  const { id } = run.plan.nodes[node]!;
  if (elements === undefined) {
    throw new StoreError("corrupt_row", `Cannot read the items of task "${id}": none are stored`);
  }
  args["item"] = decodeJson(elements.at(item), `item ${item}`, id);
  args["index"] = item;
  const { input } = run;
  if (input === undefined || input.length <= LONGEST_DECODED) args["input"] = decodeJson(input, "the input of the run");
  else defineLazily(args, "input", () => decodeJson(input, "the input of the run"));
}

/** Adds a property that is decoded when it is first read. */
function defineLazily(args: Args, name: string, decode: () => unknown): void {
  const define = (property: PropertyDescriptor): unknown =>
    Object.defineProperty(args, name, { enumerable: true, configurable: true, ...property });
  define({
    get() {
      const value = decode();
      define({ value, writable: true });
      return value;
    },
  });
}

/**
 * Releases the outputs of maps that no unit of the run reads any more, given a node that has ended. Small ones stay for the
 * outcome of the run, like the outputs of other tasks.
 */
export function releaseOutputs({ run, node }: LiveUnit): void {
  const { before, reads } = run.plan.nodes[node]!;
  for (const number of before) releaseOutput(run, number);
  for (const number of reads) releaseOutput(run, number);
}

function releaseOutput({ plan, state }: LiveRun, number: number): void {
  const unit = state.units[number]!;
  const { expansion } = unit;
  if (expansion?.outputs === undefined || expansion.kept !== undefined || isRead({ plan, state }, number)) return;
  expansion.outputs = undefined;
  unit.isStored = true;
}

/** Whether the body or the hook of a node has yet to read the output of another one. */
function isRead({ plan, state }: Pick<LiveRun, "plan" | "state">, number: number): boolean {
  return plan.nodes.some(({ before, reads }, reader) => {
    const unit = state.units[reader]!;
    // A unit has its attempt until its end is durable.
    return (!hasEnded(unit) || unit.attempt !== undefined) && (before.includes(number) || reads.includes(number));
  });
}
