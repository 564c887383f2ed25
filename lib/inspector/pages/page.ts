import { createHash } from "node:crypto";
import type { Answer, View } from "../shapes.ts";
import { type Hole, type Html, markup, trusted } from "./html.ts";
import { SCRIPT } from "./script.ts";
import { symbolSheet } from "./states.ts";
import { STYLE } from "./style.ts";
import { date } from "./times.ts";

/** A page with its content. */
export interface Frame {
  /** The title of the browser tab. */
  readonly title: string;
  /** The current entry of the menu; `undefined` for none. */
  readonly section: Section | undefined;
  /** The data of the page; undefined for error pages, which reveal nothing of a store. */
  readonly answer: Answer | undefined;
  /** The URL of the same data as JSON. */
  readonly jsonHref: string | undefined;
  /** The text that screen readers announce when it changes. */
  readonly status?: string;
  /** Seconds after which the page is outdated by time alone, for example while a task runs. @default {undefined} never */
  readonly againAfter?: number | undefined;
  /** How many seconds at least lie between two readings of a page that follows what it shows. @default {1} */
  readonly leastBetween?: number;
  /** The content. */
  readonly content: Hole;
}

/** An entry of the menu. */
export type Section = keyof typeof SECTIONS;

const SECTIONS = {
  overview: "Overview",
  runs: "Runs",
  failures: "Failures",
  workflows: "Workflows",
  schedules: "Schedules",
  limits: "Limits",
  runners: "Runners",
} as const;

/** The whole document. */
export function page(frame: Frame, view: View): Html {
  const { title, answer, jsonHref, status, againAfter, leastBetween, content } = frame;
  const at = answer?.at;
  return markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta name="robots" content="noindex">
<title>${title} · ${view.title}</title>
<link rel="icon" href="${ICON}">
<style>${trusted(STYLE)}</style>
</head>
<body data-live="${view.liveHref ?? ""}">
${symbolSheet()}
<a class="skip" href="#main">Skip to the content</a>
<header class="top">
<a class="brand" href="${view.basePath}/overview">${view.title}</a>
${menu(frame.section, view)}
<span class="live" id="live" hidden></span>
</header>
<main id="main" tabindex="-1" data-at="${at}" data-status="${status}" data-again="${againAfter}" data-between="${leastBetween}">
${content}
</main>
<footer id="footer">
${answer && markup`<span><code>${answer.store}</code></span> <span>as of ${date(answer.at)}</span>`}
${jsonHref !== undefined && markup`<a href="${jsonHref}">This page as JSON</a>`}
</footer>
<p class="visually-hidden" id="announcer" role="status"></p>
<script>${trusted(SCRIPT)}</script>
</body>
</html>
`;
}

/**
 * The content security policy of a page: it may apply its style, run its script, fetch from its origin, and nothing else.
 * Style and script are named by their hashes, so the policy is the same for every response.
 */
export const contentSecurityPolicy: string = [
  "default-src 'none'",
  `style-src '${hashOf(STYLE)}'`,
  `script-src '${hashOf(SCRIPT)}'`,
  "connect-src 'self'",
  "form-action 'self'",
  "img-src data:",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join("; ");

function hashOf(text: string): string {
  return `sha256-${createHash("sha256").update(text).digest("base64")}`;
}

// Three boxes of a graph. Its own document, so the page's policy needs nothing but `img-src data:`.
const ICON = `data:image/svg+xml,${
  encodeURIComponent(
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><g fill="none" stroke="#2f7be0" stroke-width="2">' +
      '<path d="M8 6v2M8 8H4v2m4-2h4v2"/></g><g fill="#2f7be0"><rect x="5" y="1" width="6" height="5" rx="1"/>' +
      '<rect x="1" y="10" width="6" height="5" rx="1"/><rect x="9" y="10" width="6" height="5" rx="1"/></g></svg>',
  )
}`;

function menu(current: Section | undefined, { basePath }: View): Html {
  return markup`
<nav aria-label="Pages">
<ul>${
    Object.entries(SECTIONS).map(([section, words]) =>
      section === current
        ? markup`<li><a href="${basePath}/${section}" aria-current="page">${words}</a></li>`
        : markup`<li><a href="${basePath}/${section}">${words}</a></li>`
    )
  }</ul>
</nav>
`;
}
