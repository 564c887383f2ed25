import { itemsInWords } from "../../engine/reading/items_info.ts";
import type { ItemDetail, ItemsPage } from "../item_shape.ts";
import type { View } from "../shapes.ts";
import { attemptsView } from "./attempts_view.ts";
import { type Html, markup } from "./html.ts";
import { cellFace, cellTitle, itemBar, itemCounts } from "./items_view.ts";
import { counted, grouped, taskAnchor } from "./labels.ts";
import { page } from "./page.ts";
import { clip, errorView, payloadView } from "./payload.ts";
import { runLink } from "./run_link.ts";
import { stateBadge } from "./states.ts";
import { fact } from "./task_list.ts";
import { date, duration, moment } from "./times.ts";

/** The items of a map, each a cell that unfolds. */
export function itemsPage(data: ItemsPage, view: View): Html {
  const { run, taskId, counts, state, items, firstHref } = data;
  return page({
    title: `${taskId} of ${run.workflow}`,
    section: "runs",
    answer: data,
    jsonHref: jsonHref(data, view),
    status: `${taskId}: ${itemsInWords(counts)}`,
    againAfter: run.endedAt !== undefined ? undefined : counts.running > 0 ? 10 : 60,
    content: markup`
<p class="crumbs"><a href="${view.basePath}/runs">Runs</a> › <a href="${run.href}">${run.workflow} <code>${run.id}</code></a> › <a href="${run.href}#${
      taskAnchor(taskId)
    }"><code>${taskId}</code></a></p>
<h1>Items of ${taskId}</h1>
${itemBar(taskId, counts)}
${itemCounts(counts, firstHref, state)}
${state !== undefined && markup`<p><a href="${firstHref}">Items in any state</a></p>`}
<section id="items-part" aria-labelledby="items">
<h2 id="items">${rangeWords(data)}</h2>
${
      items.length === 0
        ? markup`<p class="empty">${emptyWords(data)}</p>`
        : markup`<div class="items" id="items-view">${items.map((item) => itemCell(item, data))}</div>`
    }
</section>
${pager(data)}
`,
  }, view);
}

function jsonHref({ run, taskId, state, from }: ItemsPage, { basePath }: View): string {
  const query = new URLSearchParams({ ...state && { state }, ...from > 0 && { from: `${from}` } });
  const path = `${basePath}/api/runs/${encodeURIComponent(run.id)}/tasks/${
    encodeURIComponent(taskId.toWellFormed())
  }/items`;
  return query.size === 0 ? path : `${path}?${query}`;
}

function rangeWords({ items, counts, state }: ItemsPage): string {
  const [first, last] = [items[0]?.index, items.at(-1)?.index];
  const total = counted(counts.total, "item");
  if (first === undefined || last === undefined) return total;
  if (state !== undefined) {
    return `${counted(items.length, `${state} item`)}, from ${grouped(first)} to ${grouped(last)}`;
  }
  return items.length === counts.total
    ? total
    : `Items ${grouped(first)} to ${grouped(last)} of ${grouped(counts.total)}`;
}

function emptyWords({ state, counts, searchedTo, from }: ItemsPage): string {
  if (searchedTo !== undefined) return "No such items so far.";
  if (from > 0) return "No more items.";
  if (state !== undefined) return `No item is ${state}.`;
  return counts.total === 0 ? "No items: the array of the map is empty or not computed yet." : "No items.";
}

/** An item whose details unfold over the full width. */
function itemCell(item: ItemDetail, { at, run }: ItemsPage): Html {
  const { index, state, reason, error, history, startedAt, endedAt, dueAt, attempts, child, output, progress } = item;
  return markup`
<details class="item s-${state}" id="item-${index}">
<summary title="${cellTitle(item)}">${cellFace(item)}</summary>
<div class="item-body">
<dl class="facts">
${fact("Item", `${index}`)}
${fact("State", stateBadge(state))}
${fact("Attempts", `${attempts}`)}
${child !== undefined && fact("Child run", runLink(child))}
${startedAt !== undefined && fact("Latest start", date(startedAt))}
${
    startedAt !== undefined && endedAt !== undefined &&
    fact("Duration of the latest attempt", duration(endedAt - startedAt))
  }
${dueAt !== undefined && state === "waiting" && fact("Continues", moment(dueAt, at))}
${reason !== undefined && child === undefined && fact("Reason", clip(reason, 500))}
${progress !== undefined && fact("Progress", progressWords(progress))}
</dl>
${error && !history.some(({ error }) => error) && errorView(error)}
${output && markup`<h3>Output</h3>${payloadView(output, `Output of item ${index}`)}`}
${attemptsView(item, run.startedAt)}
</div>
</details>
`;
}

function progressWords({ done, total, message }: NonNullable<ItemDetail["progress"]>): Html {
  const words = total === undefined ? `${done} done` : `${done} of ${total}`;
  return markup`${words}${message !== undefined && markup`: ${clip(message, 500)}`}`;
}

function pager({ from, state, firstHref, previousHref, nextHref, searchedTo, counts }: ItemsPage): Html {
  return markup`${
    searchedTo !== undefined &&
    markup`<p class="note">Searched the items up to ${grouped(searchedTo)} of ${
      grouped(counts.total)
    }, the limit of one request.</p>`
  }<nav class="pager" aria-label="More items">${
    from > 0 && markup`<a href="${firstHref}" rel="first">First items</a>`
  }${previousHref !== undefined && markup`<a href="${previousHref}" rel="prev">Previous items</a>`}${
    nextHref !== undefined &&
    markup`<a href="${nextHref}" rel="next">${searchedTo === undefined ? "Next items" : "Continue search"}</a>`
  }</nav>
${
    (from > 0 || nextHref !== undefined) && markup`
<form class="filter" method="get" action="${firstHref}" role="search" aria-label="Items">
${state !== undefined && markup`<input type="hidden" name="state" value="${state}">`}
<label>From item <input name="from" value="${from}" inputmode="numeric" pattern="[0-9]+" autocomplete="off" size="9"></label>
<button>Show</button>
</form>`
  }`;
}
