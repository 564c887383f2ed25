import { shown } from "../checks.ts";
import type { ItemBody, ItemTransaction, MapDefinition, OnItemFailure, TaskFunction } from "../definition.ts";
import { readTaskLimits } from "../read_limits.ts";
import { readTaskRetry } from "../retry.ts";
import { GRAPH_OPTIONS, readGraphOptions, refuseUndo } from "./graph_options.ts";
import type { KindReader, TaskSource } from "./kind.ts";
import { readChild } from "./subworkflow.ts";
import { readDatabase, readGuarantee } from "./task.ts";

/** Reads tasks that run for each element of an array. */
export const mapReader: KindReader = {
  label: "map",
  allowed: (options) => options["workflow"] === undefined ? WITH_BODY : WITH_WORKFLOW,
  read(source): MapDefinition {
    const { what, options, checks } = source;
    const { over, concurrency, onItemFailure, timeout } = options;
    if (over === undefined) checks.report(`${what} has no \`over\`; state a function that returns an array`);
    return Object.freeze({
      ...readGraphOptions(source),
      kind: "map",
      over: checks.fn<TaskFunction>(over, `${what}: over`) ?? (() => []),
      concurrency: readConcurrency(concurrency, source),
      onItemFailure: checks.word(onItemFailure, `${what}: onItemFailure`, ON_ITEM_FAILURE) ?? "stop",
      each: Object.freeze(readEach(source)),
      limits: readTaskLimits(source),
      retry: readTaskRetry(options, `${what}: retry`, checks),
      timeoutMs: checks.timeout(timeout, `${what}: timeout`),
      onSuccess: undefined,
      onFailure: undefined,
    });
  },
};

const MAP_OPTIONS: readonly string[] = [...GRAPH_OPTIONS, "limits", "over", "concurrency", "onItemFailure"];
const WITH_BODY: readonly string[] = [
  ...MAP_OPTIONS,
  "run",
  "retry",
  "timeout",
  "guarantee",
  "undo",
  "transaction",
  "workflow",
  "input",
];
const WITH_WORKFLOW: readonly string[] = [...MAP_OPTIONS, "run", "undo", "workflow", "input"];

const ON_ITEM_FAILURE: Record<OnItemFailure, true> = { stop: true, finish: true, collect: true };

function readEach(source: TaskSource): MapDefinition["each"] {
  const { what, options: { run, workflow, input }, checks } = source;
  if (run === undefined && workflow === undefined) {
    checks.report(`${what} has no \`run\` and no \`workflow\`; state one`);
  }
  if (run !== undefined && workflow !== undefined) {
    checks.report(`${what} has both \`run\` and \`workflow\`; leave one out`);
  }
  if (workflow === undefined) {
    if (input !== undefined) checks.report(`${what}: input is only for a map with \`workflow\``);
    return readItemBody(source);
  }
  refuseUndo(source);
  return {
    kind: "subworkflow",
    ...readChild(source),
    key: undefined,
    priority: undefined,
    tags: Object.freeze([]),
    childTimeoutMs: undefined,
  };
}

function readItemBody(source: TaskSource): ItemBody | ItemTransaction {
  const { what, options, checks } = source;
  const run = checks.fn<TaskFunction>(options["run"], `${what}: run`) ?? (() => undefined);
  const undo = checks.fn<TaskFunction>(options["undo"], `${what}: undo`);
  const database = readDatabase(source);
  const guarantee = readGuarantee(source);
  return database === undefined ? { kind: "task", run, undo, guarantee } : { kind: "transaction", database, run, undo };
}

function readConcurrency(value: unknown, { what, checks }: TaskSource): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "number" && Number.isSafeInteger(value) && value > 0) return value;
  checks.report(`${what}: concurrency must be a positive integer, not ${shown(value)}`);
  return undefined;
}
