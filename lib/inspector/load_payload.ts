import type { PayloadName } from "../store/port/inspection.ts";
import { redactedItem } from "./load_items.ts";
import { type Asked, type Reading, Refusal } from "./reading.ts";
import { rowOf } from "./run_row.ts";

/**
 * Returns a complete input.
 *
 * @throws {Refusal} With status 404 if it is missing.
 */
export async function loadInput(reading: Reading, { params }: Asked): Promise<string> {
  const { input } = await rowOf(reading, params["id"] ?? "");
  return shown(reading, ["input"], input);
}

/**
 * Returns the complete output of a task.
 *
 * @throws {Refusal} With status 404 if it is missing.
 */
export async function loadOutput(reading: Reading, { params }: Asked): Promise<string> {
  const task = params["task"] ?? "";
  return await load(reading, params["id"] ?? "", { kind: "output", task, item: -1, step: "" }, [
    "tasks",
    task,
    "output",
  ]);
}

/**
 * Returns the complete output of an item.
 *
 * @throws {Refusal} With status 404 if it is missing.
 */
export async function loadItemOutput(reading: Reading, { params }: Asked): Promise<string> {
  const { id = "", task = "" } = params;
  const item = /^\d{1,9}$/.test(params["item"] ?? "") ? Number(params["item"]) : undefined;
  const { seq } = await rowOf(reading, id);
  const name = item === undefined ? undefined : { kind: "output", task, item, step: "" } as const;
  const text = name && await reading.context.store.inspection.payload(seq, name);
  if (item === undefined || text === undefined) throw new Refusal(404, "There is no such payload");
  return redactedItem(reading, { task, item, text });
}

/**
 * Returns the complete output of a step.
 *
 * @throws {Refusal} With status 404 if it is missing.
 */
export async function loadStep(reading: Reading, { params }: Asked): Promise<string> {
  const { task = "", name = "" } = params;
  const path = ["tasks", task, "steps", name];
  return await load(reading, params["id"] ?? "", { kind: "output", task, item: -1, step: name }, path);
}

async function load(reading: Reading, id: string, name: PayloadName, path: readonly string[]): Promise<string> {
  const { seq } = await rowOf(reading, id);
  return shown(reading, path, await reading.context.store.inspection.payload(seq, name));
}

function shown({ redactor }: Reading, path: readonly string[], text: string | undefined): string {
  if (text === undefined) throw new Refusal(404, "There is no such payload");
  return redactor.json(path, text);
}
