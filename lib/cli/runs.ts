import type { AnyWorkflow } from "../definition/workflow.ts";
import type { HandleOf } from "../engine/client/handle.ts";
import type { RunState } from "../store/port/batch.ts";
import type { RunInfo } from "../engine/reading/run_info.ts";
import type { TaskInfo } from "../engine/reading/run_reader.ts";
import { type Call, type Command, withClient } from "./call.ts";
import { changeCommand } from "./bulk.ts";
import { exportRun } from "./export.ts";
import { failures } from "./failures.ts";
import { follow } from "./follow.ts";
import { list } from "./list.ts";
import { type CommandOptions, table, UsageError } from "./usage.ts";

const REASON: CommandOptions = { reason: { type: "string", value: "text", text: "the reason, stored with the run" } };

/** Shows a run and its tasks. */
const show: Command = {
  name: "runs show",
  summary: "Shows a run, what it waits for, and its tasks",
  args: ["store", "run"],
  options: {},
  async execute(call) {
    const { args: { run: id = "" }, flags, terminal } = call;
    await withClient(call, [], async (client) => {
      const handle = client.get(id);
      const run = await handle.status();
      const [{ summary }, tasks] = [await client.explain(id), await handle.tasks()];
      terminal.print(flags.has("json") ? JSON.stringify({ run, summary, tasks }) : shown(run, summary, tasks));
    });
    return 0;
  },
};

/** The commands about runs. */
export const runs: readonly Command[] = [
  list,
  show,
  follow,
  changeCommand({
    verb: "cancel",
    summary: "Cancels runs with their child runs, and undoes their completed tasks that have an undo",
    options: { ...REASON, "no-undo": { type: "boolean", text: "do not undo completed tasks" } },
    one: (run, options) => stateAfter(run, run.cancel(reasonOf(options).reason, undoOf(options))),
    sentence: isNow,
    many: (client, filter, { more, ...options }) =>
      client.cancelMany(filter, { ...more, ...reasonOf(options), ...undoOf(options) }),
    done: "cancelled",
  }),
  changeCommand({
    verb: "pause",
    summary: "Pauses runs and their child runs",
    options: REASON,
    one: (run, options) => stateAfter(run, run.pause(reasonOf(options).reason)),
    sentence: isNow,
    many: (client, filter, { more, ...options }) => client.pauseMany(filter, { ...more, ...reasonOf(options) }),
    done: "paused",
  }),
  changeCommand({
    verb: "resume",
    summary: "Resumes paused runs and their child runs",
    one: (run) => stateAfter(run, run.resume()),
    sentence: isNow,
    many: (client, filter, { more }) => client.resumeMany(filter, more),
    done: "resumed",
  }),
  changeCommand({
    verb: "retry",
    summary: "Retries failed runs; results of completed tasks that are not undone are kept",
    one: (run) => stateAfter(run, run.retry()),
    sentence: isNow,
    many: (client, filter, { more }) => client.retryMany(filter, more),
    done: "retried",
  }),
  changeCommand({
    verb: "tag",
    summary: "Adds tags to runs, and removes others",
    options: {
      add: { type: "string", value: "tag", isList: true, text: "a tag to add; may be repeated" },
      remove: { type: "string", value: "tag", isList: true, text: "a tag to remove; may be repeated" },
    },
    many: (client, filter, { lists: { add = [], remove = [] }, more }) => client.tagMany(filter, { add, remove }, more),
    done: "changed",
  }),
  changeCommand({
    verb: "delete",
    summary: "Deletes runs that have ended, with their child runs and all their rows",
    async one(run, { flags }) {
      const { length } = await run.children();
      if (length > 0 && !flags.has("yes")) {
        throw new UsageError(`run "${run.id}" has child runs, which are deleted with it; add --yes to confirm`);
      }
      await run.delete();
      return { deleted: true };
    },
    sentence: () => "is deleted",
    many: (client, filter, { more }) => client.deleteMany(filter, more),
    done: "deleted",
  }),
  failures,
  exportRun,
];

function reasonOf({ values: { reason } }: Pick<Call, "values">): { readonly reason?: string } {
  return reason === undefined ? {} : { reason };
}

function undoOf({ flags }: Pick<Call, "flags">): { readonly compensate: boolean } {
  return { compensate: !flags.has("no-undo") };
}

async function stateAfter(run: HandleOf<AnyWorkflow>, change: Promise<void>): Promise<{ readonly state: RunState }> {
  await change;
  const { state } = await run.status();
  return { state };
}

function isNow({ state }: Readonly<Record<string, unknown>>): string {
  return `is now ${state}`;
}

function shown(run: RunInfo, summary: string, tasks: readonly TaskInfo[]): string {
  const { id, workflow, version, state, key, keyScope, debounce, tags, createdAt, startedAt, endedAt } = run;
  const time = (at: number): string => new Date(at).toISOString();
  const facts: (readonly [string, string | undefined])[] = [
    ["Run", id],
    ["Workflow", `${workflow} (version ${version})`],
    ["State", `${state}: ${summary}`],
    ["Key", key === undefined || keyScope === "ever" ? key : `${key} (until it ends)`],
    ["Debounce", debounce && `${debounce.key}, replaced ${times(debounce.replaced)}`],
    ["Tags", tags.length === 0 ? undefined : tags.join(", ")],
    ["Created", time(createdAt)],
    ["Started", startedAt === undefined ? undefined : time(startedAt)],
    ["Ended", endedAt === undefined ? undefined : time(endedAt)],
  ];
  const known = facts.flatMap(([name, value]) => value === undefined ? [] : [[name, value] as const]);
  const width = Math.max(0, ...tasks.map(({ id }) => id.length));
  const lines = tasks.map(({ id, state, attempts, error, undo }) =>
    `  ${id.padEnd(width)}  ${state.padEnd(11)}  ${attempts} attempts${
      error === undefined ? "" : `  ${error.message}`
    }${undo === undefined ? "" : undoText(undo)}`
  );
  return [table(known), "Tasks:", ...lines].join("\n");
}

function times(count: number): string {
  return count === 1 ? "once" : `${count} times`;
}

function undoText({ state, attempts, error }: NonNullable<TaskInfo["undo"]>): string {
  return `  undo ${state}, ${attempts} attempts${error === undefined ? "" : `: ${error.message}`}`;
}
