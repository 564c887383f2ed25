/**
 * The data of the inspector: the responses of its JSON API, from which its pages are rendered.
 *
 * A member whose value is `undefined` is left out of the JSON. Times are milliseconds since the epoch by the store's
 * clock. Paths (`href`) begin with the base path under which the inspector is mounted. Text is as users wrote it: it
 * must be escaped for display.
 *
 * @module
 */
import type { BoundedCount, StateCounts } from "../engine/telemetry/run_counts.ts";
import type { RunInfo } from "../engine/reading/run_info.ts";
import type { RunState } from "../store/port/batch.ts";
import type { ActionLink } from "./actions.ts";
import type { Layout } from "./pages/graph_layout.ts";
import type { RunSample, TaskSample } from "./sample_shape.ts";

/** The fields that every response begins with. */
export interface Answer {
  /** When it was read, by the store's clock. */
  readonly at: number;
  /** Which store it is about, without any password. */
  readonly store: string;
}

/** Which runs were asked for; in the address it is `?workflow=etl&state=failed&state=paused&tag=eu&since=…&until=…&q=…&error=…&parked=true`. */
export interface RunsFilter {
  /** Of this workflow. */
  readonly workflow: string | undefined;
  /** In one of these states; empty for any. */
  readonly states: readonly RunState[];
  /** With all of these tags. */
  readonly tags: readonly string[];
  /** Inserted at this time or later. */
  readonly since: number | undefined;
  /** Inserted before this time. */
  readonly until: number | undefined;
  /** With an id or a key that begins like this, or with this very tag. */
  readonly q: string | undefined;
  /** With this text in their error: in `name: message` or the code, or in those of its cause. */
  readonly error: string | undefined;
  /** Whether only parked runs were asked for, which no live runner can continue. */
  readonly isParked: boolean;
}

/** The fields of `list()` that a list shows. Redaction hides both keys together, and each tag by itself. */
type ListedInfo = Omit<RunInfo, "deadlineAt" | "error" | "forkedFrom" | "schedule" | "tick" | "input">;

/** A run in a list. */
export interface RunSummary extends ListedInfo {
  /** Its page. */
  readonly href: string;
  /** The runner that owns it. */
  readonly runner: number | undefined;
  /** Why it failed, in short: `TypeError: rows is undefined`. */
  readonly failure: string | undefined;
  /** Whether a cancel is recorded that has not ended it yet. */
  readonly isCancelling: boolean;
  /** Whether no running version of its workflow can continue it. */
  readonly isStranded: boolean;
}

/** `/runs` and `/api/runs`: runs, newest first. */
export interface RunsPage extends Answer {
  /** What was asked for. */
  readonly filter: RunsFilter;
  /** All runs by state, whatever was asked for. */
  readonly counts: StateCounts;
  /** Names of workflows, to choose from. */
  readonly workflows: readonly string[];
  /** The runs. */
  readonly runs: readonly RunSummary[];
  /** Whether this is not the first page. */
  readonly isContinued: boolean;
  /** The first page of the same. */
  readonly firstHref: string;
  /** The next page; `undefined` for the last page. */
  readonly nextHref: string | undefined;
  /** What `?cursor=` is on the next page. */
  readonly cursor: string | undefined;
  /**
   * Set if the search stopped before the page was full because it reached the limit of one request: runs that were
   * inserted before this time were not searched, and the next page continues there.
   */
  readonly searchedBackTo: number | undefined;
}

/** A node of a workflow's graph. */
export interface GraphTask {
  /** Its id. */
  readonly id: string;
  /** What it does: `task`, `transaction`, … */
  readonly kind: string;
  /** Ids of the tasks it depends on. */
  readonly after: readonly string[];
  /** How these must have ended: `success`, `settled`, `anySucceeded`, `anyFailed`, `allFailed`. */
  readonly on: string;
  /** Whether it has a `when`. */
  readonly isConditional: boolean;
  /** Whether it, its items or its child runs may have something to undo. */
  readonly mayUndo: boolean;
  /** Number of attempts in all; `undefined` if the defaults of a runner state it, which are not stored. */
  readonly attempts: number | undefined;
  /** The maximum duration of an attempt. */
  readonly timeoutMs: number | undefined;
  /** What bounds its attempts, items or child runs; absent if there are no limits. */
  readonly limits?: readonly GraphLimit[];
}

/** A limit on concurrency or rate, as a version states it. */
export interface GraphLimit {
  /** Its name. */
  readonly name: string;
  /** Its lanes. */
  readonly href: string;
  /** How many places each key has. */
  readonly max: number;
  /** The period of a rate limit, in milliseconds; `undefined` for a limit of concurrency. */
  readonly per: number | undefined;
  /** Whether each key has places of its own. */
  readonly isKeyed: boolean;
}

/** A workflow's graph as it was defined in one version. */
export interface Graph {
  /** Whether the definition of that version is stored. If not, `tasks` are those of which something is recorded. */
  readonly isKnown: boolean;
  /** What the workflow is for. */
  readonly description: string | undefined;
  /** The task whose output is the result; without it the result is every output by id. */
  readonly result: string | undefined;
  /** Its tasks, dependencies first; at most 1,000, with 10,000 dependencies. */
  readonly tasks: readonly GraphTask[];
  /** What is left out of a larger graph, such as `left out: 9,000 tasks`. */
  readonly leftOut?: string;
  /** What bounds its runs; absent if there are no limits. */
  readonly limits?: readonly GraphLimit[];
}

/** A related run. */
export interface RunLink {
  /** Its id. */
  readonly id: string;
  /** Its page. */
  readonly href: string;
  /** Where it is; `undefined` if it is not there any more. */
  readonly state: RunState | undefined;
  /** Of a child run the task of its parent, and the index of the item. */
  readonly task?: string | undefined;
  /** The index of the item; `undefined` for the task itself. */
  readonly item?: number | undefined;
}

/** A workflow in a list. */
export interface WorkflowSummary {
  /** Its name. */
  readonly name: string;
  /** Its page. */
  readonly href: string;
  /** Its runs. */
  readonly runsHref: string;
  /** How many versions of it are stored. */
  readonly versions: number;
  /** The version stored last. */
  readonly latestVersion: string;
  /** When that was stored. */
  readonly definedAt: number;
  /** Ids of the runners that are alive and have it. */
  readonly runners: readonly number[];
  /** Its runs among the latest of the store. */
  readonly sample: RunSample;
}

/** `/workflows` and `/api/workflows`: the registered workflows. */
export interface WorkflowsPage extends Answer {
  /** The workflows, by name. */
  readonly workflows: readonly WorkflowSummary[];
  /** How many of the latest runs the samples are of. */
  readonly sampled: number;
  /** Whether there are more workflows or versions than are told here. */
  readonly isTruncated: boolean;
}

/** A version of a workflow. */
export interface VersionSummary {
  /** 16 hex digits. */
  readonly version: string;
  /** The same of its structure, without code: equal if only bodies differ. */
  readonly structure: string;
  /** When a runner first registered it. */
  readonly definedAt: number;
  /** The page of the workflow with this version's graph. */
  readonly href: string;
  /** Ids of the runners that are alive and have it. */
  readonly runners: readonly number[];
  /** Its runs among the latest of the workflow. */
  readonly sample: RunSample;
}

/** `/workflows/:name` and `/api/workflows/:name`, with `?version=` for an older version. */
export interface WorkflowPage extends Answer {
  /** Its name. */
  readonly name: string;
  /** Its runs. */
  readonly runsHref: string;
  /** Its versions, newest first; at most fifty. */
  readonly versions: readonly VersionSummary[];
  /** How many versions are stored. */
  readonly versionCount: number;
  /** The version of which `graph` and `tasks` are. */
  readonly version: string;
  /** Links to tools of the user. */
  readonly actions: readonly ActionLink[];
  /** The graph of that version. */
  readonly graph: Graph;
  /** All of its versions among its latest runs. */
  readonly sample: RunSample;
  /** Its tasks among the latest runs of that version that have ended, in the order of the graph. */
  readonly tasks: readonly TaskSample[];
  /** Of how many runs `tasks` are. */
  readonly sampledRuns: number;
}

/** A runner. */
export interface RunnerSummary {
  /** Its number. */
  readonly id: number;
  /** The machine it runs on. */
  readonly host: string;
  /** Its process. */
  readonly pid: number;
  /** When it joined. */
  readonly startedAt: number;
  /** Until when it is believed alive. */
  readonly leaseUntil: number;
  /** Whether its lease holds. */
  readonly isAlive: boolean;
  /** Whether it is the one that the inspector was made of. */
  readonly isThis: boolean;
  /** What it can execute. */
  readonly workflows: readonly { readonly name: string; readonly version: string; readonly href: string }[];
  /** Whether it claims only its very versions. */
  readonly isPinned: boolean;
  /** How many bodies at once. */
  readonly concurrency: number;
  /** How many runs at once. */
  readonly maxRuns: number;
  /** How many runs it has. */
  readonly runs: BoundedCount;
  /** Bodies that run in it and bodies that wait for a place; known only of `isThis`. */
  readonly bodies: { readonly active: number; readonly queued: number } | undefined;
}

/** `/runners` and `/api/runners`. */
export interface RunnersPage extends Answer {
  /** The runners, by number. */
  readonly runners: readonly RunnerSummary[];
  /** Runs that are due and not owned by a runner. */
  readonly backlog: BoundedCount;
  /** When the oldest of them became due; `undefined` without such runs. */
  readonly oldestDueAt: number | undefined;
  /** Runs that no living runner can carry on, and why; at most a hundred. */
  readonly stranded: readonly (RunLink & { readonly workflow: string; readonly reason: string })[];
}

/** An error response, as JSON or as a page. */
export interface Problem {
  /** The status of the answer. */
  readonly status: number;
  /** What is wrong, in a sentence. */
  readonly message: string;
}

/** What rendering a page requires in addition to its data. */
export interface View {
  /** What the inspector is called. */
  readonly title: string;
  /** What stands before every path of the inspector: `""` or `"/ops"`. */
  readonly basePath: string;
  /** Where server-sent events of this page come from; `undefined` where nothing can change any more. */
  readonly liveHref: string | undefined;
  /** The layouts of graphs that were drawn before. */
  readonly layouts: Map<string, Layout>;
}
