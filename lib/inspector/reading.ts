import type { ClientContext } from "../engine/client/client_context.ts";
import { runInfo } from "../engine/reading/run_info.ts";
import { isCancelling } from "../store/shared/hand_over.ts";
import type { ListedRun } from "../store/port/listing.ts";
import type { Actions } from "./actions.ts";
import type { Redactor } from "./redact.ts";
import type { Answer, RunLink, RunSummary } from "./shapes.ts";

/** The data source of all loaders, and how they present it. */
export interface Reading {
  /** What the inspector was made of. */
  readonly context: ClientContext;
  /** Hides redacted values. */
  readonly redactor: Redactor;
  /** Returns the links of users for what a page shows. */
  readonly actions: Actions;
  /** The path of a page or of the API. */
  path(...segments: readonly string[]): string;
}

/** The parsed request. */
export interface Asked {
  /** Parts of the path, decoded. */
  readonly params: Readonly<Record<string, string>>;
  /** What follows `?`. */
  readonly query: URLSearchParams;
}

/** Thrown by a loader that cannot return its data; `status` is the status of the response. */
export class Refusal extends Error {
  /** Name of the class. */
  override name = "Refusal";
  /** The status of the answer. */
  readonly status: 400 | 404;
  /** Creates a refusal; the client sees the message. */
  constructor(status: 400 | 404, message: string) {
    super(message);
    this.status = status;
  }
}

/** Paths below a base path. */
export function pathsBelow(basePath: string): Reading["path"] {
  return (...segments) => `${basePath}/${segments.map(encodeURIComponent).join("/")}`;
}

/** The fields that every response begins with. */
export function answer({ context: { store } }: Reading): Answer {
  return { at: store.now(), store: store.name };
}

/** Returns a run as a row of lists. */
export function summaryOf(row: ListedRun, { redactor, path }: Reading): RunSummary {
  const { deadlineAt: _, error, forkedFrom: __, schedule: ___, tick: ____, ...info } = runInfo({
    ...row,
    input: undefined,
  });
  const shown = redactor.error(["error"], error);
  return {
    ...info,
    href: path("runs", row.id),
    key: redactor.text(["key"], info.key),
    debounce: info.debounce && { ...info.debounce, key: redactor.text(["key"], info.debounce.key) },
    tags: info.tags.map((tag, at) => redactor.text(["tags", String(at)], tag)),
    runner: row.owner,
    failure: shown && cut(`${shown.name}: ${shown.message}`),
    reason: redactor.text(["reason"], info.reason),
    isCancelling: isCancelling(row),
    isStranded: row.strandedBy !== undefined,
  };
}

/** A link to a run. */
export function linkTo(
  { id, state }: Pick<ListedRun, "id"> & Partial<ListedRun>,
  { path }: Pick<Reading, "path">,
): RunLink {
  return { id, href: path("runs", id), state };
}

/** Truncates a text. */
export function cut(text: string, longest = 300): string {
  return text.length <= longest ? text : `${text.slice(0, longest)}…`;
}
