/**
 * A workflow with child runs, maps, a task that runs at most once, and undos, whose bodies take a while: for tests in which
 * something happens to its store or its runner while it executes.
 *
 * @module
 */
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import process from "node:process";
import { type AnyWorkflow, NonRetryableError, type TaskContext, unchecked, workflow } from "../../mod.ts";
import { passes } from "../passes.ts";

/** The input of an order. */
export interface Order {
  /** The items of each of its maps. */
  readonly items: number;
  /** Whether it fails in the end, so that it is compensated. */
  readonly fails: boolean;
}

/** A body or an undo of the log, when it began or ended, or the moment at which the file was lost. */
export interface Act {
  readonly what: "began" | "ended" | "lost";
  readonly run: string;
  /** The unit and its attempt since the last compensation, such as `pack/1/undo`. */
  readonly unit: string;
  readonly attempt: number;
  readonly pid: number;
}

/** Reads what bodies and undos did. */
export function readActs(log: string): readonly Act[] {
  if (!existsSync(log)) return [];
  return readFileSync(log, "utf8").split("\n").slice(0, -1).map((line) => {
    const [what, run, unit, attempt, pid] = line.split(" ");
    return { what, run, unit, attempt: Number(attempt), pid: Number(pid) } as Act;
  });
}

/** What bodies and undos that have begun have not ended, by run and unit. */
export function inProgress(acts: readonly Act[]): ReadonlySet<string> {
  const open = new Set<string>();
  for (const { what, run, unit } of acts) {
    if (what === "began") open.add(`${run} ${unit}`);
    if (what === "ended") open.delete(`${run} ${unit}`);
  }
  return open;
}

/** The workflows: bodies and undos write to the log and take `ms`. */
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
