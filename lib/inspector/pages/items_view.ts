import { itemsInWords } from "../../engine/reading/items_info.ts";
import type { ItemState } from "../../engine/reading/item_page.ts";
import type { TaskState } from "../../store/port/batch.ts";
import type { ItemCell, ItemCounts, MapDetail } from "../map_shape.ts";
import { type Html, markup } from "./html.ts";
import { counted, grouped } from "./labels.ts";
import { stateBadge, stateSymbol } from "./states.ts";

/** The states of items in the order of the bar, and whether items in them can be listed. */
const STATES: readonly (readonly [state: TaskState & keyof ItemCounts, listed: ItemState | undefined])[] = [
  ["completed", "completed"],
  ["compensated", "compensated"],
  ["failed", "failed"],
  ["blocked", "blocked"],
  ["running", "running"],
  ["waiting", "waiting"],
  ["pending", undefined],
  ["cancelled", undefined],
];

/** The items of a map on its run's page: a bar, the counts, and the first items as links. */
export function mapView(taskId: string, { counts, href, cells }: MapDetail): Html {
  const first = cells.length < counts.total ? `Items 0 to ${cells.length - 1}` : "Items";
  return markup`
<h3>Items</h3>
${itemBar(taskId, counts)}
${itemCounts(counts, href)}
${
    cells.length > 0 && markup`
<ol class="items" aria-label="${first} of ${taskId}">${cells.map((cell) => linkedCell(cell, href))}</ol>
`
  }
<p class="note">${cells.length < counts.total && cells.length > 0 && `${first} are shown. `}<a href="${href}">All ${
    counted(counts.total, "item")
  } of ${taskId}, with attempts and errors</a></p>
`;
}

/** The counts by state as a bar. */
export function itemBar(taskId: string, counts: ItemCounts): Html {
  const { total } = counts;
  let from = 0;
  const parts = STATES.flatMap(([state]) => {
    const share = total === 0 ? 0 : 100 * counts[state] / total;
    const part = { state, from, share };
    from += share;
    return share === 0 || state === "pending" ? [] : [part];
  });
  return markup`
<svg class="item-bar" width="100%" height="10" role="img" aria-label="${taskId}: ${itemsInWords(counts)}">${
    parts.map(({ state, from, share }) =>
      markup`<rect class="s-${state}" x="${percent(from)}" width="${percent(share)}" height="10"/>`
    )
  }</svg>`;
}

// Three decimals, so that one item in a million has a width.
function percent(share: number): string {
  return `${Math.round(share * 1_000) / 1_000}%`;
}

/** The counts by state, each a link to the items in it; `current` is the state that is shown. */
export function itemCounts(counts: ItemCounts, href: string, current?: ItemState): Html {
  const entries = STATES.filter(([state]) => counts[state] > 0).map(([state, listed]) => {
    const words = stateBadge(state, `${grouped(counts[state])} ${state}`);
    if (listed === undefined) return markup`<li>${words}</li>`;
    return markup`<li><a href="${href}?state=${listed}"${
      listed === current && markup` aria-current="true"`
    }>${words}</a></li>`;
  });
  return markup`<ul class="tally">${entries}</ul>`;
}

/** The state of an item in a few words. */
export function cellTitle({ index, state, attempts, failure, child }: ItemCell): string {
  const tries = attempts > 1 ? ` after ${attempts} attempts` : "";
  const why = failure === undefined ? "" : state === "completed" ? `; previous failure: ${failure}` : `: ${failure}`;
  const run = child?.state === undefined ? "" : `; child run ${child.state}`;
  return `item ${index}: ${state}${tries}${why}${run}`;
}

/** The content of a cell: the symbol of the state, and the index. */
export function cellFace({ index, state }: ItemCell): Html {
  return markup`${stateSymbol(state)}<span class="visually-hidden">${state}: </span>${index}`;
}

function linkedCell(cell: ItemCell, href: string): Html {
  const { index, state, child } = cell;
  const to = child?.href ?? `${href}?from=${index}#item-${index}`;
  return markup`<li><a class="item s-${state}" href="${to}" title="${cellTitle(cell)}">${cellFace(cell)}</a></li>`;
}
