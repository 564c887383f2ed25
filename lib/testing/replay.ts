/**
 * Checks recorded runs against the code of today, before a deploy: which of them could not be continued.
 *
 * @module
 */
import { shown } from "../definition/checks.ts";
import { validate } from "../definition/schema.ts";
import { Workflow } from "../definition/builder.ts";
import type { AnyWorkflow } from "../definition/workflow.ts";
import { whyIncompatible } from "../engine/fleet/compatibility.ts";
import { planOf } from "../engine/machine/plan.ts";
import type { RunHandle } from "../engine/client/handle.ts";
import type { RunStatus } from "../engine/reading/run_info.ts";
import type { TaskInfo } from "../engine/reading/run_reader.ts";

/** A recorded run, as `recordRun()` returns it. The output of `sluice runs export` contains its fields. */
export interface RecordedRun {
  /** The run, as `status()` returns it. */
  readonly run: Pick<RunStatus, "id" | "workflow" | "version" | "input">;
  /** Its tasks, as `tasks()` returns them. */
  readonly tasks: readonly Pick<TaskInfo, "id" | "kind" | "after" | "state" | "output">[];
}

/** Why a recorded run does not fit the code. */
export interface ReplayProblem {
  /** Id of the run. */
  readonly runId: string;
  /** Id of the task; absent for a problem of the run. */
  readonly taskId?: string;
  /** The reason, in words. */
  readonly problem: string;
}

/** Reads the data of a run that `replay()` needs. The result is JSON and can be stored in a file. */
export async function recordRun(
  run: Pick<RunHandle<unknown, Readonly<Record<string, unknown>>>, "status" | "tasks">,
): Promise<RecordedRun> {
  const { id, workflow, version, input } = await run.status();
  const tasks = await run.tasks();
  return {
    run: { id, workflow, version, input },
    tasks: tasks.map(({ id, kind, after, state, output }) => ({ id, kind, after, state, output })),
  };
}

/**
 * Checks whether a workflow can continue recorded runs, at whatever point they were interrupted: each recorded task
 * must exist with the same kind and dependencies, or a runner would park the run. The schemas of the workflow must also
 * accept the recorded input and messages. No body is called.
 *
 * @returns All problems. If the array is empty, the workflow can be deployed while such runs are in progress.
 * @throws {TypeError} If an argument is not what `recordRun()` or `workflow()` returns, or a run is of another
 * workflow.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { workflow } from "@sluice/sluice";
 * import { createTestRunner, recordRun, replay } from "@sluice/sluice/testing";
 *
 * const before = workflow("etl").task("extract", { run: () => [1] }).task("load", { after: ["extract"], run: () => 1 });
 * await using runner = await createTestRunner({ workflows: [before] });
 * const run = await runner.start(before);
 * await runner.until(run.result());
 * const recorded = await recordRun(run); // in production: `sluice runs export <url> <run> > run.json`
 *
 * const after = workflow("etl").task("fetch", { run: () => [1] }).task("load", { after: ["fetch"], run: () => 1 });
 * assertEquals(await replay(recorded, after), [
 *   { runId: run.id, problem: 'task "extract" has a recorded result and was removed' },
 * ]);
 * assertEquals(await replay([recorded], before), []);
 * ```
 */
export async function replay(
  history: RecordedRun | readonly RecordedRun[],
  workflow: AnyWorkflow,
): Promise<readonly ReplayProblem[]> {
  if (!(workflow instanceof Workflow)) {
    throw new TypeError(`Cannot replay runs: expected a workflow that workflow() returned, not ${shown(workflow)}`);
  }
  const problems: ReplayProblem[] = [];
  for (const recorded of [history].flat()) problems.push(...await problemsOf(checked(recorded), workflow));
  return problems;
}

async function problemsOf({ run, tasks }: RecordedRun, workflow: AnyWorkflow): Promise<readonly ReplayProblem[]> {
  if (run.workflow !== workflow.name) {
    throw new TypeError(
      `Cannot replay run "${run.id}": it is one of workflow "${run.workflow}", not "${workflow.name}"`,
    );
  }
  const runId = run.id;
  // A task without a row has not started. It may be of any kind, and there need not be one any more.
  const journal = tasks.filter(({ state }) => state !== "pending").map(({ id }) => ({ task: id }));
  const structural = whyIncompatible({ version: run.version, journal }, planOf(workflow), { tasks });
  const refused = async (schema: Parameters<typeof validate>[0], value: unknown): Promise<string | undefined> => {
    try {
      await validate(schema, value, "the schema rejects it");
      return undefined;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  };
  const problems: ReplayProblem[] = structural === undefined ? [] : [{ runId, problem: structural }];
  const input = await refused(workflow.input, run.input);
  if (input !== undefined) problems.push({ runId, problem: `its input: ${input}` });
  for (const { id, state, output } of tasks) {
    const task = workflow.tasks.find((task) => task.id === id);
    // Without a message before its time-out it has no output.
    if (task?.kind !== "event" || state !== "completed" || output === undefined) continue;
    const message = await refused(task.schema, output);
    if (message !== undefined) problems.push({ runId, taskId: id, problem: `its message: ${message}` });
  }
  return problems;
}

/** Returns what was recorded, which may be read from a file. */
function checked(recorded: unknown): RecordedRun {
  const { run, tasks } = Object(recorded) as Partial<RecordedRun>;
  const isRun = typeof run?.id === "string" && typeof run.workflow === "string";
  const isTask = (task: unknown): boolean => {
    const { id, kind, after, state } = Object(task) as Partial<TaskInfo>;
    return typeof id === "string" && typeof kind === "string" && typeof state === "string" && Array.isArray(after);
  };
  if (isRun && Array.isArray(tasks) && tasks.every(isTask)) return recorded as RecordedRun;
  throw new TypeError(
    "Cannot replay runs: expected { run, tasks }, as recordRun() returns and `sluice runs export` prints it",
  );
}
