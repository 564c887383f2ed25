/** The shapes of the API as JSON Schema, by their names in shapes.ts and run_shape.ts, where they are described. */

/** A JSON Schema. */
export type Schema = Readonly<Record<string, unknown>>;

const text: Schema = { type: "string" };
const whole: Schema = { type: "integer" };
const count: Schema = { type: "integer", minimum: 0 };
const number: Schema = { type: "number" };
const yesNo: Schema = { type: "boolean" };
const time: Schema = { type: "integer", description: "Milliseconds since the epoch, by the store's clock" };
const href: Schema = { type: "string", description: "A path, which begins with the base path" };

const RUN_STATES = ["pending", "running", "waiting", "paused", "compensating", "completed", "failed", "cancelled"];
const RECORDED = ["pending", "running", "waiting", "blocked", "completed", "failed", "skipped", "cancelled"];
const TASK_STATES = [...RECORDED, "compensated"];
const TICK_OUTCOMES = ["started", "missed", "overlapped", "failed"];
const PRECISIONS = ["exact", "atLeast", "about"];

const ANSWER = { at: time, store: text };

const RUN_SUMMARY = {
  needed: {
    id: text,
    href,
    workflow: text,
    version: text,
    state: oneOf(RUN_STATES),
    priority: whole,
    tags: list(text),
    createdAt: time,
    isCancelling: yesNo,
    isStranded: yesNo,
    crashes: count,
  },
  more: {
    key: text,
    keyScope: oneOf(["ever", "active"]),
    debounce: object({ key: text, delayMs: whole, replaced: count }, { maxDelayMs: whole }),
    startedAt: time,
    endedAt: time,
    dueAt: time,
    runner: whole,
    failure: text,
    reason: text,
  },
};

const ITEM_COUNTS = [
  "total",
  "completed",
  "failed",
  "running",
  "waiting",
  "blocked",
  "pending",
  "cancelled",
  "compensated",
];

const ITEM_CELL = {
  needed: { index: count, state: oneOf(TASK_STATES), attempts: count },
  more: { failure: text, child: ref("RunLink") },
};

/** The components of the document. */
export const SCHEMAS: Readonly<Record<string, Schema>> = {
  BoundedCount: object({ count, precision: oneOf(PRECISIONS) }),
  StateCounts: object(each(RUN_STATES, ref("BoundedCount"))),
  RunsFilter: object({ states: list(oneOf(RUN_STATES)), tags: list(text) }, {
    workflow: text,
    since: time,
    until: time,
    q: text,
  }),
  RunSummary: object(RUN_SUMMARY.needed, RUN_SUMMARY.more),
  RunsPage: object({
    ...ANSWER,
    filter: ref("RunsFilter"),
    counts: ref("StateCounts"),
    workflows: list(text),
    runs: list(ref("RunSummary")),
    isContinued: yesNo,
    firstHref: href,
  }, { nextHref: href, cursor: text, searchedBackTo: time }),
  Payload: object({ text, bytes: count, isTruncated: yesNo, href }),
  ErrorRecord: object({ name: text, message: text }, {
    code: text,
    stack: text,
    fields: { type: "object" },
    cause: ref("ErrorRecord"),
    errors: list(ref("ErrorRecord")),
  }),
  AttemptDetail: object(
    { number: whole, state: oneOf(["running", "completed", "failed", "cancelled", "interrupted"]) },
    { startedAt: time, endedAt: time, error: ref("ErrorRecord") },
  ),
  StepDetail: object({ name: text }, { endedAt: time, output: ref("Payload") }),
  ProgressDetail: object({ done: number }, { total: number, message: text }),
  GraphTask: object(
    { id: text, kind: text, after: list(text), on: text, isConditional: yesNo, mayUndo: yesNo },
    { attempts: whole, timeoutMs: number, limits: list(ref("GraphLimit")) },
  ),
  Graph: object({ isKnown: yesNo, tasks: list(ref("GraphTask")) }, {
    description: text,
    result: text,
    leftOut: text,
    limits: list(ref("GraphLimit")),
  }),
  GraphLimit: object({ name: text, href, max: count, isKeyed: yesNo }, { per: whole }),
  UndoDetail: object({ state: oneOf(RECORDED), attempts: count, history: list(ref("AttemptDetail")) }, {
    reason: text,
    startedAt: time,
    endedAt: time,
    dueAt: time,
    error: ref("ErrorRecord"),
    progress: ref("ProgressDetail"),
  }),
  TaskDetail: object({
    id: text,
    kind: text,
    state: oneOf(TASK_STATES),
    attempts: count,
    history: list(ref("AttemptDetail")),
    steps: list(ref("StepDetail")),
  }, {
    reason: text,
    startedAt: time,
    endedAt: time,
    dueAt: time,
    output: ref("Payload"),
    error: ref("ErrorRecord"),
    progress: ref("ProgressDetail"),
    items: ref("MapDetail"),
    child: ref("RunLink"),
    undo: ref("UndoDetail"),
  }),
  ItemCounts: object(each(ITEM_COUNTS, count)),
  ItemCell: object(ITEM_CELL.needed, ITEM_CELL.more),
  MapDetail: object({ counts: ref("ItemCounts"), href, cells: list(ref("ItemCell")) }),
  ItemDetail: object({ ...ITEM_CELL.needed, history: list(ref("AttemptDetail")) }, {
    ...ITEM_CELL.more,
    reason: text,
    startedAt: time,
    endedAt: time,
    dueAt: time,
    output: ref("Payload"),
    error: ref("ErrorRecord"),
    progress: ref("ProgressDetail"),
  }),
  ItemsPage: object({
    ...ANSWER,
    run: object({ id: text, href, state: oneOf(RUN_STATES), workflow: text, startedAt: time }, { endedAt: time }),
    taskId: text,
    counts: ref("ItemCounts"),
    from: count,
    items: list(ref("ItemDetail")),
    firstHref: href,
  }, { state: text, previousHref: href, nextHref: href, searchedTo: count }),
  RunHappening: object({ at: time, kind: text }, { taskId: text, attempt: whole, detail: text }),
  ExplanationDetail: object({
    summary: text,
    reasons: list(object({ kind: text, message: text }, { taskId: text, dueAt: time, run: ref("RunLink") })),
  }),
  RunLink: object({ id: text, href }, { state: oneOf(RUN_STATES), task: text, item: count }),
  RunPage: object({
    ...ANSWER,
    run: object({ ...RUN_SUMMARY.needed, epoch: count }, {
      ...RUN_SUMMARY.more,
      input: ref("Payload"),
      deadlineAt: time,
      timeoutMs: number,
      error: ref("ErrorRecord"),
      strandedBy: text,
    }),
    graph: ref("Graph"),
    tasks: list(ref("TaskDetail")),
    taskCounts: object(each(TASK_STATES, count)),
    isTruncated: yesNo,
    events: list(ref("RunHappening")),
    explanation: ref("ExplanationDetail"),
    links: object({ forks: list(ref("RunLink")), children: list(ref("RunLink")) }, {
      forkedFrom: ref("RunLink"),
      parent: ref("RunLink"),
    }),
    workflowHref: href,
  }, { leftOut: text }),
  Durations: object({ count, p50Ms: number, p95Ms: number, p99Ms: number, maxMs: number }),
  RunSample: object({ runs: object(each(RUN_STATES, count)) }, {
    failureRate: { type: "number", minimum: 0, maximum: 1 },
    durations: ref("Durations"),
    since: time,
    lastAt: time,
  }),
  WorkflowSummary: object({
    name: text,
    href,
    runsHref: href,
    versions: count,
    latestVersion: text,
    definedAt: time,
    runners: list(whole),
    sample: ref("RunSample"),
  }),
  WorkflowsPage: object({
    ...ANSWER,
    workflows: list(ref("WorkflowSummary")),
    sampled: count,
    isTruncated: yesNo,
  }),
  VersionSummary: object({
    version: text,
    structure: text,
    definedAt: time,
    href,
    runners: list(whole),
    sample: ref("RunSample"),
  }),
  TaskSample: object({ id: text, completed: count, failed: count, skipped: count, retries: count }, {
    durations: ref("Durations"),
  }),
  WorkflowPage: object({
    ...ANSWER,
    name: text,
    runsHref: href,
    versions: list(ref("VersionSummary")),
    versionCount: count,
    version: text,
    graph: ref("Graph"),
    sample: ref("RunSample"),
    tasks: list(ref("TaskSample")),
    sampledRuns: count,
  }),
  ScheduleSummary: object({
    name: text,
    workflow: text,
    rule: text,
    isPaused: yesNo,
    next: list(time),
    queued: count,
    past: list(object({ at: time, outcome: oneOf(TICK_OUTCOMES) }, { run: ref("RunLink") })),
    counts: object({ started: count, overlapped: count, missed: count, failed: count }),
  }, { error: text }),
  SchedulesPage: object({ ...ANSWER, schedules: list(ref("ScheduleSummary")), hasMore: yesNo }),
  LimitPermit: object({ run: ref("RunLink"), workflow: text, since: time }),
  LimitLane: object({
    limit: text,
    href,
    key: list(text),
    max: count,
    held: count,
    waiting: count,
    holders: list(ref("LimitPermit")),
    waiters: list(ref("LimitPermit")),
  }, { per: whole }),
  LimitsPage: object({ ...ANSWER, lanes: list(ref("LimitLane")), hasMore: yesNo }, { limit: text }),
  RunnerSummary: object({
    id: whole,
    host: text,
    pid: whole,
    startedAt: time,
    leaseUntil: time,
    isAlive: yesNo,
    isThis: yesNo,
    workflows: list(object({ name: text, version: text, href })),
    isPinned: yesNo,
    concurrency: count,
    maxRuns: count,
    runs: ref("BoundedCount"),
  }, { bodies: object({ active: count, queued: count }) }),
  RunnersPage: object({
    ...ANSWER,
    runners: list(ref("RunnerSummary")),
    backlog: ref("BoundedCount"),
    stranded: list(object({ id: text, href, workflow: text, reason: text }, { state: oneOf(RUN_STATES) })),
  }, { oldestDueAt: time }),
  Problem: object({ status: whole, message: text }),
  Health: object({ status: oneOf(["ok"]) }),
};

/** Refers to a component. */
export function ref(name: string): Schema {
  return { $ref: `#/components/schemas/${name}` };
}

function object(needed: Readonly<Record<string, Schema>>, more: Readonly<Record<string, Schema>> = {}): Schema {
  return {
    type: "object",
    properties: { ...needed, ...more },
    required: Object.keys(needed),
    additionalProperties: false,
  };
}

function list(items: Schema): Schema {
  return { type: "array", items };
}

function oneOf(words: readonly string[]): Schema {
  return { type: "string", enum: words };
}

function each(names: readonly string[], schema: Schema): Readonly<Record<string, Schema>> {
  return Object.fromEntries(names.map((name) => [name, schema]));
}
