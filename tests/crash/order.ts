/**
 * A workflow with child runs, maps, a task that runs at most once, and undos. Its bodies take some time, so that tests
 * can inject faults into its store or runner while it executes.
 *
 * @module
 */
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import process from "node:process";
import { type AnyWorkflow, NonRetryableError, type TaskContext, unchecked, workflow } from "../../mod.ts";
import { passes } from "../passes.ts";

/** The input of an order. */
export interface Order {
  /** How many items each of its maps has. */
  readonly items: number;
  /** Whether it fails at its end, so that it is compensated. */
  readonly fails: boolean;
}

/** A line of the log: a body or an undo began or ended, or the file was lost. */
export interface Act {
  readonly what: "began" | "ended" | "lost";
  readonly run: string;
  /** The unit and its attempt since the last compensation, such as `pack/1/undo`. */
  readonly unit: string;
  readonly attempt: number;
  readonly pid: number;
}

/** Reads the lines of the log. */
export function readActs(log: string): readonly Act[] {
  if (!existsSync(log)) return [];
  return readFileSync(log, "utf8").split("\n").slice(0, -1).map((line) => {
    const [what, run, unit, attempt, pid] = line.split(" ");
    return { what, run, unit, attempt: Number(attempt), pid: Number(pid) } as Act;
  });
}

/** Returns the bodies and undos that have begun and not ended, by run and unit. */
export function inProgress(acts: readonly Act[]): ReadonlySet<string> {
  const open = new Set<string>();
  for (const { what, run, unit } of acts) {
    if (what === "began") open.add(`${run} ${unit}`);
    if (what === "ended") open.delete(`${run} ${unit}`);
  }
  return open;
}

/** Returns the workflows: bodies and undos write to the log and take `ms` milliseconds. */
export function orderWorkflows(log: string, ms: number): { readonly order: AnyWorkflow; readonly part: AnyWorkflow } {
  const version = "1";
  const act = async (ctx: TaskContext): Promise<number> => {
    const what = `${ctx.runId} ${ctx.idempotencyKey.slice(ctx.runId.length + 1)} ${ctx.attempt} ${process.pid}\n`;
    appendFileSync(log, `began ${what}`);
    await passes(ms);
    appendFileSync(log, `ended ${what}`);
    return ctx.item ?? 0;
  };
  const undo = async ({ ctx }: { readonly ctx: TaskContext }): Promise<void> => void await act(ctx);
  const run = ({ ctx }: { readonly ctx: TaskContext }): Promise<number> => act(ctx);
  const indexes = ({ input }: { readonly input: Order }) => Array.from({ length: input.items }, (_, at) => at);
  const part = workflow("part", { version, input: unchecked<number>() })
    .task("make", { run, undo })
    .task("check", { after: ["make"], run })
    .returns("check");
  const order = workflow("order", { version, input: unchecked<Order>() })
    .task("charge", { guarantee: "atMostOnce", run })
    .map("pack", { after: ["charge"], over: indexes, concurrency: 2, run, undo })
    .subworkflow("first", { after: ["pack"], workflow: part, input: () => 0 })
    .map("parts", { after: ["first"], over: indexes, workflow: part, input: ({ item }) => item })
    .task("close", {
      after: ["parts"],
      async run({ input, ctx }) {
        await act(ctx);
        if (input.fails) throw new NonRetryableError("closed");
        return input.items;
      },
    })
    .returns("close");
  return { order, part };
}
