/** Commands that show what a store contains. */
import { contextOf } from "../engine/client/client_context.ts";
import { type Command, withClient } from "./call.ts";
import { columns } from "./printable.ts";

/** The most definitions of workflows that are listed. */
const MOST_DEFINITIONS = 1_000;

/** Lists workflows. */
export const workflows: Command = {
  name: "workflows",
  summary: "Lists the workflows and versions of which runs were started, or that a runner executes",
  args: ["store"],
  options: {},
  async execute(call) {
    const { flags, terminal } = call;
    const found = await withClient(call, [], (client) => {
      return contextOf(client)!.store.inspection.definitions(MOST_DEFINITIONS);
    });
    const listed = found.map(({ workflow, version, createdAt }) => ({ workflow, version, createdAt }));
    if (flags.has("json")) terminal.print(JSON.stringify({ workflows: listed }));
    else {
      const rows = listed.map((row) => [row.workflow, row.version, new Date(row.createdAt).toISOString()]);
      for (const line of columns([["WORKFLOW", "VERSION", "KNOWN SINCE"], ...rows])) terminal.print(line);
    }
    return 0;
  },
};

/** Lists runners. */
export const runners: Command = {
  name: "runners",
  summary: "Lists the runners, with their processes and the runs that they own",
  args: ["store"],
  options: {},
  notes: "A runner whose lease has expired is dead or cannot reach the database; other runners recover its runs.",
  async execute(call) {
    const { flags, terminal } = call;
    const found = await withClient(call, [], async (client) => {
      const { store } = contextOf(client)!;
      const [rows, { counts }] = [await store.runners(), await store.inspection.owned(MOST_OWNED)];
      const now = store.now();
      return rows.map(({ id, host, pid, concurrency, startedAt, leaseUntil, served }) => ({
        id,
        host,
        pid,
        isAlive: leaseUntil > now,
        concurrency,
        runs: counts.get(id) ?? 0,
        startedAt,
        workflows: served.map(({ workflow }) => workflow),
      }));
    });
    if (flags.has("json")) terminal.print(JSON.stringify({ runners: found }));
    else {
      const rows = found.map((runner) => [
        String(runner.id),
        runner.isAlive ? "alive" : "lease expired",
        `${runner.host} ${runner.pid}`,
        String(runner.concurrency),
        String(runner.runs),
        new Date(runner.startedAt).toISOString(),
        runner.workflows.join(", "),
      ]);
      const heads = ["RUNNER", "STATE", "PROCESS", "SLOTS", "RUNS", "STARTED", "WORKFLOWS"];
      for (const line of columns([heads, ...rows])) terminal.print(line);
    }
    return 0;
  },
};

/** The most owned runs that are counted. */
const MOST_OWNED = 100_000;

/** Counts runs. */
export const stats: Command = {
  name: "stats",
  summary: "Counts runs by their state",
  args: ["store"],
  options: {},
  async execute(call) {
    const { flags, terminal } = call;
    const { runs } = await withClient(call, [], (client) => client.stats());
    if (flags.has("json")) terminal.print(JSON.stringify({ runs }));
    else {
      const rows = Object.entries(runs).map(([state, count]) => [state, String(count)]);
      for (const line of columns([["STATE", "RUNS"], ...rows])) terminal.print(line);
    }
    return 0;
  },
};
