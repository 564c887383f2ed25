/**
 * Debounced starts. A run that was started with a debounce key and was never claimed takes the values of the next start
 * of its workflow with that key, whose delay then begins anew: one insert with a conflict clause, so that it is atomic. A
 * claim raises the epoch, by which the run leaves the unique index `runs_debouncing`: the next start inserts another run.
 *
 * @module
 */
import type { NewRun } from "../port/batch.ts";
import type { RunColumns } from "./columns.ts";

/** The columns that only debounced runs have. Other inserts leave them out. */
const DEBOUNCE_COLUMNS: ReadonlySet<string> = new Set([
  "debounce_key",
  "debounce_ms",
  "debounce_max_ms",
  "replaced",
]);

/** Returns the columns that the insert of a run without a debounce key names. */
export function withoutDebounce(columns: RunColumns): RunColumns {
  return new Map([...columns].filter(([name]) => !DEBOUNCE_COLUMNS.has(name)));
}

/** The values of a start that replace those of the pending run. */
const REPLACED = [
  ...["version", "priority", "timeout_ms", "tags", "input", "trace"],
  ...["debounce_ms", "debounce_max_ms"],
];

/**
 * The conflict clause of an insert of debounced runs. `now` is the clock, read when the row is locked, and `run` the name of
 * the existing row.
 */
export function replaceSql({ now, run }: { readonly now: string; readonly run: string }): string {
  const due = `${now} + excluded.debounce_ms`;
  const latest = `${run}.created_at + excluded.debounce_max_ms`;
  const dueAt = `case when ${latest} < ${due} then ${latest} else ${due} end`;
  return `on conflict (workflow, debouncing) where debouncing is not null do update
   set ${REPLACED.map((column) => `${column} = excluded.${column}`).join(",\n       ")},
       replaced = coalesce(${run}.replaced, 0) + coalesce(excluded.replaced, 0) + 1,
       limits = excluded.limits,
       due_at = case when ${run}.gate_at is null then ${dueAt} end,
       gate_at = case when ${run}.gate_at >= 0 then ${dueAt} else ${run}.gate_at end`;
}

/** Identifies the runs of which at most one is pending. */
export function debounceName(workflow: string, key: string): string {
  return JSON.stringify([workflow, key]);
}

/**
 * Splits starts by whether they are debounced. Of those that would replace one another only one remains, with the id of the
 * first and all else from the last: a statement cannot write a row twice.
 */
export function splitDebounced(
  starts: readonly NewRun[],
): { readonly debounced: NewRun[]; readonly others: readonly NewRun[] } {
  if (starts.every(({ debounce }) => debounce === undefined)) return { debounced: [], others: starts };
  const merged = new Map<string, NewRun>();
  for (const run of starts) {
    const { debounce } = run;
    if (debounce === undefined) continue;
    const name = debounceName(run.workflow, debounce.key);
    const earlier = merged.get(name);
    const replaced = (earlier?.debounce?.replaced ?? 0) + 1;
    merged.set(name, earlier === undefined ? run : { ...run, id: earlier.id, debounce: { ...debounce, replaced } });
  }
  return { debounced: [...merged.values()], others: starts.filter(({ debounce }) => debounce === undefined) };
}
