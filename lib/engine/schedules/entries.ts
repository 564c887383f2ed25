/**
 * The schedules that a runner or client was given, checked as far as their store is not needed.
 *
 * @module
 */
import { shown } from "../../definition/checks.ts";
import { Poll } from "../../definition/poll.ts";
import { Schedule } from "../../definition/schedule.ts";
import { DefinitionError } from "../../errors.ts";
import { type Catalog, catalogOf } from "../catalog.ts";
import type { AttemptPolicy, Plan } from "../machine/plan.ts";
import { encodeInput } from "../client/start_options.ts";
import type { Rule } from "./decide.ts";
import { loadCron } from "./croner.ts";
import { type StoredPoll, storedPoll, type StoredSchedule, storedSchedule } from "./stored.ts";
import { type Calculator, createCalculator, type Ticks } from "./ticks.ts";

/** A poll with what follows from it. */
export interface PollEntry {
  readonly kind: "poll";
  readonly schedule: Poll;
  readonly plan: Plan;
  readonly stored: StoredPoll;
  /** What is stored, as JSON text. */
  readonly definition: string;
}

/** A schedule or poll with what follows from it. */
export type Entry = ScheduleEntry | PollEntry;

/** A schedule with what follows from it. */
export interface ScheduleEntry {
  readonly kind: "schedule";
  readonly schedule: Schedule;
  readonly plan: Plan;
  readonly stored: StoredSchedule;
  /** What is stored, as JSON text. */
  readonly definition: string;
  readonly rule: Rule;
}

/** The schedules of a runner or client. */
export interface ScheduleEntries {
  /** By name. */
  readonly byName: ReadonlyMap<string, Entry>;
  /** The workflows of their runs. */
  readonly catalog: Catalog;
  /** Returns a calculator that knows cron expressions, which loads `croner`. */
  calculator(): Promise<Calculator>;
}

/** What the entries follow from, in addition to the schedules. */
export interface EntryOptions {
  /** The workflows of the runner or client. */
  readonly catalog: Catalog;
  /** The defaults of the runner. @default {undefined} a client */
  readonly defaults?: AttemptPolicy;
  /** The largest input, in bytes of JSON. */
  readonly maxPayloadBytes: number;
}

/**
 * Checks schedules; loads `croner` if one of them has a cron expression.
 *
 * @throws {DefinitionError} If an element is no schedule, two have the same name, or one never ticks.
 * @throws {ValidationError} If the schema of its workflow rejects a fixed input.
 */
export async function readEntries(
  schedules: readonly (Schedule | Poll)[],
  { catalog, defaults, maxPayloadBytes }: EntryOptions,
): Promise<ScheduleEntries> {
  let loading: Promise<Calculator> | undefined;
  const calculator = (): Promise<Calculator> => loading ??= loadCron().then(createCalculator);
  for (const [at, schedule] of schedules.entries()) {
    if (schedule instanceof Schedule || schedule instanceof Poll) continue;
    throw new DefinitionError(
      "",
      [`schedules[${at}] is ${shown(schedule)}, not one that schedule() or poll() returned`],
      "schedule",
    );
  }
  const needsCron = schedules.some((schedule) => schedule instanceof Schedule && schedule.cron !== undefined);
  const ticksOf = needsCron ? await calculator() : createCalculator(undefined);
  const own = catalogOf([...new Set(schedules.map(({ workflow }) => workflow))].filter(isFirst), defaults);
  const byName = new Map<string, Entry>();
  for (const schedule of schedules) {
    const { name, workflow, kind } = schedule;
    if (byName.has(name)) throw new DefinitionError(name, ["another schedule has the same name"], kind);
    const plan = own.get(workflow.name)!;
    const others = [plan, catalog.get(workflow.name)].filter((other) => other?.workflow.version !== workflow.version);
    if (others.some((other) => other !== undefined)) {
      throw new DefinitionError(name, [`another workflow is registered with the name "${workflow.name}"`], kind);
    }
    if (schedule instanceof Poll) {
      const stored = storedPoll(schedule);
      byName.set(name, { kind: "poll", schedule, plan, stored, definition: JSON.stringify(stored) });
      continue;
    }
    const { input } = schedule;
    const text = typeof input === "function"
      ? undefined
      : await encodeInput(plan, input, `Cannot define schedule "${name}"`, maxPayloadBytes);
    const stored = storedSchedule(schedule, text);
    const rule: Rule = { ...pickRule(stored), name, ticks: checkTicks(name, ticksOf, stored) };
    byName.set(name, { kind: "schedule", schedule, plan, stored, definition: JSON.stringify(stored), rule });
  }
  return { byName, catalog: own, calculator };
}

/** Entries of a client or runner without schedules. */
export function noEntries(): ScheduleEntries {
  const calculator = (): Promise<Calculator> => loadCron().then(createCalculator);
  return { byName: new Map(), catalog: catalogOf([]), calculator };
}

/** The part of a stored schedule that decides about its ticks. */
export function pickRule({ overlap, catchUp, maxCatchUp, jitterMs }: StoredSchedule): Omit<Rule, "name" | "ticks"> {
  return { overlap, catchUp, maxCatchUp, jitterMs };
}

/** Of workflows with the same name, all but the first are left out; their versions are compared later. */
function isFirst(workflow: { readonly name: string }, at: number, all: readonly { readonly name: string }[]): boolean {
  return all.findIndex(({ name }) => name === workflow.name) === at;
}

function checkTicks(name: string, calculator: Calculator, { timing, expression }: StoredSchedule): Ticks {
  const ticks = compile();
  if (ticks.next((timing.startAt ?? 0) - 1) === undefined) {
    const bounds = timing.startAt === undefined && timing.endAt === undefined ? "" : " between startAt and endAt";
    throw new DefinitionError(name, [`it never ticks${bounds}`], "schedule");
  }
  return ticks;

  function compile(): Ticks {
    try {
      return calculator.ticks(timing);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new DefinitionError(name, [`cron ${shown(expression)}: ${why}`], "schedule");
    }
  }
}
