/** Data of pages, of the shape that the inspector reads from a store. */
import type { BoundedCount } from "../../lib/engine/telemetry/run_counts.ts";
import type { FailuresPage, OverviewPage } from "../../lib/inspector/overview_shape.ts";
import type { SchedulesPage } from "../../lib/inspector/schedule_shape.ts";
import type { AttemptDetail, Payload, RunPage, TaskDetail } from "../../lib/inspector/run_shape.ts";
import type { ItemDetail, ItemsPage } from "../../lib/inspector/item_shape.ts";
import type { ItemCounts } from "../../lib/inspector/map_shape.ts";
import type {
  GraphTask,
  Problem,
  RunnersPage,
  RunsPage,
  RunSummary,
  View,
  WorkflowPage,
  WorkflowsPage,
} from "../../lib/inspector/shapes.ts";
import { failuresOf, overviewOf } from "./overview_fixtures.ts";
import type { ErrorRecord } from "../../lib/errors.ts";

/** The current time in the fixtures. */
export const NOW = Date.UTC(2026, 10, 23, 12, 0, 0);

/** How a page is shown. */
export function viewOf(text = "Sluice"): View {
  return { title: text, basePath: "/ops", liveHref: "/ops/api/live", layouts: new Map() };
}

/** A task of a graph. */
export function nodeOf(id: string, after: readonly string[] = [], more: Partial<GraphTask> = {}): GraphTask {
  return {
    id,
    kind: "task",
    after,
    on: "success",
    isConditional: false,
    mayUndo: false,
    attempts: 3,
    timeoutMs: undefined,
    ...more,
  };
}

/** A task of a run, by default one that completed within a second. */
export function taskOf(id: string, more: Partial<TaskDetail> = {}): TaskDetail {
  return {
    id,
    kind: "task",
    state: "completed",
    attempts: 1,
    reason: undefined,
    startedAt: NOW - 10_000,
    endedAt: NOW - 9_000,
    dueAt: undefined,
    output: undefined,
    error: undefined,
    history: [attemptOf(1, "completed", NOW - 10_000, NOW - 9_000)],
    steps: [],
    progress: undefined,
    undo: undefined,
    ...more,
  };
}

/** A try at a task. */
export function attemptOf(
  number: number,
  state: AttemptDetail["state"],
  ...[startedAt, endedAt]: readonly (number | undefined)[]
): AttemptDetail {
  return { number, state, startedAt, endedAt, error: undefined };
}

/** A run in a list. */
export function summaryOf(more: Partial<RunSummary> = {}): RunSummary {
  return {
    id: "0190a000-0000-7000-8000-000000000001",
    href: "/ops/runs/0190a000-0000-7000-8000-000000000001",
    workflow: "etl",
    version: "0123456789abcdef",
    state: "running",
    key: undefined,
    keyScope: undefined,
    debounce: undefined,
    priority: 0,
    tags: [],
    createdAt: NOW - 12_000,
    startedAt: NOW - 10_000,
    endedAt: undefined,
    dueAt: undefined,
    runner: 1,
    failure: undefined,
    reason: undefined,
    isCancelling: false,
    isStranded: false,
    crashes: 0,
    ...more,
  };
}

/** A page of runs. */
export function runsOf(more: Partial<RunsPage> = {}): RunsPage {
  return {
    at: NOW,
    store: "sqlite://app.db",
    filter: {
      workflow: undefined,
      states: [],
      tags: [],
      since: undefined,
      until: undefined,
      q: undefined,
      error: undefined,
      isParked: false,
    },
    counts: countsOf(countOf(3)),
    workflows: ["etl"],
    runs: [summaryOf()],
    isContinued: false,
    firstHref: "/ops/runs",
    nextHref: undefined,
    cursor: undefined,
    searchedBackTo: undefined,
    ...more,
  };
}

/** The page of a run with these tasks. */
export function runOf(
  nodes: readonly GraphTask[],
  tasks: readonly TaskDetail[],
  more: Partial<RunPage["run"]> = {},
): RunPage {
  const counts = {
    pending: 0,
    running: 0,
    waiting: 0,
    blocked: 0,
    completed: 0,
    failed: 0,
    skipped: 0,
    cancelled: 0,
    compensated: 0,
  };
  for (const { state } of tasks) counts[state]++;
  return {
    at: NOW,
    store: "sqlite://app.db",
    run: {
      ...summaryOf(),
      input: undefined,
      deadlineAt: undefined,
      timeoutMs: undefined,
      error: undefined,
      strandedBy: undefined,
      epoch: 1,
      ...more,
    },
    graph: { isKnown: true, description: undefined, result: undefined, tasks: nodes },
    tasks,
    taskCounts: counts,
    isTruncated: false,
    events: [],
    explanation: { reasons: [], summary: "" },
    links: { forkedFrom: undefined, forks: [], parent: undefined, children: [] },
    actions: [],
    workflowHref: "/ops/workflows/etl",
  };
}

/** Every page, with `text` wherever text of users may stand. */
export function pagesOf(text: string): {
  readonly runs: RunsPage;
  readonly overview: OverviewPage;
  readonly failures: FailuresPage;
  readonly run: RunPage;
  readonly items: ItemsPage;
  readonly workflows: WorkflowsPage;
  readonly workflow: WorkflowPage;
  readonly schedules: SchedulesPage;
  readonly runners: RunnersPage;
  readonly problem: Problem;
} {
  const answer = { at: NOW, store: text };
  const error: ErrorRecord = {
    name: text,
    message: text,
    code: text,
    stack: text,
    cause: { name: text, message: text },
  };
  const payload: Payload = { text, bytes: 70_000, isTruncated: true, href: "/ops/api/x" };
  const summary = summaryOf({ workflow: text, key: text, tags: [text], failure: text, reason: text, isStranded: true });
  const other = summaryOf({ id: "0190a000-0000-7000-8000-000000000002", workflow: text, reason: text, crashes: 2 });
  const link = { id: summary.id, href: summary.href, state: "failed" } as const;
  const states = {
    pending: 0,
    running: 1,
    waiting: 0,
    paused: 0,
    compensating: 0,
    completed: 7,
    failed: 2,
    cancelled: 0,
  };
  const durations = { count: 7, p50Ms: 10, p95Ms: 200, p99Ms: 3_000, maxMs: 4_000 };
  const sample = { runs: states, failureRate: 2 / 9, durations, since: NOW - 9_000_000, lastAt: NOW };
  const nodes = [nodeOf(text, [], { kind: text, on: text }), nodeOf(`${text}2`, [text], { isConditional: true })];
  nodes.push(nodeOf(`${text}3`, [text], { kind: "map" }));
  const item: ItemDetail = {
    index: 0,
    state: "failed",
    attempts: 2,
    failure: text,
    child: link,
    reason: text,
    startedAt: NOW - 9_000,
    endedAt: NOW - 8_000,
    dueAt: undefined,
    output: payload,
    error,
    history: [{ ...attemptOf(1, "failed", NOW - 9_000, NOW - 8_000), error }, attemptOf(2, "interrupted")],
    progress: { done: 1, total: 2, message: text },
  };
  const tasks = [
    taskOf(text, {
      state: "failed",
      reason: text,
      error,
      output: payload,
      history: [{ ...attemptOf(1, "failed", NOW - 9_000, NOW - 8_000), error }, attemptOf(2, "interrupted")],
      steps: [{ name: text, endedAt: NOW, output: payload }],
      progress: { done: 1, total: 2, message: text },
      actions: [{ label: text, href: "/ops/tools" }],
    }),
    taskOf(`${text}2`, { state: "skipped", reason: text, attempts: 0, history: [] }),
    taskOf(`${text}3`, { kind: "map", items: { counts: COUNTS, href: "/ops/items", cells: [item, bareItemOf(1)] } }),
  ];
  const run = runOf(nodes, tasks, { ...summary, input: payload, error, strandedBy: text, version: text });
  return {
    runs: runsOf({
      ...answer,
      filter: {
        workflow: text,
        states: ["failed"],
        tags: [text],
        since: NOW,
        until: NOW,
        q: text,
        error: text,
        isParked: true,
      },
      workflows: [text, "etl"],
      runs: [summary, other],
      isContinued: true,
      nextHref: "/ops/runs?cursor=1",
      searchedBackTo: NOW,
    }),
    overview: overviewOf(text, { ...answer, counts: countsOf(countOf(3)) }),
    failures: { ...answer, ...failuresOf(text), workflow: text, since: NOW, workflows: [text, "etl"] },
    run: {
      ...run,
      ...answer,
      graph: { ...run.graph, description: text, result: text },
      isTruncated: true,
      actions: [{ label: text, href: "/ops/tools" }],
      events: [{ at: NOW, kind: "task.failed", taskId: text, attempt: 2, detail: text }],
      explanation: { reasons: [{ kind: "task", message: text, taskId: text, dueAt: NOW + 60_000 }], summary: text },
      links: { forkedFrom: link, forks: [link], parent: { ...link, state: undefined }, children: [link] },
    },
    items: {
      ...answer,
      run: { ...link, workflow: text, startedAt: NOW - 10_000, endedAt: undefined },
      taskId: text,
      counts: COUNTS,
      state: "failed",
      from: 7,
      items: [item, bareItemOf(1)],
      firstHref: "/ops/items",
      previousHref: "/ops/items?from=3",
      nextHref: "/ops/items?from=9",
      searchedTo: 8,
    },
    workflows: {
      ...answer,
      workflows: [{
        name: text,
        href: "/ops/workflows/x",
        runsHref: "/ops/runs",
        versions: 2,
        latestVersion: text,
        definedAt: NOW,
        runners: [],
        sample,
      }],
      sampled: 1_000,
      isTruncated: true,
    },
    workflow: {
      ...answer,
      name: text,
      runsHref: "/ops/runs",
      versions: [
        { version: text, structure: text, definedAt: NOW, href: "/ops/workflows/x", runners: [1], sample },
        { version: "a", structure: "b", definedAt: NOW, href: "/ops/workflows/y", runners: [], sample },
      ],
      versionCount: 70,
      version: text,
      graph: { isKnown: false, description: text, result: text, tasks: nodes },
      sample,
      tasks: [{ id: text, completed: 1, failed: 2, skipped: 3, retries: 4, durations }],
      actions: [{ label: text, href: "/ops/tools" }],
      sampledRuns: 9,
    },
    schedules: {
      ...answer,
      schedules: [
        {
          name: text,
          workflow: text,
          rule: text,
          isPaused: false,
          next: [NOW],
          queued: 2,
          past: [{ at: NOW, outcome: "started", run: link }, { at: NOW, outcome: "missed", run: undefined }],
          counts: { started: 1_234, overlapped: 2, missed: 3, failed: 4 },
          error: text,
        },
        {
          name: "b",
          workflow: text,
          rule: text,
          isPaused: true,
          next: [],
          queued: 0,
          past: [],
          counts: { started: 0, overlapped: 0, missed: 0, failed: 0 },
          error: undefined,
        },
      ],
      hasMore: true,
    },
    runners: {
      ...answer,
      runners: [{
        id: 1,
        host: text,
        pid: 2,
        startedAt: NOW,
        leaseUntil: NOW,
        isAlive: true,
        isThis: true,
        workflows: [{ name: text, version: text, href: "/ops/workflows/x" }],
        isPinned: true,
        concurrency: 64,
        maxRuns: 1_000,
        runs: { count: 10, precision: "atLeast" },
        bodies: { active: 3, queued: 4 },
      }],
      backlog: { count: 12_345, precision: "about" },
      oldestDueAt: NOW,
      stranded: [{ ...link, workflow: text, reason: text }],
    },
    problem: { status: 404, message: text },
  };
}

const COUNTS: ItemCounts = {
  total: 1_000_000,
  completed: 1,
  failed: 1,
  running: 1,
  waiting: 1,
  blocked: 1,
  pending: 999_993,
  cancelled: 1,
  compensated: 1,
};

/** An item that has not started. */
function bareItemOf(index: number): ItemDetail {
  const none = { failure: undefined, child: undefined, reason: undefined, startedAt: undefined, endedAt: undefined };
  const more = { dueAt: undefined, output: undefined, error: undefined, history: [], progress: undefined };
  return { index, state: "pending", attempts: 0, ...none, ...more };
}

function countOf(count: number): BoundedCount {
  return { count, precision: "exact" };
}

function countsOf(count: BoundedCount): RunsPage["counts"] {
  return {
    pending: count,
    running: count,
    waiting: count,
    paused: count,
    compensating: count,
    completed: count,
    failed: count,
    cancelled: count,
  };
}
