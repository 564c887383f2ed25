import { encodeJson } from "../../definition/json.ts";
import { didYouMean } from "../../definition/nearest.ts";
import { UnknownTaskError } from "../../errors.ts";
import type { JournalRecord, NewRun } from "../../store/port/batch.ts";
import { isCompensating } from "../../store/shared/hand_over.ts";
import type { RunRow } from "../../store/port/store.ts";
import { undoRowOf } from "../../store/shared/undo_rows.ts";
import type { ClientContext } from "./client_context.ts";
import { descendantsOf } from "../../definition/graph.ts";
import { isOfTask } from "../runs/journal_rows.ts";
import { admitRuns } from "../limits/admit_runs.ts";
import { runLimitsOf } from "../limits/permit_request.ts";
import type { Plan } from "../machine/plan.ts";
import { encodeInput } from "./start_options.ts";

/** Differences between a fork and the run it was forked from. */
interface Changes {
  readonly from?: string;
  readonly input?: unknown;
  readonly outputs?: Readonly<Record<string, unknown>>;
}

/**
 * Inserts a run that reuses results of another and returns its id. The run executes the workflow as it is registered
 * here, so a fork also moves a run to a new version.
 *
 * @throws {RunNotFoundError} If the run does not exist.
 * @throws {UnknownWorkflowError} If its workflow is not registered here.
 * @throws {UnknownTaskError} If `from` or `outputs` name a task that the workflow does not have.
 * @throws {ValidationError} If the schema of the workflow rejects the input.
 * @throws {PayloadError} If the input or an output cannot be stored.
 */
export async function forkRun(context: ClientContext, id: string, changes: Changes): Promise<string> {
  const action = `fork run "${id}"`;
  const row = await context.reader.row(id);
  const plan = context.catalog.find(row.workflow, `${action} of`);
  const replaced = new Map(Object.entries(changes.outputs ?? {}));
  for (const task of [...(changes.from === undefined ? [] : [changes.from]), ...replaced.keys()]) {
    checkTask(plan, task, action);
  }
  const input = "input" in changes
    ? await encodeInput(plan, changes.input, `Cannot ${action}`, context.maxPayloadBytes)
    : row.input;
  const journal = [...replaced].map(([task, output]) =>
    givenResult(task, encodeJson(output, `outputs.${task}`, context.maxPayloadBytes), context.store.now())
  );
  const isAllNew = "input" in changes && changes.from === undefined;
  const kept = isAllNew ? [] : await keptOf(context, row, { plan, replaced, from: changes.from });
  const now = context.store.now();
  const run: NewRun = {
    id: context.newId(now),
    workflow: plan.workflow.name,
    version: plan.workflow.version,
    key: undefined,
    priority: row.priority,
    dueAt: undefined,
    tags: row.tags,
    input,
    timeoutMs: row.timeoutMs,
    owner: undefined,
    trace: context.currentTrace(),
    fork: { from: id, journal, copy: { seq: row.seq, tasks: kept } },
    limits: runLimitsOf(plan.workflow, input),
  };
  const [verdict] = await context.insert([run]);
  if (verdict?.kind === "refused") throw verdict.error;
  await admitRuns(context, [run], [verdict]);
  return run.id;
}

/**
 * Returns the tasks whose results are reused: those that completed and are not compensated, or were skipped by their own
 * condition, and do not descend from a task that runs again.
 */
async function keptOf(
  context: ClientContext,
  row: RunRow,
  { plan, replaced, from }: {
    readonly plan: Plan;
    readonly replaced: ReadonlyMap<string, unknown>;
    readonly from: string | undefined;
  },
): Promise<string[]> {
  const journal = await context.store.journal(row.seq);
  const rows = new Set(journal.map(({ task }) => task));
  const defined = (await context.reader.definition(row))?.tasks ?? [];
  // What is being undone is not known in time.
  const undone = new Set(isCompensating(row) ? defined.flatMap(({ id, undo }) => undo === true ? [id] : []) : []);
  const isUndone = (task: string): boolean => undone.has(task) || rows.has(undoRowOf(task));
  const done = new Set(
    journal.flatMap((record) => isKept(record) && !isUndone(record.task) ? [record.task] : []),
  );
  const { tasks } = plan.workflow;
  const again = tasks.filter((task) => !done.has(task.id) || task.id === from).map((task) => task.id);
  const stale = descendantsOf(tasks, [...again, ...replaced.keys()]);
  return [...done].filter((task) => task !== from && !stale.has(task) && !replaced.has(task) && plan.numbers.has(task));
}

function isKept(record: JournalRecord): boolean {
  const { state } = record;
  // A task that was skipped because of a failure descends from a task that runs again, so it is dropped as stale.
  return isOfTask(record) && (state === "completed" || state === "skipped");
}

function givenResult(task: string, output: string | undefined, now: number): JournalRecord {
  return {
    task,
    item: -1,
    step: "",
    state: "completed",
    attempts: 0,
    output,
    failures: [],
    reason: "output given to fork()",
    startedAt: undefined,
    endedAt: now,
    dueAt: undefined,
    progress: undefined,
    items: undefined,
  };
}

function checkTask(plan: Plan, task: string, action: string): void {
  if (plan.numbers.has(task)) return;
  const hint = didYouMean(task, plan.numbers.keys());
  throw new UnknownTaskError(
    task,
    `Cannot ${action}: workflow "${plan.workflow.name}" has no task "${task}"${hint}`,
  );
}
