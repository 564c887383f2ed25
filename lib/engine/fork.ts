import { encodeJson } from "../definition/json.ts";
import { didYouMean } from "../definition/nearest.ts";
import { UnknownTaskError } from "../errors.ts";
import type { JournalRecord } from "../store/batch.ts";
import type { ClientContext } from "./client_context.ts";
import { descendantsOf } from "../definition/graph.ts";
import { isOfTask } from "./journal_rows.ts";
import type { Plan } from "./plan.ts";
import { encodeInput, type RunToInsert } from "./start_options.ts";

/** What a fork changes. */
interface Changes {
  readonly from?: string;
  readonly input?: unknown;
  readonly outputs?: Readonly<Record<string, unknown>>;
}

/**
 * Inserts a run that begins with results of another; answers its id. Its workflow is the one registered here, so a fork
 * is also the way to carry a run over to a new version.
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
    result(task, encodeJson(output, `outputs.${task}`, context.maxPayloadBytes), context.store.now())
  );
  const isAllNew = "input" in changes && changes.from === undefined;
  if (!isAllNew) journal.push(...await keptOf(context, row.seq, plan, replaced, changes.from));
  const now = context.store.now();
  const run: RunToInsert = {
    id: context.newId(now),
    workflow: plan.workflow.name,
    version: plan.workflow.version,
    key: undefined,
    priority: row.priority,
    dueAt: now,
    tags: row.tags,
    input,
    timeoutMs: row.timeoutMs,
    owner: undefined,
    trace: context.currentTrace(),
    fork: { from: id, journal },
  };
  const [verdict] = await context.insert([run]);
  if (verdict?.kind === "refused") throw verdict.error;
  return run.id;
}

/** The results to keep: of what completed (or was skipped by its own condition) and follows nothing that runs again. */
async function keptOf(
  context: ClientContext,
  seq: number,
  plan: Plan,
  replaced: ReadonlyMap<string, unknown>,
  from: string | undefined,
): Promise<JournalRecord[]> {
  const journal = await context.store.journal(seq);
  const done = new Set(journal.flatMap((record) => isKept(record) ? [record.task] : []));
  const { tasks } = plan.workflow;
  const again = tasks.filter((task) => !done.has(task.id) || task.id === from).map((task) => task.id);
  const stale = descendantsOf(tasks, [...again, ...replaced.keys()]);
  return journal.filter(({ task }) =>
    done.has(task) && task !== from && !stale.has(task) && !replaced.has(task) && plan.numbers.has(task)
  );
}

function isKept(record: JournalRecord): boolean {
  const { state } = record;
  // What was skipped because of a failure follows a task that runs again, and so does itself.
  return isOfTask(record) && (state === "completed" || state === "skipped");
}

function result(task: string, output: string | undefined, now: number): JournalRecord {
  return {
    task,
    item: -1,
    step: "",
    state: "completed",
    attempts: 0,
    output,
    failures: [],
    reason: "given to the fork",
    startedAt: undefined,
    endedAt: now,
    dueAt: undefined,
    progress: undefined,
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
