import type { EventDefinition } from "../../definition/definition.ts";
import { encodeJson } from "../../definition/json.ts";
import { didYouMean } from "../../definition/nearest.ts";
import { validate } from "../../definition/schema.ts";
import { RunNotFoundError, RunStateError, UnknownTaskError, UnknownWorkflowError } from "../../errors.ts";
import type { SendRequest } from "../../store/port/messages.ts";
import type { RunRow } from "../../store/port/store.ts";
import type { StoredDefinition } from "../catalog.ts";
import type { ClientContext } from "./client_context.ts";
import type { Plan } from "../machine/plan.ts";
import { isOver } from "../reading/run_reader.ts";

/** A message to an event task. */
export interface EventMessage {
  /** The id of the task. */
  readonly taskId: string;
  /** The payload, before validation. */
  readonly payload: unknown;
}

/**
 * Sends a message to an event task of a run; resolves when the message is durable. The first message to a task is
 * accepted.
 *
 * @throws {RunNotFoundError} If the run does not exist.
 * @throws {RunStateError} If the run has ended, or is being compensated.
 * @throws {UnknownWorkflowError} If its workflow is not registered here: its schema validates the payload.
 * @throws {UnknownTaskError} If the workflow has no event task with this id.
 * @throws {ValidationError} If the schema of the task rejects the payload.
 * @throws {PayloadError} If the payload cannot be stored as JSON or is too large.
 */
export async function sendMessage(
  context: ClientContext,
  runId: string,
  { taskId, payload }: EventMessage,
): Promise<{ readonly accepted: boolean }> {
  const check: PayloadCheck = async ({ workflow }, action) => {
    const { schema } = eventOf(context.catalog.find(workflow, `${action} of`), taskId, action);
    return await validate(schema, payload, `Cannot ${action}: the payload for task "${taskId}"`);
  };
  return await sendChecked(context, runId, { taskId, check });
}

/**
 * Sends a message whose payload is not validated, in a process without the code of the workflow.
 *
 * @throws {RunNotFoundError} If the run does not exist.
 * @throws {RunStateError} If the run has ended, or is being compensated.
 * @throws {UnknownWorkflowError} If the definition of the workflow is not stored.
 * @throws {UnknownTaskError} If the workflow has no event task with this id.
 * @throws {PayloadError} If the payload cannot be stored as JSON or is too large.
 */
export async function sendUnchecked(
  context: ClientContext,
  runId: string,
  { taskId, payload }: EventMessage,
): Promise<{ readonly accepted: boolean }> {
  const check: PayloadCheck = async (row, action) => {
    const definition = await context.reader.definition(row);
    if (definition === undefined) {
      const why = `the definition of version ${row.version} of its workflow "${row.workflow}" is not stored`;
      throw new UnknownWorkflowError(row.workflow, `Cannot ${action}: ${why}`);
    }
    checkEvent(definition, taskId, action);
    return payload;
  };
  return await sendChecked(context, runId, { taskId, check });
}

/** Returns the payload to send, given the row of the run and the name of the action for errors. */
type PayloadCheck = (row: RunRow, action: string) => Promise<unknown>;

async function sendChecked(
  context: ClientContext,
  runId: string,
  { taskId, check }: { readonly taskId: string; readonly check: PayloadCheck },
): Promise<{ readonly accepted: boolean }> {
  const row = await context.reader.row(runId);
  if (isOver(row.state)) throw new RunStateError("send a message to", runId, row.state);
  const value = await check(row, `send a message to run "${runId}"`);
  const message = { task: taskId, payload: encodeJson(value, "payload", context.maxPayloadBytes) };
  return { accepted: await deliver(context, runId, { message, action: "send a message to" }) };
}

/** A message to deliver, and the beginning of the error message if its run has ended. */
export interface Delivery {
  readonly message: Omit<SendRequest, "id">;
  readonly action: string;
}

/**
 * Writes a message to a unit of a run and wakes the run; returns whether the message was accepted.
 *
 * @throws {RunNotFoundError} If the run does not exist.
 * @throws {RunStateError} If the run has ended, or is being compensated.
 */
export async function deliver(
  { store, applyChanges }: Pick<ClientContext, "store" | "applyChanges">,
  runId: string,
  { message, action }: Delivery,
): Promise<boolean> {
  const result = await store.send(runId, { id: crypto.randomUUID(), ...message });
  switch (result.kind) {
    case "unknown":
      throw new RunNotFoundError(runId);
    case "ended":
      throw new RunStateError(action, runId, result.state);
    case "done":
      void applyChanges();
      return result.accepted;
  }
}

function eventOf({ workflow, nodes, numbers }: Plan, taskId: string, action: string): EventDefinition {
  const number = numbers.get(taskId);
  const task = number === undefined ? undefined : nodes[number]!.task;
  if (task?.kind === "event") return task;
  throw noEvent(workflow, taskId, action);
}

function checkEvent(definition: StoredDefinition, taskId: string, action: string): void {
  const task = definition.tasks.find(({ id }) => id === taskId);
  if (task?.kind !== "event") throw noEvent(definition, taskId, action);
}

function noEvent({ name, tasks }: Tasks, taskId: string, action: string): UnknownTaskError {
  const task = tasks.find(({ id }) => id === taskId);
  const events = tasks.filter(({ kind }) => kind === "event").map(({ id }) => id);
  const why = task === undefined
    ? `has no task "${taskId}"${didYouMean(taskId, events)}`
    : `has no event "${taskId}": this task is a ${task.kind}`;
  return new UnknownTaskError(taskId, `Cannot ${action}: workflow "${name}" ${why}`);
}

/** A workflow, as far as its events are looked for. */
interface Tasks {
  readonly name: string;
  readonly tasks: readonly { readonly id: string; readonly kind: string }[];
}
