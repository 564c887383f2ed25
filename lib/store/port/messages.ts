/** The types of messages to tasks of a run. */
import type { RunState } from "./batch.ts";

/** What a message is addressed to. */
export interface MessageAddress {
  /** The id of the task. */
  readonly task: string;
  /** The number of the item, from 0; -1 for the task itself. @default {-1} */
  readonly item?: number;
  /** The number of the blocked attempt that the message resolves; 0 for a message to an event. @default {0} */
  readonly attempt?: number;
}

/** A message to send. */
export interface SendRequest extends MessageAddress {
  /** A new UUID, by which a repeated attempt recognises its own message. */
  readonly id: string;
  /** The payload as JSON text; `undefined` for none. */
  readonly payload: string | undefined;
}

/** The result of `send()`. */
export type SendResult =
  /** `accepted` is false if the task has a message already, or does not wait for one any more. */
  | { readonly kind: "done"; readonly accepted: boolean }
  /** The run has ended, or is being compensated: its state. */
  | { readonly kind: "ended"; readonly state: RunState }
  /** The run does not exist. */
  | { readonly kind: "unknown" };

/** A message that was accepted. */
export interface Message extends Required<MessageAddress> {
  /** The run. */
  readonly seq: number;
  /** The payload as JSON text. */
  readonly payload: string | undefined;
}

/** When a message was sent that was accepted. */
export interface Delivery extends Required<MessageAddress> {
  /** The time of the message. */
  readonly at: number;
}

/** A unit whose attempt has ended without a result and that waits for a decision. */
export interface BlockedUnit extends Required<MessageAddress> {
  /** The id of the run. */
  readonly runId: string;
  /** The name of its workflow. */
  readonly workflow: string;
  /** When the attempt started. */
  readonly startedAt: number | undefined;
}

/** The result of `closeMailbox()`. */
export type Mailbox =
  /** The task has no message, and none is accepted any more. */
  | { readonly kind: "closed" }
  /** A message was accepted before. */
  | { readonly kind: "message"; readonly payload: string | undefined };

/**
 * Returns the column that says whether a run has messages, for a query of `runs`; `messages` is the name of the table.
 * `attention` is 0 for most runs, which saves the search.
 */
export function hasMessagesSql(messages: string): string {
  return `case when attention > 0
            then (select 1 from ${messages} as m where m.run = seq and m.id is not null limit 1)
       end as has_messages`;
}

/** Decodes the column of `hasMessagesSql`. */
export function hasMessages(row: Readonly<Record<string, unknown>>): boolean {
  return row["has_messages"] === 1;
}
