import type { Problem, View } from "../shapes.ts";
import { type Html, markup } from "./html.ts";
import { page } from "./page.ts";

/** The page of an error response. */
export function problemPage({ status, message }: Problem, view: View): Html {
  const title = TITLES[status] ?? (status < 500 ? "Request refused" : "Internal error");
  const content = markup`
<h1>${title}</h1>
<p>${message}</p>
<p class="note">Status ${status}. <a href="${view.basePath}/runs">Go to the runs</a></p>
`;
  return page({ title, section: undefined, answer: undefined, jsonHref: undefined, content }, view);
}

const TITLES: Readonly<Record<number, string>> = {
  400: "Bad request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "There is no page at this address",
  405: "Method not allowed",
  503: "Service unavailable",
};
