/**
 * Operations on many runs. The numbers of the runs that match are read first, in pages. Then they are changed in batches,
 * parents before their child runs: each batch is a short transaction that changes those runs that match at that moment. A
 * process that dies in between has changed some of them; the same call again changes the others.
 *
 * @module
 */
import { type Checks, newChecks, type Options, shown } from "../../definition/checks.ts";
import type { RunQuery, RunSelection } from "../../store/port/listing.ts";
import type { ControlRequest, TagChange } from "../../store/port/control.ts";
import { breathe } from "../../store/shared/breathe.ts";
import type { Store } from "../../store/port/store.ts";
import type { ClientContext } from "./client_context.ts";
import { cancelRequest, checkReason, controlMany } from "./control_runs.ts";
import { refuse } from "../options.ts";
import { checkFilter, FILTERS, isEmpty, type RunFilter, toQuery } from "./run_filter.ts";
import { retryMany } from "./retry_run.ts";

/** The runs that a bulk operation changes: those that match a filter of `list()`, or with `{ all: true }` all runs. */
export type BulkFilter =
  | (RunFilter & {
    /** Excluded by a filter. */
    readonly all?: false;
  })
  | ({
    /** All runs: an empty filter is refused without it. @default {false} */
    readonly all: true;
  } & { readonly [Filter in keyof RunFilter]?: never });

/** Options of every bulk operation. */
export interface BulkOptions {
  /** Stops the operation between two batches: the call rejects with its reason, and what was changed remains. */
  readonly signal?: AbortSignal;
  /** Called after each batch. An error that it throws stops the operation. */
  readonly onProgress?: (progress: BulkProgress) => void;
}

/** The progress of a bulk operation. */
export interface BulkProgress {
  /** Number of runs that matched when the operation began. */
  readonly total: number;
  /** Number of these runs that were processed. */
  readonly done: number;
  /** Number of these runs that were changed. */
  readonly changed: number;
}

/** Options of `cancelMany`. */
export interface CancelManyOptions extends BulkOptions {
  /** Why the runs are cancelled, which each of them keeps. */
  readonly reason?: string;
  /** Whether completed tasks with an undo are compensated. @default {true} */
  readonly compensate?: boolean;
}

/** Options of `pauseMany`. */
export interface PauseManyOptions extends BulkOptions {
  /** Why the runs are paused, which each of them keeps. */
  readonly reason?: string;
}

/** Which tags runs get and lose. */
export interface TagsChange {
  /** Tags that each run gets. @default {[]} */
  readonly add?: readonly string[];
  /** Tags that each run loses. @default {[]} */
  readonly remove?: readonly string[];
}

/** The operations on many runs, which clients and runners share. */
export interface Bulk {
  /**
   * Cancels all runs that match, each as `RunHandle.cancel()` does, with its child runs and with compensation. Runs that
   * have ended or are being cancelled are left as they are.
   *
   * As for every bulk operation: the filter is that of `list()`; an empty one is refused, and `{ all: true }` means all
   * runs. The runs that match when the call begins are changed in batches, each in a short transaction, if they still match
   * then. No lock outlasts a batch, and the event loop turns between two of them. The call may be repeated: after a crash
   * the same call changes the runs that are left.
   *
   * @returns How many runs it has cancelled, child runs that were cancelled with their parents not counted.
   * @throws {TypeError} If the filter is empty, or a filter or an option is invalid.
   * @throws The reason of the signal, if it aborts.
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { createRunner, workflow } from "@sluice/sluice";
   *
   * const report = workflow("report").task("write", { run: () => "written" });
   * await using runner = await createRunner("sqlite::memory:", { workflows: [report] });
   * for (const tag of ["eu", "eu", "us"]) await runner.start(report, undefined, { delay: "1h", tags: [tag] });
   * assertEquals(await runner.cancelMany({ workflow: "report", tags: ["eu"] }, { reason: "obsolete" }), 2);
   * assertEquals(await runner.cancelMany({ tags: ["eu"] }), 0);
   * ```
   */
  cancelMany(filter: BulkFilter, options?: CancelManyOptions): Promise<number>;
  /**
   * Pauses all runs that match and have not ended, each as `RunHandle.pause()` does, with its child runs. See
   * `cancelMany()` for what holds for every bulk operation.
   *
   * @returns How many runs it has paused, child runs that were paused with their parents not counted.
   */
  pauseMany(filter: BulkFilter, options?: PauseManyOptions): Promise<number>;
  /**
   * Resumes all paused runs that match, each as `RunHandle.resume()` does, with its child runs. See `cancelMany()` for what
   * holds for every bulk operation.
   *
   * @returns How many runs it has resumed, child runs that were resumed with their parents not counted.
   */
  resumeMany(filter: BulkFilter, options?: BulkOptions): Promise<number>;
  /**
   * Retries all failed runs that match, each as `RunHandle.retry()` does. A failed child run whose parent is retried is left
   * to its parent, which starts another one, and a run whose key another run has taken is left as it is. See `cancelMany()`
   * for what holds for every bulk operation.
   *
   * @returns How many runs it has retried.
   */
  retryMany(filter: BulkFilter, options?: BulkOptions): Promise<number>;
  /**
   * Deletes all runs that match and have ended, each as `RunHandle.delete()` does, with its child runs. Child runs of
   * runs that exist and runs with a child run that has not ended are left as they are. See `cancelMany()` for what holds
   * for every bulk operation.
   *
   * @returns How many runs it has deleted, child runs that were deleted with their parents not counted.
   */
  deleteMany(filter: BulkFilter, options?: BulkOptions): Promise<number>;
  /**
   * Adds tags to all runs that match (`["a"]` or `{ add: ["a"] }`), whatever their state, and removes others
   * (`{ remove: ["b"] }`). See `cancelMany()` for what holds for every bulk operation.
   *
   * @returns How many runs it has changed.
   * @throws {RangeError} If a run would have more than 100 tags; runs of earlier batches have been changed.
   */
  tagMany(filter: BulkFilter, tags: readonly string[] | TagsChange, options?: BulkOptions): Promise<number>;
}

/** Runs that one transaction changes. */
const BATCH = 100;

/** Runs that one transaction retries: each takes ten statements. */
const RETRY_BATCH = 20;

/** Runs whose numbers are read by one query. */
const PAGE = 2_000;

/** Creates the bulk operations of a client or runner. */
export function createBulk(context: ClientContext): Bulk {
  const { store } = context;
  return {
    async cancelMany(filter, options) {
      const { checks, read, ...call } = begin("cancel", filter, options, ["reason", "compensate"]);
      const request = cancelRequest({ reason: read["reason"], compensate: read["compensate"] }, checks);
      return await controlAll(await ready("cancel", call, checks), request);
    },
    async pauseMany(filter, options) {
      const { checks, read, ...call } = begin("pause", filter, options, ["reason"]);
      const request = { kind: "pause", reason: checkReason(read["reason"], checks) } as const;
      return await controlAll(await ready("pause", call, checks), request);
    },
    async resumeMany(filter, options) {
      const { checks, ...call } = begin("resume", filter, options);
      return await controlAll(await ready("resume", call, checks), { kind: "resume" });
    },
    async retryMany(filter, options) {
      const { checks, ...call } = begin("retry", filter, options);
      return await inBatches(await ready("retry", call, checks), RETRY_BATCH, (part) => retryMany(context, part));
    },
    async deleteMany(filter, options) {
      const { checks, ...call } = begin("delete", filter, options);
      return await inBatches(await ready("delete", call, checks), BATCH, (part) => store.deleteMany(part));
    },
    async tagMany(filter, tags, options) {
      const { checks, ...call } = begin("tag", filter, options);
      const change = checkTags(tags, checks);
      return await inBatches(await ready("tag", call, checks), BATCH, async (part) => {
        const { changed, full } = await store.tagMany(part, change);
        if (full === undefined) return changed;
        throw new RangeError(`Cannot tag run "${full}": it would have more than 100 tags; remove some of them first`);
      });
    },
  };

  function controlAll(call: Ready, request: ControlRequest): Promise<number> {
    // An owner that is suspended or dead is waited for once, not with each batch.
    let mayWait = true;
    return inBatches(call, BATCH, async (part) => {
      const { changed, isApplied } = await controlMany(context, part, { request, mayWait });
      mayWait = isApplied;
      return changed;
    });
  }

  async function ready(action: string, { filter, ...options }: Call, checks: Checks): Promise<Ready> {
    refuse(`${action} runs`, checks);
    return { ...options, query: await toQuery(store, filter) };
  }

  async function inBatches(
    { query, signal, onProgress }: Ready,
    size: number,
    apply: (part: RunSelection) => Promise<number>,
  ): Promise<number> {
    const seqs = (await numbersOf(store, query, signal)).toReversed();
    let changed = 0;
    for (let at = 0; at < seqs.length; at += size) {
      signal?.throwIfAborted();
      changed += await apply({ ...query, seqs: seqs.slice(at, at + size) });
      onProgress?.({ total: seqs.length, done: Math.min(at + size, seqs.length), changed });
      await breathe();
    }
    return changed;
  }
}

/**
 * Counts the runs that match a filter, as a bulk operation reads them.
 *
 * @throws {TypeError} If the filter is empty or invalid.
 */
export async function countMatching({ store }: ClientContext, action: string, filter: BulkFilter): Promise<number> {
  const { checks, filter: checked } = begin(action, filter);
  refuse(`${action} runs`, checks);
  return (await numbersOf(store, await toQuery(store, checked), undefined)).length;
}

/** The numbers of the runs that match, newest first. */
async function numbersOf(store: Store, query: RunQuery, signal: AbortSignal | undefined): Promise<readonly number[]> {
  const seqs: number[] = [];
  for (;;) {
    signal?.throwIfAborted();
    const page = await store.numbers({ ...query, limit: PAGE, before: seqs.at(-1) });
    seqs.push(...page);
    if (page.length < PAGE) return seqs;
    await breathe();
  }
}

/** The arguments of a call after validation. */
interface Call extends BulkOptions {
  readonly filter: ReturnType<typeof checkFilter>;
}

/** A call whose query is complete. */
interface Ready extends BulkOptions {
  readonly query: RunQuery;
}

function begin(
  action: string,
  filter: unknown,
  options: unknown = {},
  names: readonly string[] = [],
): Call & { readonly checks: Checks; readonly read: Options } {
  const checks = newChecks();
  const stated = checks.options(filter, "the filter", [...FILTERS, "all"]);
  const read = checks.options(options, "the options", ["signal", "onProgress", ...names]);
  const { all = false } = stated;
  const checked = checkFilter(stated, checks);
  if (typeof all !== "boolean") checks.report(`all must be true or false, not ${shown(all)}`);
  else if (checks.problems.length === 0 && isEmpty(checked) !== all) {
    checks.report(
      all ? "all: true excludes other filters" : `the filter is empty; state { all: true } to ${action} all runs`,
    );
  }
  const { signal } = read;
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    checks.report(`signal must be an AbortSignal, not ${shown(signal)}`);
  }
  const onProgress = checks.fn<(progress: BulkProgress) => void>(read["onProgress"], "onProgress");
  return {
    checks,
    read,
    filter: checked,
    ...(signal instanceof AbortSignal ? { signal } : {}),
    ...(onProgress === undefined ? {} : { onProgress }),
  };
}

function checkTags(value: unknown, checks: Checks): TagChange {
  const read = Array.isArray(value) ? { add: value } : checks.options(value, "the tags", ["add", "remove"]);
  const change = { add: checks.tags(read["add"], "add"), remove: checks.tags(read["remove"], "remove") };
  if (checks.problems.length === 0 && change.add.length + change.remove.length === 0) {
    checks.report("no tag is stated, neither to add nor to remove");
  }
  const both = change.add.find((tag) => change.remove.includes(tag));
  if (both !== undefined) checks.report(`tag "${both}" is both added and removed`);
  return change;
}
