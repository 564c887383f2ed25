import type { Problem, View } from "../shapes.ts";
import { type Html, markup } from "./html.ts";
import { page } from "./page.ts";

/** What a refusal looks like. */
export function problemPage({ status, message }: Problem, view: View): Html {
  const title = TITLES[status] ?? (status < 500 ? "That cannot be answered" : "Something went wrong");
  const content = markup`
<h1>${title}</h1>
<p>${message}</p>
<p class="note">Status ${status}. <a href="${view.basePath}/runs">Go to the runs</a></p>
`;
  return page({ title, section: undefined, answer: undefined, jsonHref: undefined, content }, view);
}

const TITLES: Readonly<Record<number, string>> = {
  400: "That is not understood",
  401: "Sign in first",
  403: "This is not for you to see",
  404: "There is nothing here",
  405: "Only looking is possible here",
  503: "Not now",
};
