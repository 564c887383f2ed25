import { Schedule } from "../definition/schedule.ts";
import type { ScheduleInfo } from "../engine/schedules/info.ts";
import { type Call, type Command, withClient } from "./call.ts";
import { timeOf } from "./filters.ts";
import { loadModule } from "./load_workflows.ts";
import { columns } from "./printable.ts";
import { type CommandOptions, UsageError } from "./usage.ts";

const MODULE: CommandOptions = {
  schedules: {
    type: "string",
    value: "module",
    text: "a module that exports the schedule, if its input is a function",
  },
};

const list: Command = {
  name: "schedules list",
  summary: "Lists schedules, by name",
  args: ["store"],
  options: {},
  async execute(call) {
    const { flags, terminal } = call;
    const schedules = await withClient(call, [], (client) => client.schedules.list());
    if (flags.has("json")) terminal.print(JSON.stringify({ schedules }));
    else for (const line of shown(schedules)) terminal.print(line);
    return 0;
  },
};

const trigger: Command = {
  name: "schedules trigger",
  summary: "Starts a run of a schedule now",
  args: ["store", "schedule"],
  options: MODULE,
  async execute(call) {
    const { args: { schedule = "" }, flags, terminal } = call;
    const schedules = await loadSchedules(call);
    const { id } = await withClient(call, [], (client) => client.schedules.trigger(schedule), schedules);
    terminal.print(flags.has("json") ? JSON.stringify({ runId: id }) : `Started run "${id}".`);
    return 0;
  },
};

const backfill: Command = {
  name: "schedules backfill",
  summary: "Starts the runs of past ticks that have none",
  args: ["store", "schedule"],
  options: {
    from: { type: "string", value: "time", text: "the first time that can be a tick" },
    to: { type: "string", value: "time", text: "the first time after the last tick (default: now)" },
    ...MODULE,
    yes: { type: "boolean", text: "confirm the start of several runs" },
  },
  notes:
    "A time is a date and time, such as 2026-11-30T09:00Z, milliseconds since the epoch, or a duration before now, " +
    "such as 2h or 7d. The command can be repeated: no tick gets a second run.",
  async execute(call) {
    const { args: { schedule = "" }, values, flags, terminal } = call;
    const from = timeOf("--from", values["from"]);
    const to = timeOf("--to", values["to"]) ?? Date.now();
    if (from === undefined) throw new UsageError("--from=<time> is missing");
    if (!flags.has("yes")) throw new UsageError("it may start many runs; confirm it with --yes");
    const schedules = await loadSchedules(call);
    const result = await withClient(
      call,
      [],
      (client) => client.schedules.backfill(schedule, { from, to }),
      schedules,
    );
    const { started, existing } = result;
    terminal.print(
      flags.has("json")
        ? JSON.stringify(result)
        : `${started} runs of schedule "${schedule}" are started; ${existing} ticks had one.`,
    );
    return 0;
  },
};

/** The commands about schedules. */
export const schedules: readonly Command[] = [
  list,
  control("pause", "Pauses a schedule"),
  control("resume", "Resumes a paused schedule from now on; ticks in between are skipped"),
  trigger,
  backfill,
];

function control(verb: "pause" | "resume", summary: string): Command {
  return {
    name: `schedules ${verb}`,
    summary,
    args: ["store", "schedule"],
    options: {},
    async execute(call) {
      const { args: { schedule: name = "" }, flags, terminal } = call;
      const { state } = await withClient(call, [], async ({ schedules }) => {
        await schedules[verb](name);
        return await schedules.get(name);
      });
      terminal.print(flags.has("json") ? JSON.stringify({ name, state }) : `Schedule "${name}" is now ${state}.`);
      return 0;
    },
  };
}

async function loadSchedules({ values: { schedules: path } }: Call): Promise<readonly Schedule[]> {
  if (path === undefined) return [];
  const exported = Object.values(await loadModule("--schedules", path)).flat();
  const found = exported.filter((value) => value instanceof Schedule);
  if (found.length > 0) return [...new Set(found)];
  throw new UsageError(`--schedules: "${path}" exports no schedule; export the schedules, or an array of them`);
}

function shown(schedules: readonly ScheduleInfo[]): readonly string[] {
  if (schedules.length === 0) return ["There are no schedules."];
  const time = (at: number | undefined): string => at === undefined ? "-" : new Date(at).toISOString();
  const rows = schedules.map(({ name, state, pausedBy, workflow, nextTick, lastTick, counts, error, ...timing }) => [
    name,
    pausedBy === "removal" ? "removed" : state,
    timing.cron === undefined ? `every ${timing.everyMs} ms` : `${timing.cron} ${timing.timeZone}`,
    workflow,
    time(nextTick),
    time(lastTick),
    String(counts.started),
    String(counts.overlapped),
    String(counts.missed),
    error?.message ?? "",
  ]);
  const heads = ["SCHEDULE", "STATE", "RULE", "WORKFLOW", "NEXT", "LAST", "RUNS", "OVERLAPPED", "MISSED", "ERROR"];
  return columns([heads, ...rows]);
}
