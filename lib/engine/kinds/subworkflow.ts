import type { ChildDefinition, TaskFunction, WorkflowDefinition } from "../../definition/definition.ts";
import { newChecks } from "../../definition/checks.ts";
import { encodeJson } from "../../definition/json.ts";
import { validate } from "../../definition/schema.ts";
import { isThenable } from "../../definition/thenable.ts";
import type { NewRun } from "../../store/port/batch.ts";
import { WAITS_FOR_CHILD } from "../../store/port/children.ts";
import { nodeOf } from "../runs/attempt.ts";
import type { ChildOutcome } from "../runs/child_outcome.ts";
import { takeChild } from "../children/child_runs.ts";
import type { Attempt } from "../runs/live_run.ts";
import { runLimitsOf } from "../limits/permit_request.ts";
import { refuse } from "../options.ts";
import { NO_ITEM } from "../machine/run_state.ts";
import { NonRetryableError } from "../errors/task_errors.ts";
import { argumentsOf } from "../execution/unit_arguments.ts";
import type { Kind, KindPort } from "./kind.ts";
import { returnedBy } from "./synchronous.ts";

/** How deep child runs may be nested. */
export const MOST_ANCESTORS = 64;

/** What an attempt at a task that starts a child run comes to. */
type Spawn =
  /** The child run is to be inserted. */
  | { readonly kind: "new"; readonly child: NewRun }
  /** It has ended. */
  | { readonly kind: "ended"; readonly outcome: ChildOutcome }
  /** It has not ended. */
  | { readonly kind: "live" };

/** Starts a child run of a task, or of an item, and waits for its end. The result of the child run is its output. */
export const subworkflowKind: Kind<ChildDefinition, Spawn> = {
  call(attempt, task, port) {
    const outcome = takeChild(attempt.unit);
    if (outcome !== undefined) return { kind: "ended", outcome };
    return attempt.wokenBy === undefined ? spawn(attempt, task, port) : find(attempt, port);
  },
  end(_attempt, value) {
    switch (value.kind) {
      case "new":
        return { kind: "spawned", child: value.child };
      case "live":
        return { kind: "suspended", wake: { child: true }, reason: WAITS_FOR_CHILD };
      case "ended": {
        const { end } = value.outcome;
        if (end.kind === "failed") throw end.error;
        return { kind: "returned", output: end.result };
      }
    }
  },
};

async function find(attempt: Attempt, port: KindPort): Promise<Spawn> {
  const found = await port.findChild(attempt);
  // It may have ended after it was read.
  const outcome = takeChild(attempt.unit) ?? found;
  return outcome === undefined ? { kind: "live" } : { kind: "ended", outcome };
}

function spawn(attempt: Attempt, task: ChildDefinition, port: KindPort): Spawn | Promise<Spawn> {
  const { id } = nodeOf(attempt);
  const { item, run: { depth } } = attempt.unit;
  const action = `start the child run of ${item === NO_ITEM ? "" : `item ${item} of `}task "${id}"`;
  if (depth >= MOST_ANCESTORS) {
    throw new NonRetryableError(
      `Cannot ${action}: runs are nested at most ${MOST_ANCESTORS} levels deep; end the recursion earlier`,
    );
  }
  const workflow = task.workflow();
  const args = argumentsOf(attempt);
  const call = (code: TaskFunction, what: string): unknown =>
    returnedBy(code, port.call(attempt, code, args), `${what} of task "${id}"`);
  const input = task.input === undefined ? undefined : call(task.input, "input");
  const key = typeof task.key === "function" ? call(task.key, "key") : task.key;
  if (isThenable(input) || isThenable(key)) {
    return Promise.all([input, key]).then(([input, key]) => spawnWith(input, key));
  }
  return spawnWith(input, key);

  function spawnWith(input: unknown, stated: unknown): Spawn | Promise<Spawn> {
    const checks = newChecks();
    const key = checks.key(stated, `key of task "${id}"`);
    refuse(action, checks);
    const settings: Settings = { task, workflow, key };
    const value = validate(workflow.input, input, `Cannot ${action}: the input of workflow "${workflow.name}"`);
    if (!(value instanceof Promise)) return childOf(attempt, value, settings, port);
    return value.then((validated) => childOf(attempt, validated, settings, port));
  }
}

interface Settings {
  readonly task: ChildDefinition;
  readonly workflow: WorkflowDefinition;
  readonly key: string | undefined;
}

function childOf(attempt: Attempt, input: unknown, { task, workflow, key }: Settings, port: KindPort): Spawn {
  const { run, item } = attempt.unit;
  const now = port.now();
  const text = encodeJson(input, "input", port.maxPayloadBytes);
  const child: NewRun = {
    id: port.newId(now),
    workflow: workflow.name,
    version: workflow.version,
    key,
    priority: task.priority ?? run.priority,
    dueAt: undefined,
    tags: [...new Set([...workflow.tags, ...task.tags])],
    input: text,
    timeoutMs: task.childTimeoutMs ?? workflow.timeoutMs,
    owner: undefined,
    trace: port.traceOf(attempt),
    fork: undefined,
    parent: { run: run.seq, task: nodeOf(attempt).id, item },
    depth: run.depth + 1,
    limits: runLimitsOf(workflow, text),
  };
  return { kind: "new", child };
}
