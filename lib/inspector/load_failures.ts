import { distinctWorkflows } from "./load_runs.ts";
import type { FailureGroups, FailuresPage } from "./overview_shape.ts";
import { textOf, timeOf } from "./query.ts";
import { answer, type Asked, linkTo, type Reading } from "./reading.ts";
import { REDACTED } from "./redact.ts";

/** The most failed runs that are grouped. */
const BUDGET = 5_000;

const MOST_GROUPS = 100;
const LONGEST_SEARCH = 200;

/**
 * Failed runs grouped by their error.
 *
 * @throws {Refusal} If the query cannot be understood.
 */
export async function loadFailures(reading: Reading, { query }: Asked): Promise<FailuresPage> {
  const workflow = textOf(query, "workflow");
  const since = timeOf(query, "since");
  const [groups, workflows] = await Promise.all([
    failureGroups(reading, { workflow, since, limit: MOST_GROUPS }),
    distinctWorkflows(reading),
  ]);
  return { ...answer(reading), workflow, since, workflows, ...groups };
}

/** Which failures to group. */
export interface FailuresOf {
  /** Only runs of this workflow. */
  readonly workflow: string | undefined;
  /** Only runs that ended at this time or later. */
  readonly since: number | undefined;
  /** The maximum number of groups. */
  readonly limit: number;
}

/** Groups failed runs: by their error or, where parts of errors are hidden, by their workflow. */
export async function failureGroups(
  { context: { store }, redactor, path }: Reading,
  { workflow, since, limit }: FailuresOf,
): Promise<FailureGroups> {
  const isByWorkflow = redactor.hidesErrors;
  const by = isByWorkflow ? "workflow" : "error";
  const { groups, groupCount, runs, isCapped } = await store.inspection.failures({
    workflow,
    endedSince: since,
    by,
    budget: BUDGET,
    limit,
  });
  const hrefOf = (error: string | undefined, [of = ""]: readonly string[]): string => {
    const search = new URLSearchParams({ state: "failed" });
    const isShown = !isByWorkflow && (error === undefined || redactor.errorLine(error) === error);
    if (!isShown || workflow !== undefined) search.set("workflow", workflow ?? of);
    if (isShown && error !== undefined) search.set("error", beginningOf(error));
    return `${path("runs")}?${search}`;
  };
  return {
    groups: groups.map(({ error, runs, workflows, latestId, firstEndedAt, lastEndedAt }) => ({
      error: isByWorkflow ? REDACTED : error === undefined ? "no error is recorded" : redactor.errorLine(error),
      runs,
      workflows,
      href: hrefOf(error, workflows),
      latest: linkTo({ id: latestId, state: "failed" }, { path }),
      firstEndedAt,
      lastEndedAt,
    })),
    groupCount,
    grouped: runs,
    isCapped,
    isByWorkflow,
  };
}

/** A search text that is short enough for a URL and does not end within a surrogate pair or a redaction. */
function beginningOf(error: string): string {
  return [...error.split("\ufffd", 1)[0]!].slice(0, LONGEST_SEARCH).join("").trim();
}
