import type { TaskArguments } from "../../lib/definition/context.ts";
import {
  type AnyWorkflow,
  dynamicWorkflow,
  NonRetryableError,
  type TaskContext,
  unchecked,
  workflow,
} from "../../mod.ts";

/** The external effects of bodies; each process provides its own implementation. */
export interface World {
  /** Performs an external effect of a body, which is logged before and after; returns `value`. */
  effect(ctx: TaskContext, value: number): Promise<number>;
  /** Performs an external effect of a step; returns `value`. */
  step(ctx: TaskContext, name: string, value: number): Promise<number>;
  /** Crashes the process. */
  die(ctx: TaskContext): Promise<never>;
}

/** The implementation for a process that executes no body. */
export const nowhere: World = { effect: noBody, step: noBody, die: noBody };

/** The input of every run. */
export interface Input {
  /** The number from which its results are computed. */
  readonly n: number;
}

/** Creates the workflows of the crash tests, by name; their definitions are the same in every process. */
export function crashWorkflows(world: World): Record<string, AnyWorkflow> {
  const input = unchecked<Input>();
  const quick = { attempts: 3, delay: "20ms", backoff: "fixed", jitter: false } as const;

  const chain = workflow("chain", { input })
    .task("a", { run: ({ input, ctx }) => world.effect(ctx, input.n + 1) })
    .task("b", { after: ["a"], run: ({ a, ctx }) => world.effect(ctx, a * 2) })
    .task("c", { after: ["b"], run: ({ b, ctx }) => world.effect(ctx, b + 3) })
    .returns("c");

  const diamond = workflow("diamond", { input })
    .task("top", { run: ({ input, ctx }) => world.effect(ctx, input.n) })
    .task("left", { after: ["top"], run: ({ top, ctx }) => world.effect(ctx, top + 10) })
    .task("right", { after: ["top"], run: ({ top, ctx }) => world.effect(ctx, top + 20) })
    .task("join", { after: ["left", "right"], run: ({ left, right, ctx }) => world.effect(ctx, left * right) })
    .returns("join");

  const flaky = workflow("flaky", { input })
    .task("first", { run: ({ input, ctx }) => world.effect(ctx, input.n) })
    .task("third_time", { after: ["first"], retry: quick, run: ({ first, ctx }) => thirdTime(world, ctx, first) })
    .task("last", { after: ["third_time"], run: ({ third_time, ctx }) => world.effect(ctx, third_time + 1) })
    .returns("last");

  const patient = workflow("patient", { input })
    .task("third_time", {
      retry: { ...quick, delay: "300ms" },
      run: ({ input, ctx }) => thirdTime(world, ctx, input.n),
    })
    .returns("third_time");

  const failing = workflow("failing", { input })
    .task("good", { run: ({ input, ctx }) => world.effect(ctx, input.n) })
    .task("bad", { after: ["good"], run: ({ ctx }) => refuse(world, ctx) })
    .task("never", { after: ["bad"], run: ({ ctx }) => world.effect(ctx, 0) })
    .task("tidy", { after: ["bad"], on: "settled", run: ({ ctx }) => world.effect(ctx, 1) });

  const stepwise = workflow("stepwise", { input })
    .task("sum", { run: ({ input, ctx }) => sum(world, ctx, input.n) })
    .task("twice", { after: ["sum"], run: ({ sum, ctx }) => world.effect(ctx, sum * 2) })
    .returns("twice");

  const approved = workflow("approved", { input })
    .task("quote", { run: ({ input, ctx }) => world.effect(ctx, input.n) })
    .event("approval", { after: ["quote"], schema: unchecked<number>() })
    .sleep("rest", { after: ["approval"], for: 20 })
    .task("pay", {
      after: ["quote", "approval", "rest"],
      run: ({ quote, approval, ctx }) => world.effect(ctx, quote + approval),
    })
    .returns("pay");

  const once = workflow("once", { input })
    .task("first", { run: ({ input, ctx }) => world.effect(ctx, input.n) })
    .task("charge", {
      after: ["first"],
      guarantee: "atMostOnce",
      run: ({ first, ctx }) => world.effect(ctx, first * 2),
    })
    .task("last", { after: ["charge"], run: ({ charge, ctx }) => world.effect(ctx, charge + 1) })
    .returns("last");

  const launching = workflow("launching", { input })
    .task("launch", {
      async run({ input, ctx }) {
        const { isNew } = await ctx.start(chain, input);
        return await world.effect(ctx, isNew ? input.n : -1);
      },
    })
    .returns("launch");

  const mapped = mapOf("mapped", { total: 4, concurrency: 1 });
  const wide = mapOf("wide", { total: 12, concurrency: 4 });

  const child = workflow("child", { input })
    .task("born", { run: ({ input, ctx }) => world.effect(ctx, input.n) })
    .task("grown", { after: ["born"], run: ({ born, ctx }) => world.effect(ctx, born * 2) })
    .returns("grown");

  const parent = workflow("parent", { input })
    .subworkflow("eldest", { workflow: child, input: ({ input }) => input })
    .map("others", {
      after: ["eldest"],
      over: ({ input }) => [input.n + 1, input.n + 2, input.n + 3],
      concurrency: 2,
      workflow: child,
      input: ({ item }) => ({ n: item }),
    })
    .task("sum", {
      after: ["eldest", "others"],
      run: ({ eldest, others, ctx }) => world.effect(ctx, others.reduce((a, b) => a + b, eldest)),
    })
    .returns("sum");

  const poison = workflow("poison", { input })
    .task("poisoned", { run: ({ ctx }) => world.die(ctx) })
    .returns("poisoned");

  const long = dynamicWorkflow({
    name: "long",
    tasks: Array.from({ length: 60 }, (_, n) => ({
      id: `t${n}`,
      after: n === 0 ? [] : [`t${n - 1}`],
      run: ({ ctx }: TaskArguments) => world.effect(ctx, n),
    })),
  });

  return {
    chain,
    diamond,
    flaky,
    patient,
    failing,
    stepwise,
    approved,
    once,
    launching,
    mapped,
    wide,
    child,
    parent,
    poison,
    long,
  };

  function mapOf(name: string, { total, concurrency }: { readonly total: number; readonly concurrency: number }) {
    return workflow(name, { input })
      .map("items", {
        over: ({ input }) => Array.from({ length: total }, (_, at) => input.n + at),
        concurrency,
        run: ({ item, ctx }) => world.effect(ctx, item * 2),
      })
      .task("total", { after: ["items"], run: ({ items, ctx }) => world.effect(ctx, items.reduce((a, b) => a + b)) })
      .returns("total");
  }
}

/** Returns the name of a unit in the effect log: `task`, or `task#item`. */
export function unitOf({ taskId, item }: Pick<TaskContext, "taskId" | "item">): string {
  return item === undefined ? taskId : `${taskId}#${item}`;
}

/** The payload of the message that runs of "approved" wait for. */
export const APPROVAL = 100;

/** Returns the expected outcome of a run, by its workflow and input. */
export function expected(name: string, n: number): { readonly status: string; readonly result?: number } {
  switch (name) {
    case "chain":
      return { status: "completed", result: (n + 1) * 2 + 3 };
    case "diamond":
      return { status: "completed", result: (n + 10) * (n + 20) };
    case "flaky":
      return { status: "completed", result: n + 1 };
    case "patient":
    case "launching":
      return { status: "completed", result: n };
    case "stepwise":
      return { status: "completed", result: (n + 10 + n + 20) * 2 };
    case "mapped":
      return { status: "completed", result: 8 * n + 12 };
    case "wide":
      return { status: "completed", result: 24 * n + 132 };
    case "child":
      return { status: "completed", result: n * 2 };
    case "parent":
      return { status: "completed", result: 8 * n + 12 };
    case "approved":
      return { status: "completed", result: n + APPROVAL };
    case "once":
      return { status: "completed", result: n * 2 + 1 };
    case "failing":
      return { status: "failed" };
    default:
      throw new Error(`Nothing is expected of "${name}"`);
  }
}

/** Returns what must have been committed before a task or step (`task/step`) begins. */
export function needsOf(name: string, unit: string): readonly string[] {
  if (unit === "sum/one") return [];
  if (unit === "sum/two") return ["sum/one"];
  if (unit === "sum" && name === "stepwise") return ["sum/one", "sum/two"];
  return crashWorkflows(nowhere)[name]!.graph.dependencies(unit.split("#")[0]!);
}

async function thirdTime(world: World, ctx: TaskContext, value: number): Promise<number> {
  await world.effect(ctx, value);
  if (ctx.attempt < 3) throw new Error(`not yet: attempt ${ctx.attempt}`);
  return value;
}

async function refuse(world: World, ctx: TaskContext): Promise<number> {
  await world.effect(ctx, 0);
  throw new NonRetryableError("never");
}

async function sum(world: World, ctx: TaskContext, n: number): Promise<number> {
  const one = await ctx.step("one", () => world.step(ctx, "one", n + 10));
  const two = await ctx.step("two", () => world.step(ctx, "two", n + 20));
  return await world.effect(ctx, one + two);
}

function noBody(): never {
  throw new Error("no body may run in this process");
}
