import type { AnyWorkflow } from "../definition/workflow.ts";
import type { Client } from "../engine/client.ts";
import type { HandleOf } from "../engine/handle.ts";
import type { RunInfo } from "../engine/run_info.ts";
import type { TaskInfo } from "../engine/run_reader.ts";
import { type Call, type Command, withClient } from "./call.ts";
import { deleteRun } from "./delete.ts";
import { exportRun } from "./export.ts";
import { follow } from "./follow.ts";
import { list } from "./list.ts";
import { type CommandOptions, table } from "./usage.ts";

const REASON: CommandOptions = { reason: { type: "string", value: "text", text: "the reason, which the run keeps" } };

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
  control(
    "cancel",
    "Cancels a run, and undoes its completed tasks that have an undo",
    { ...REASON, "no-undo": { type: "boolean", text: "undo nothing" } },
    (run, { values: { reason }, flags }) => run.cancel(reason, { compensate: !flags.has("no-undo") }),
  ),
  control("pause", "Pauses a run and its child runs", REASON, (run, { values: { reason } }) => run.pause(reason)),
  control("resume", "Resumes a paused run and its child runs", {}, (run) => run.resume()),
  control(
    "retry",
    "Retries a failed run; results of completed tasks that are not undone are kept",
    {},
    (run) => run.retry(),
  ),
  deleteRun,
  exportRun,
];

type AnyHandle = HandleOf<AnyWorkflow>;

function control(
  verb: string,
  summary: string,
  options: CommandOptions,
  apply: (run: AnyHandle, call: Pick<Call, "values" | "flags">) => Promise<void>,
): Command {
  return {
    name: `runs ${verb}`,
    summary,
    args: ["store", "run"],
    options,
    async execute(call) {
      const { args: { run: id = "" }, flags, terminal } = call;
      const { state } = await withClient(call, [], async (client: Client<AnyWorkflow>) => {
        const run = client.get(id);
        await apply(run, call);
        return await run.status();
      });
      terminal.print(flags.has("json") ? JSON.stringify({ id, state }) : `Run "${id}" is now ${state}.`);
      return 0;
    },
  };
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
