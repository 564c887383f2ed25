import { type Hole, type Html, markup } from "./html.ts";

/** A table. */
export interface Table {
  /** Identifies the table in its page, so that updates keep its scroll position. */
  readonly id: string;
  /** What it holds, for those who cannot see it. */
  readonly caption: string;
  /** The heads of its columns. */
  readonly heads: readonly Head[];
  /** Its rows, each a `<tr>`. */
  readonly rows: readonly Html[];
}

/** The head of a column. Numbers are aligned to the right. */
export type Head = string | { readonly number: string } | { readonly unseen: string };

/** A table that scrolls horizontally if it is wider than the page. */
export function table({ id, caption, heads, rows }: Table): Html {
  return markup`
<div class="scroll" id="${id}" tabindex="0" role="region" aria-label="${caption}">
<table class="rows">
<caption class="visually-hidden">${caption}</caption>
<thead><tr>${heads.map(headOf)}</tr></thead>
<tbody id="${id}-rows">${rows}</tbody>
</table>
</div>`;
}

function headOf(head: Head): Html {
  if (typeof head === "string") return markup`<th scope="col">${head}</th>`;
  if ("number" in head) return markup`<th scope="col" class="number">${head.number}</th>`;
  return markup`<th scope="col"><span class="visually-hidden">${head.unseen}</span></th>`;
}

/** A cell of a column of numbers. */
export function numberCell(content: Hole): Html {
  return markup`<td class="number">${content}</td>`;
}
