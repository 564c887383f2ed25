/**
 * The shape of the page of a map's items. The conventions of shapes.ts apply.
 *
 * @module
 */
import type { Progress } from "../engine/reading/events.ts";
import type { ItemState } from "../engine/reading/item_page.ts";
import type { ErrorRecord } from "../errors.ts";
import type { ItemCell, ItemCounts } from "./map_shape.ts";
import type { AttemptDetail, Payload } from "./run_shape.ts";
import type { Answer, RunLink } from "./shapes.ts";

/** An item with its recorded data. */
export interface ItemDetail extends ItemCell {
  /** What it waits for. */
  readonly reason: string | undefined;
  /** When its latest attempt began. */
  readonly startedAt: number | undefined;
  /** When it ended. */
  readonly endedAt: number | undefined;
  /** When a waiting item continues. */
  readonly dueAt: number | undefined;
  /** Its output, if it completed and has one. */
  readonly output: Payload | undefined;
  /** What its latest failed attempt threw, with causes. */
  readonly error: ErrorRecord | undefined;
  /** Its attempts, oldest first; of more than ten failed ones the first and the nine latest. */
  readonly history: readonly AttemptDetail[];
  /** What its body said last of how far it is. */
  readonly progress: Progress | undefined;
}

/** `/runs/:id/tasks/:task/items` and the same below `/api`, with `?state=`, `?from=` and `?limit=`: items of a map. */
export interface ItemsPage extends Answer {
  /** The run. */
  readonly run: RunLink & {
    /** Its workflow's name. */
    readonly workflow: string;
    /** When a runner first took it; before that, when it was inserted. */
    readonly startedAt: number;
    /** When it ended. */
    readonly endedAt: number | undefined;
  };
  /** The map. */
  readonly taskId: string;
  /** How many items are in which state. */
  readonly counts: ItemCounts;
  /** The state that was asked for; `undefined` for any. */
  readonly state: ItemState | undefined;
  /** The index from which on items were asked for. */
  readonly from: number;
  /** The items, in ascending order; without a state also those that have not started. */
  readonly items: readonly ItemDetail[];
  /** The items of any state, from the first on. */
  readonly firstHref: string;
  /** The previous page; `undefined` for the first page, or if items are filtered by state. */
  readonly previousHref: string | undefined;
  /** The next page; `undefined` for the last page. */
  readonly nextHref: string | undefined;
  /**
   * Set if a search for items in a state stopped before the page was full because it reached the limit of one request:
   * the index of the last item that it read.
   */
  readonly searchedTo: number | undefined;
}
