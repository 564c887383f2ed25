import type { Message } from "../../store/port/messages.ts";
import type { Store } from "../../store/port/store.ts";
import type { ChildOutcome } from "../runs/child_outcome.ts";
import type { ChildOutcomes, LiveChildWait } from "./child_outcomes.ts";

/** What has arrived for a run, in addition to control requests. */
export interface Arrivals {
  /** Messages to its tasks. */
  readonly messages: readonly Message[];
  /** How child runs have ended whose tasks wait. */
  readonly outcomes: readonly ChildOutcome[];
}

/** Where arrivals are read. */
export interface ArrivalSources {
  readonly messages: Store["messages"];
  readonly children: ChildOutcomes;
}

/** A run for which something may have arrived. */
export interface Addressee {
  /** Its number. */
  readonly seq: number;
  /** Whether messages were sent to its tasks. */
  readonly hasMessages: boolean;
  /** Its tasks and items that wait for child runs. */
  readonly childWaits: readonly LiveChildWait[];
}

/** Reads what has arrived for runs, with at most one query of each kind; returns the arrivals of a run by its number. */
export async function readArrivals(
  runs: readonly Addressee[],
  { messages, children }: ArrivalSources,
): Promise<(seq: number) => Arrivals> {
  const addressees = runs.filter(({ hasMessages }) => hasMessages).map(({ seq }) => seq);
  const waits = runs.flatMap(({ childWaits }) => childWaits);
  const sent = Map.groupBy(addressees.length === 0 ? [] : await messages(addressees), ({ seq }) => seq);
  const ended = Map.groupBy(waits.length === 0 ? [] : await children.read(waits), ({ parent }) => parent);
  return (seq) => ({ messages: sent.get(seq) ?? [], outcomes: ended.get(seq) ?? [] });
}
