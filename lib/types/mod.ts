/**
 * Types of what calls return and of what definitions are made of: rows of lists, entries of a history, parts of a
 * workflow's type. A program rarely imports them, as the compiler infers them. It does to annotate a function that takes
 * one of them, and the compiler writes them into declaration files, from this entry.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { createRunner, workflow } from "@sluice/sluice";
 * import type { TaskInfo } from "@sluice/sluice/types";
 *
 * const failed = (tasks: readonly TaskInfo[]) => tasks.filter(({ state }) => state === "failed").map(({ id }) => id);
 *
 * const flow = workflow("flow").task("a", { run: () => 1 });
 * await using runner = await createRunner("sqlite::memory:", { workflows: [flow] });
 * const run = await runner.start(flow);
 * await run.result();
 * assertEquals(failed(await run.tasks()), []);
 * ```
 *
 * @module
 */
export type { Child } from "../definition/child.ts";
export type { WorkflowGraph } from "../definition/graph.ts";
export type { Collected } from "../definition/specs.ts";
export type { EventStep as TypedEvent, SleepStep as TypedSleep, Step as TypedTask } from "../definition/steps.ts";
export type { BlockedTask } from "../engine/reading/blocked_tasks.ts";
export type { BulkProgress } from "../engine/client/bulk.ts";
export type { ChildInfo } from "../engine/reading/child_info.ts";
export type { ExecutionEvent } from "../engine/reading/events.ts";
export type { Explanation, RunOrigin } from "../engine/reading/explain.ts";
export type { HistoryEntry } from "../engine/reading/history.ts";
export type { ItemInfo, ItemPage } from "../engine/reading/item_list.ts";
export type { LaneInfo } from "../engine/limits/lane_info.ts";
export type { RunPage as RunList } from "../engine/client/list.ts";
export type { RunInfo, RunStatus } from "../engine/reading/run_info.ts";
export type { TaskInfo } from "../engine/reading/run_reader.ts";
export type { ScheduleHistoryEntry, ScheduleInfo } from "../engine/schedules/info.ts";
export type { Stats } from "../engine/telemetry/stats.ts";
export type { StrandedRun } from "../engine/reading/stranded.ts";
export type { ErrorRecord, Failure } from "../errors.ts";
export type { RunState, TaskState } from "../store/port/batch.ts";
