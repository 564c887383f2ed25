import type { Failure } from "../../errors.ts";
import type { JournalOutput } from "../../store/port/outputs.ts";
import { decodeJson } from "../../definition/json.ts";
import { type Elements, elementsOf } from "./elements.ts";

/** The number of failed items of which a map records the last failure. */
const MOST_FAILURES = 10;

/** Outputs of more items, or of more characters together, are read from the store when a task needs them. */
const MOST_KEPT = { items: 100_000, characters: 1024 * 1024 };

/** What is known of the items of a node in memory. */
export interface Expansion {
  /** The number of items. */
  readonly total: number;
  /** The number of items with their array, until they are written. */
  unwritten: NewItems | undefined;
  /** The items; `undefined` if only the store has them. */
  elements: Elements | undefined;
  /** The number of failed items. */
  failed: number;
  /** The last failures of the items that failed first. */
  failures: readonly Failure[];
  /** The outputs of the items; `undefined` if only the store has them. */
  outputs: ItemOutputs | undefined;
  /** The outputs of items that have ended, if all of them are kept so far; once the map has ended they are its outputs. */
  kept: KeptOutputs | undefined;
}

/** Outputs of items that have ended in this process: the tasks after the map need not read them. */
interface KeptOutputs {
  readonly outputs: (string | undefined)[];
  ended: number;
  characters: number;
}

/** The outputs of the items of a map as JSON texts, in the order of the items. */
export type ItemOutputs = readonly (string | undefined)[];

/** Items that no row contains yet. */
export interface NewItems {
  /** Their array as JSON text; `undefined` for the items of an undo, whose array is that of the task. */
  readonly text: string | undefined;
}

/** An expansion into items; `unwritten` is `undefined` if a row contains them. */
export function newExpansion(total: number, unwritten: NewItems | undefined): Expansion {
  const text = unwritten?.text;
  const isKept = text !== undefined && total <= MOST_KEPT.items;
  return {
    total,
    unwritten,
    elements: text === undefined ? undefined : elementsOf(text, total),
    failed: 0,
    failures: [],
    outputs: undefined,
    kept: isKept ? { outputs: new Array<undefined>(total).fill(undefined), ended: 0, characters: 0 } : undefined,
  };
}

/** Keeps the output of an item that has completed. */
export function keepOutput(
  expansion: Expansion,
  { item, output, isCollected }: {
    readonly item: number;
    readonly output: string | undefined;
    readonly isCollected: boolean;
  },
): void {
  const { kept } = expansion;
  if (kept === undefined) return;
  kept.outputs[item] = isCollected ? collected(output) : output;
  kept.ended++;
  kept.characters += output?.length ?? 0;
  if (kept.characters > MOST_KEPT.characters) expansion.kept = undefined;
}

/** Makes the kept outputs those of the map; returns whether there are no others. */
export function takeKept(expansion: Expansion): boolean {
  const { kept, total } = expansion;
  if (kept?.ended !== total) expansion.kept = undefined;
  expansion.outputs = expansion.kept?.outputs;
  return expansion.kept !== undefined;
}

/** Adds the last failure of an item that failed. */
export function addItemFailure(expansion: Expansion, failure: Failure): void {
  expansion.failed++;
  if (expansion.failures.length === MOST_FAILURES) return;
  expansion.failures = [...expansion.failures, failure];
}

/** Assembles the outputs of a map from the rows of its items. A map that collects contains failures, too. */
export function itemOutputs(total: number, isCollected: boolean, rows: readonly JournalOutput[]): ItemOutputs {
  const outputs = new Array<string | undefined>(total).fill(isCollected ? collected(undefined) : undefined);
  for (const { item, output, error } of rows) {
    if (item < 0) continue;
    if (!isCollected) outputs[item] = output;
    else if (output !== undefined) outputs[item] = collected(output);
    else if (error !== undefined) outputs[item] = `{"ok":false,"error":${JSON.stringify(error)}}`;
  }
  return outputs;
}

/** The element of a map that collects for an item that has completed. */
function collected(output: string | undefined): string {
  return output === undefined ? '{"ok":true}' : `{"ok":true,"value":${output}}`;
}

/** An output as it is stored: JSON text, or the outputs of the items of a map. */
export type OutputText = string | ItemOutputs | undefined;

/** Decodes an output. */
export function decodeOutput(stored: OutputText, taskId?: string): unknown {
  if (stored === undefined) return undefined;
  if (typeof stored === "string") return decodeJson(stored, "the output", taskId);
  // One text is decoded in a third of the time of its elements; JSON has no array with elements that are undefined.
  if (!stored.includes(undefined)) return decodeJson(`[${stored.join(",")}]`, "the outputs of items", taskId);
  return stored.map((text) => decodeJson(text, "the output of an item", taskId));
}
