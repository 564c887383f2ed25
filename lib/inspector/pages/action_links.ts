import type { ActionLink } from "../actions.ts";
import { type Html, markup } from "./html.ts";

/** Links to tools of the user; `undefined` for none. */
export function actionLinks(links: readonly ActionLink[] | undefined, of: string): Html | undefined {
  if (links === undefined || links.length === 0) return undefined;
  return markup`
<ul class="actions" aria-label="Actions for ${of}">${
    links.map(({ label, href }) => markup`<li><a href="${href}" rel="noreferrer noopener">${label}</a></li>`)
  }</ul>`;
}
