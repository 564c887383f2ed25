import type { LimitLane, LimitPermit, LimitsPage } from "../limit_shape.ts";
import type { View } from "../shapes.ts";
import { type Html, markup } from "./html.ts";
import { page } from "./page.ts";
import { numberCell, table } from "./table.ts";
import { duration, moment } from "./times.ts";

/** The limits in use, with holders of slots and waiters. */
export function limitsPage(data: LimitsPage, view: View): Html {
  const { limit, lanes, at, hasMore } = data;
  const query = limit === undefined ? "" : `?limit=${encodeURIComponent(limit)}`;
  return page({
    title: limit === undefined ? "Limits" : `Limit ${limit}`,
    section: "limits",
    answer: data,
    jsonHref: `${view.basePath}/api/limits${query}`,
    content: markup`
${limit !== undefined && markup`<p class="crumbs"><a href="${view.basePath}/limits">Limits</a></p>`}
<h1>${limit === undefined ? "Limits" : markup`Limit <code>${limit}</code>`}</h1>
${
      lanes.length === 0 ? markup`<p class="empty">No limit is in use: nothing holds or waits for a slot.</p>` : table({
        id: "limits",
        caption: "Limits in use by key, the most waited for first",
        heads: ["Limit", "Key", "Places", { number: "Held" }, { number: "Waiting" }, "Held by", "Next"],
        rows: lanes.map((lane) => laneRow(lane, at)),
      })
    }
${hasMore && markup`<p class="note">More keys are in use; <code>sluice limits</code> lists them.</p>`}
`,
  }, view);
}

function laneRow({ limit, href, key, max, per, held, waiting, holders, waiters }: LimitLane, at: number): Html {
  const label = `Slots of limit ${limit} in use`;
  return markup`
<tr>
<th scope="row"><a href="${href}"><code>${limit}</code></a></th>
<td>${key.length === 0 ? "–" : markup`<code>${key.join(" / ")}</code>`}</td>
<td>${max}${per !== undefined && ` per ${duration(per)}`}</td>
<td class="number"><progress max="${max}" value="${
    Math.min(held, max)
  }" aria-label="${label}"></progress><br>${held}</td>
${numberCell(waiting)}
<td>${per === undefined ? permitList(holders, held, at) : markup`<span class="note">starts</span>`}</td>
<td>${permitList(waiters, waiting, at)}</td>
</tr>`;
}

function permitList(permits: readonly LimitPermit[], count: number, at: number): Html | string {
  if (permits.length === 0) return "–";
  const more = count - permits.length;
  return markup`${permits.map((permit) => markup`${permitView(permit, at)}<br>`)}${
    more > 0 && markup`<span class="note">and ${more} more</span>`
  }`;
}

function permitView({ run: { id, href, task, item }, workflow, since }: LimitPermit, at: number): Html {
  const place = task === undefined ? undefined : item === undefined ? task : `${task} [${item}]`;
  return markup`<a href="${href}">${workflow} <code>${id}</code></a>${
    place !== undefined && markup` <span class="note">${place}</span>`
  } <span class="note">since ${moment(since, at)}</span>`;
}
