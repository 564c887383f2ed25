import { shown } from "../checks.ts";
import type { BodyDefinition, Database, Guarantee, TaskFunction } from "../definition.ts";
import { readTaskLimits } from "../read_limits.ts";
import { readTaskRetry } from "../retry.ts";
import { GRAPH_OPTIONS, readGraphOptions } from "./graph_options.ts";
import type { KindReader, TaskSource } from "./kind.ts";

/** Names of the options of a body. */
export const BODY_OPTIONS: readonly string[] = [
  "run",
  "limits",
  "retry",
  "timeout",
  "guarantee",
  "onSuccess",
  "onFailure",
  "undo",
  "version",
  "transaction",
];

/** Reads tasks with a body, including transactions. */
export const taskReader: KindReader = {
  label: "task",
  allowed: () => ALLOWED,
  read(source) {
    const common = { ...readGraphOptions(source), limits: readTaskLimits(source), ...readBody(source) };
    const database = readDatabase(source);
    const guarantee = readGuarantee(source);
    return database === undefined
      ? Object.freeze({ ...common, kind: "task", guarantee })
      : Object.freeze({ ...common, kind: "transaction", database });
  },
};

const ALLOWED: readonly string[] = [...new Set([...GRAPH_OPTIONS, ...BODY_OPTIONS])];

/** What a body is read from, which may be defined outside of a workflow. */
export type BodySource = Omit<TaskSource, "id" | "workflow">;

/** Reads the options of a body but for `limits`, `version` and `transaction`. */
export function readBody(
  { what, options, checks }: BodySource,
): Pick<BodyDefinition, "run" | "undo" | "retry" | "timeoutMs" | "onSuccess" | "onFailure"> {
  const { run, undo, timeout, onSuccess, onFailure } = options;
  if (run === undefined) checks.report(`${what} has no \`run\``);
  return {
    run: checks.fn<TaskFunction>(run, `${what}: run`) ?? (() => undefined),
    undo: checks.fn<TaskFunction>(undo, `${what}: undo`),
    retry: readTaskRetry(options, `${what}: retry`, checks),
    timeoutMs: checks.timeout(timeout, `${what}: timeout`),
    onSuccess: checks.fn<NonNullable<BodyDefinition["onSuccess"]>>(onSuccess, `${what}: onSuccess`),
    onFailure: checks.fn<NonNullable<BodyDefinition["onFailure"]>>(onFailure, `${what}: onFailure`),
  };
}

/** Reads how often a body runs. A transaction has no such option, as it runs exactly once. */
export function readGuarantee({ what, options, checks }: BodySource): Guarantee {
  const { guarantee, transaction } = options;
  if (guarantee !== undefined && transaction !== undefined) {
    checks.report(`${what} is a transaction, which runs exactly once; leave \`guarantee\` out`);
  }
  return checks.word(guarantee, `${what}: guarantee`, GUARANTEES) ?? "atLeastOnce";
}

const GUARANTEES: Record<Guarantee, true> = { atLeastOnce: true, atMostOnce: true };

/** Reads the database of a task that is marked as a transaction. */
export function readDatabase({ what, options: { transaction }, checks }: TaskSource): Database | undefined {
  if (transaction === undefined) return undefined;
  const database = typeof transaction === "object" && transaction !== null && "database" in transaction
    ? transaction.database
    : undefined;
  if (database === "sqlite" || database === "postgres") return database;
  checks.report(
    `${what}: invalid \`transaction\` ${shown(transaction)}; spread \`...transaction\` from the module of the store`,
  );
  return undefined;
}
