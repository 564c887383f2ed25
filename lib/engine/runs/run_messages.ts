import type { Message, MessageAddress } from "../../store/port/messages.ts";
import { type LiveRun, type LiveUnit, unitsOf } from "./live_run.ts";

/** Adds messages to a run. The first message to a task is the only one. */
export function receive(run: LiveRun, messages: readonly Message[]): void {
  run.messages ??= new Map();
  for (const { payload, ...address } of messages) run.messages.set(keyOf(address), payload);
}

/** Adds messages to a run that has not begun: units that wait for them continue when it begins. */
export function receiveEarly(run: LiveRun, messages: readonly Message[]): void {
  if (messages.length === 0) return;
  receive(run, messages);
  for (const unit of unitsOf(run)) if (unit.wake?.message === true && hasMessage(unit)) unit.wokenBy = "message";
}

/** Whether a message to a unit has arrived. */
export function hasMessage(unit: LiveUnit): boolean {
  return unit.run.messages !== undefined && unit.run.messages.has(keyOf(addressOf(unit)));
}

/** The payload of the message to a unit, as JSON text. */
export function messageOf(unit: LiveUnit): string | undefined {
  return unit.run.messages?.get(keyOf(addressOf(unit)));
}

/** A message to an event has no attempt; the others decide about a blocked attempt. */
function addressOf({ run, node, item, attempts }: LiveUnit): Required<MessageAddress> {
  const { id, task } = run.plan.nodes[node]!;
  return { task: id, item, attempt: task.kind === "event" ? 0 : attempts };
}

function keyOf({ task, item, attempt }: Required<MessageAddress>): string {
  return `${attempt}/${item}/${task}`;
}
