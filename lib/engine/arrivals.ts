import type { Message } from "../store/messages.ts";
import type { Store } from "../store/port.ts";
import type { InboxEntry } from "../store/runners.ts";
import type { ChildOutcome } from "./child_outcome.ts";
import type { ChildOutcomes } from "./child_outcomes.ts";

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

/** Reads what has arrived for runs, with at most one query of each kind; returns the arrivals of a run by its number. */
export async function readArrivals(
  runs: readonly Pick<InboxEntry, "seq" | "hasMessages" | "hasChildren">[],
  { messages, children }: ArrivalSources,
): Promise<(seq: number) => Arrivals> {
  const addressees = runs.filter(({ hasMessages }) => hasMessages);
  const parents = runs.filter(({ hasChildren }) => hasChildren);
  const sent = Map.groupBy(await readFor(addressees, messages), ({ seq }) => seq);
  const ended = Map.groupBy(await readFor(parents, children.read), ({ parent }) => parent);
  return (seq) => ({ messages: sent.get(seq) ?? [], outcomes: ended.get(seq) ?? [] });
}

async function readFor<T>(
  runs: readonly Pick<InboxEntry, "seq">[],
  read: (runs: readonly number[]) => Promise<readonly T[]>,
): Promise<readonly T[]> {
  return runs.length === 0 ? [] : await read(runs.map(({ seq }) => seq));
}
