import { thrownMessage } from "../definition/thrown_message.ts";
import type { Logger } from "../logger.ts";
import type { RunState, TaskState } from "../store/port/batch.ts";

/** The object of a page for which links are wanted. Fields that `redact` hides are `"[redacted]"`. */
export type ActionSubject =
  /** A run. */
  | {
    readonly kind: "run";
    readonly runId: string;
    readonly workflow: string;
    readonly version: string;
    readonly state: RunState;
    readonly key: string | undefined;
    readonly tags: readonly string[];
  }
  /** A task of a run. */
  | {
    readonly kind: "task";
    readonly runId: string;
    readonly workflow: string;
    readonly taskId: string;
    readonly state: TaskState;
  }
  /** A version of a workflow. */
  | { readonly kind: "workflow"; readonly workflow: string; readonly version: string };

/** A link to a tool of yours, such as one that retries a run, or to its log lines. */
export interface ActionLink {
  /** The text of the link; at most 100 characters are shown. */
  readonly label: string;
  /** An `http:` or `https:` URL, or a path of the site that serves the inspector. */
  readonly href: string;
}

/** Returns the links to show with a run, a task or a workflow; called whenever a page is rendered. */
export type Actions = (subject: ActionSubject) => readonly ActionLink[];

const MOST_LINKS = 10;
const LONGEST_LABEL = 100;
const LONGEST_HREF = 4_000;

/** Makes `actions` safe for pages: the returned function never throws, and drops links whose URL could run a script. */
export function safeActions(actions: Actions | undefined, logger: Logger): Actions {
  if (actions === undefined) return () => [];
  return (subject) => {
    try {
      const links: unknown = actions(subject);
      if (!Array.isArray(links)) throw new TypeError("it must return an array of links");
      return links.slice(0, MOST_LINKS).map(checkedLink);
    } catch (error) {
      logger.error(`Cannot show the links of a ${subject.kind}: actions failed`, { error: thrownMessage(error) });
      return [];
    }
  };
}

function checkedLink(link: Partial<ActionLink> | undefined): ActionLink {
  const { label, href } = link ?? {};
  if (typeof label !== "string" || typeof href !== "string") throw new TypeError("a link needs a label and an href");
  if (!isNavigable(href)) {
    throw new TypeError(
      `the href of ${JSON.stringify(label.slice(0, LONGEST_LABEL))} must be an http(s) URL or a path`,
    );
  }
  return { label: label.slice(0, LONGEST_LABEL).toWellFormed(), href };
}

function isNavigable(href: string): boolean {
  if (href.length > LONGEST_HREF || !/^(https?:\/\/|\/)/i.test(href)) return false;
  return URL.canParse(href, "http://localhost");
}
