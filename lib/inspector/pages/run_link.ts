import type { RunLink } from "../shapes.ts";
import { type Html, markup } from "./html.ts";
import { stateBadge } from "./states.ts";

/** A run as a link with its state, and with the task or item that starts it. */
export function runLink({ id, href, state, task, item }: RunLink): Html {
  const place = task === undefined ? undefined : item === undefined ? task : `${task} [${item}]`;
  return markup`
<span class="run-link"><a href="${href}"><code>${id}</code></a> ${
    state === undefined ? markup`<span class="note">deleted</span>` : stateBadge(state)
  }${place !== undefined && markup` <span class="note">${place}</span>`}</span>
`;
}
