import { type ErrorRecord, RunCancelledError, RunFailedError } from "../../errors.ts";
import { CHILD_ENDS_AT_ONCE, type ChildEnd, type ChildWait } from "../../store/port/children.ts";
import type { ListedRun } from "../../store/port/listing.ts";
import type { Store } from "../../store/port/store.ts";
import { errorOf } from "../client/outcome.ts";
import type { OutputText } from "../runs/expansion.ts";
import type { ChildOutcome, UndoneChild } from "../runs/child_outcome.ts";
import type { RunEnd } from "../runs/run_end.ts";
import type { RunReader } from "../reading/run_reader.ts";
import { fromErrorRecord } from "../errors/error_record.ts";
import { NO_ITEM } from "../machine/run_state.ts";

/** A wait for a child run, as a run in memory knows it. */
export interface LiveChildWait extends ChildWait {
  /** Whether the insert of the child run is in flight: it may not exist yet. @default {false} */
  readonly isInFlight?: boolean;
}

/** Reads how child runs have ended. */
export interface ChildOutcomes {
  /** Reads the outcomes of those child runs that have ended. */
  read(waits: readonly LiveChildWait[]): Promise<readonly ChildOutcome[]>;
  /** Compensates a child run that has completed; returns what the child run of the task or item has come to. */
  undo(wait: ChildWait & { readonly epoch: number }, reason: string): Promise<UndoneChild>;
}

const DELETED: ErrorRecord = { name: "Error", message: "it was deleted" };

/** Reads child runs from a store. */
export function createChildOutcomes(
  store: Pick<Store, "childEnds" | "compensateChild" | "outputs">,
  reader: Pick<RunReader, "definition" | "end">,
): ChildOutcomes {
  return { read, undo };

  async function undo(wait: ChildWait & { readonly epoch: number }, reason: string): Promise<UndoneChild> {
    await store.compensateChild(wait, reason);
    const [end] = await store.childEnds([wait]);
    if (end === undefined) return { kind: "live" };
    if (end.child === undefined) return { kind: "ended", error: DELETED };
    const { compensated } = await reader.end(end.child);
    return { kind: "ended", error: compensated.find(({ error }) => error !== undefined)?.error };
  }

  async function read(waits: readonly LiveChildWait[]): Promise<readonly ChildOutcome[]> {
    const outcomes: ChildOutcome[] = [];
    for (let from = 0; from < waits.length;) {
      const ends = await store.childEnds(waits.slice(from));
      const known = ends.filter(({ at, child }) => child !== undefined || waits[from + at]!.isInFlight !== true);
      outcomes.push(...await outcomesOf(known));
      from = ends.length < CHILD_ENDS_AT_ONCE ? waits.length : from + ends.at(-1)!.at + 1;
    }
    return outcomes;
  }

  async function outcomesOf(ends: readonly ChildEnd[]): Promise<readonly ChildOutcome[]> {
    const results = await resultsOf(ends.flatMap(({ child }) => child?.state === "completed" ? [child] : []));
    const outcomes: ChildOutcome[] = [];
    for (const { parent, task, item, child } of ends) {
      outcomes.push({
        parent,
        task,
        item,
        end: child?.state === "completed"
          ? { kind: "completed", result: results.has(child.seq) ? results.get(child.seq) : await resultOf(child) }
          : { kind: "failed", error: await failureOf(task, child) },
      });
    }
    return outcomes;
  }

  /** Reads the results that are the output of one task, with one query. */
  async function resultsOf(children: readonly ListedRun[]): Promise<ReadonlyMap<number, string>> {
    const requests = [];
    for (const child of children) {
      const task = (await reader.definition(child))?.result;
      if (task !== undefined) requests.push({ seq: child.seq, task, of: "results" as const, item: NO_ITEM });
    }
    const outputs = requests.length === 0 ? [] : await store.outputs(requests);
    return new Map(outputs.flatMap(({ seq, output }) => output === undefined ? [] : [[seq, output]]));
  }

  async function resultOf(child: ListedRun): Promise<string | undefined> {
    const { result, outputs } = await reader.end(child);
    return result === undefined ? jsonOf(outputs) : textOf(outputs[result]);
  }

  async function failureOf(task: string, child: ListedRun | undefined): Promise<Error> {
    if (child === undefined) {
      return fromErrorRecord({
        name: "KeyConflictError",
        code: "key_conflict",
        message: `Cannot wait for the child run of task "${task}": another run has its key, or it was deleted`,
      });
    }
    const { id, workflow, state, reason } = child;
    if (state === "cancelled") return new RunCancelledError(id, reason);
    const end = await reader.end(child);
    return new RunFailedError(id, workflow, errorOf(end), end.failures);
  }
}

/** Outputs by task id as one JSON text. */
export function jsonOf(outputs: RunEnd["outputs"]): string {
  const members = Object.entries(outputs).flatMap(([id, output]) => {
    const text = textOf(output);
    return text === undefined ? [] : [`${JSON.stringify(id)}:${text}`];
  });
  return `{${members.join(",")}}`;
}

/** An output as one JSON text. */
export function textOf(output: OutputText): string | undefined {
  if (output === undefined) return undefined;
  if (typeof output === "string") return output;
  return `[${output.map((item) => item ?? "null").join(",")}]`;
}
