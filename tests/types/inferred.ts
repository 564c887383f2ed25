// What the compiler infers, exactly.
import { type } from "arktype";
import * as v from "valibot";
import { z } from "zod";
import type { Workflow } from "../../lib/definition/builder.ts";
import type { TaskContext, TaskStatus } from "../../lib/definition/context.ts";
import { dynamicWorkflow } from "../../lib/definition/dynamic.ts";
import { unchecked } from "../../lib/definition/schema.ts";
import type { Step } from "../../lib/definition/steps.ts";
import { task } from "../../lib/definition/task.ts";
import type { Registered, Resolve } from "../../lib/definition/targets.ts";
import {
  type AnyWorkflow,
  type InputOf,
  type OutputsOf,
  type ResultOf,
  workflow,
} from "../../lib/definition/workflow.ts";
import type { WorkflowDefinition } from "../../lib/definition/definition.ts";
import type { Failure } from "../../lib/errors.ts";
import { etl, type extended, flaky } from "./examples.ts";
import { type IsEqual, isTrue } from "./is_equal.ts";

interface Tree {
  v: number;
  kids: Tree[];
}
interface Linked {
  id: string;
  next?: Linked;
  tags: readonly string[];
}
declare const tree: Tree;
declare const linked: Linked;

// The order of members does not matter for what `run` reads.
const ordered = workflow("ordered").task("a", { run: () => 1 })
  .task("b", { run: ({ a }) => a + 1, after: ["a"] })
  .task("c", { when: ({ b }) => b > 1, run: ({ b }) => ({ b }), after: ["b"] })
  .task("d", {
    run: ({ c }) => Promise.resolve(c?.b ?? null),
    onSuccess: ({ output }) => void output?.toFixed(),
    after: ["c"],
  });
isTrue<
  IsEqual<
    OutputsOf<typeof ordered>,
    { readonly a: number; readonly b: number; readonly c: { b: number } | undefined; readonly d: number | null }
  >
>();

// Method shorthand, function expressions, unions, void, never, null, tuples, recursive types, interfaces.
const shapes = workflow("shapes")
  .task("a", {
    async run() {
      await Promise.resolve();
      return [1, "x"] as const;
    },
  })
  .task("b", {
    after: ["a"],
    run: function ({ a }) {
      return a[0];
    },
  })
  .task("c", { run: async () => {} })
  .task("d", { run: () => Promise.reject(new Error()) as Promise<never> })
  .task("e", { run: () => null })
  .task("f", { run: () => Promise.resolve(tree) })
  .task("g", { run: () => linked })
  .task("h", { after: ["g"], run: ({ g }) => g.next?.id })
  .task("i", {
    run: ({ ctx }) => Promise.resolve(ctx.attempt > 1 ? { ok: true as const, v: 1 } : { ok: false as const, why: "x" }),
  })
  .task("j", { after: ["i"], run: ({ i }) => i.ok ? i.v : i.why });
type Shapes = OutputsOf<typeof shapes>;
isTrue<IsEqual<Shapes["a"], readonly [1, "x"]>>();
isTrue<IsEqual<Shapes["b"], 1>>();
isTrue<IsEqual<Shapes["c"], void>>();
isTrue<IsEqual<Shapes["d"], never>>();
isTrue<IsEqual<Shapes["e"], null>>();
isTrue<IsEqual<Shapes["f"], Tree>>();
isTrue<IsEqual<Shapes["h"], string | undefined>>();
isTrue<IsEqual<Shapes["j"], string | number>>();

// What a body receives.
workflow("args", { input: unchecked<{ n: number }>() }).task("a", { run: () => 1 }).task("b", {
  after: ["a"],
  run: (args) => {
    isTrue<IsEqual<typeof args.a, number>>();
    isTrue<IsEqual<typeof args.input, { n: number }>>();
    isTrue<IsEqual<typeof args.ctx, TaskContext>>();
    isTrue<IsEqual<typeof args.status.a, TaskStatus>>();
    return args.a;
  },
});

// Standard Schema from three libraries: a starter passes the schema's input side, tasks see its output side.
const byZod = workflow("zod", {
  input: z.object({ n: z.number().default(1), day: z.string().transform((s) => s.length) }),
}).task("a", { run: ({ input }) => input.n + input.day });
const byValibot = workflow("valibot", { input: v.object({ n: v.optional(v.number(), 1) }) })
  .task("a", { run: ({ input }) => input.n });
const byArktype = workflow("arktype", { input: type({ n: "number", "s?": "string" }) })
  .task("a", { run: ({ input }) => input.n + (input.s?.length ?? 0) });
isTrue<IsEqual<ResultOf<typeof byZod>, { readonly a: number }>>();
isTrue<IsEqual<ResultOf<typeof byValibot>, { readonly a: number }>>();
isTrue<IsEqual<ResultOf<typeof byArktype>, { readonly a: number }>>();
isTrue<IsEqual<InputOf<typeof byZod>, { n?: number | undefined; day: string }>>();
isTrue<IsEqual<InputOf<typeof flaky>, undefined>>();

// A hook before `run` in the literal loses the output type: the one order that matters.
workflow("hook").task("a", { onSuccess: ({ output }) => void output, run: () => 1 });

// An error in one task does not cascade: only the marked lines fail.
const wounded = workflow("wounded")
  // @ts-expect-error output.at is a Date - use date.toISOString()
  .task("a", { run: () => ({ at: new Date(), n: 1 }) })
  .task("b", { after: ["a"], run: ({ a }) => a.n })
  // @ts-expect-error unknown id
  .task("c", { after: ["zzz"], run: () => 1 })
  // @ts-expect-error there is already a task 'b' in this workflow
  .task("b", { run: () => 1 })
  .task("d", { after: ["b", "c"], run: ({ b, c }) => b + c })
  .returns("d");
isTrue<IsEqual<ResultOf<typeof wounded>, number>>();

// Ids computed from a literal union keep their type one at a time; a plain `string` is refused.
const withShard = <const K extends "a" | "b">(k: K) =>
  workflow(`shard-${k}`)
    // @ts-expect-error inside a generic function the id is not known yet
    .task(`load-${k}`, { run: () => k });
withShard("a");
// @ts-expect-error a task id must be one string literal
for (const k of ["a", "b"] as const) workflow(`shard-${k}`).task(`load-${k}`, { run: () => k });

// A list of dependencies that is computed may leave some out: everything it may name becomes `| undefined`.
declare const some: ("a" | "b")[];
declare const flag: boolean;
const pair = workflow("pair").task("a", { run: () => 1 }).task("b", { run: () => 2 });
// @ts-expect-error 'a' is possibly 'undefined'
pair.task("c", { after: some, run: ({ a }) => a + 1 });
// @ts-expect-error 'a' is possibly 'undefined'
pair.task("c", { after: flag ? ["a"] : ["b"], run: ({ a }) => a + 1 });
pair.task("c", { after: some, run: ({ a, b }) => (a ?? 0) + (b ?? 0) });

// A function that extends whatever workflow it is given.
function withAudit<Name extends string, Input, Returns, Sends>(
  base: Workflow<Name, Input, Step<"load", number>, Returns, Sends>,
) {
  return base.task("audit", { after: ["load"], run: ({ load }) => load > 0 });
}
const audited = withAudit(workflow("w").task("load", { run: () => 1 as number }));
isTrue<IsEqual<OutputsOf<typeof audited>, { readonly load: number; readonly audit: boolean }>>();

// `.returns()` chooses the result, and it stays chosen.
isTrue<IsEqual<ResultOf<typeof etl>, { read: number; written: number }>>();
isTrue<IsEqual<ResultOf<typeof extended>, string>>();

// Any workflow is a definition for the engine.
export const definition: WorkflowDefinition = etl;
export const any: readonly AnyWorkflow[] = [etl, flaky, byZod, dynamicWorkflow({ name: "x", tasks: [] })];

// How runners name workflows.
const generated = dynamicWorkflow({ name: "generated", tasks: [] });
declare const name: string;
const unnamed = dynamicWorkflow({ name, tasks: [] });
type Known = typeof etl | typeof flaky | typeof generated;
isTrue<IsEqual<Resolve<Known, "etl">, typeof etl>>();
isTrue<IsEqual<Resolve<Known, typeof flaky>, typeof flaky>>();
isTrue<IsEqual<Resolve<Known | typeof unnamed, "etl">, typeof etl>>();
isTrue<IsEqual<Resolve<Known | typeof unnamed, "tuesday">, typeof unnamed>>();
isTrue<IsEqual<Registered<Known, typeof etl>, typeof etl>>();
isTrue<IsEqual<Registered<Known, typeof pair>, "workflow 'pair' is not registered with this runner">>();
isTrue<IsEqual<ResultOf<typeof generated>, unknown>>();

// A recorded error can be stored, such as in the output of a task that handles a failure.
declare const failure: Failure;
workflow("failures").task("a", { run: () => ({ failure, fields: failure.error.fields }) });

// `undo` receives what the body received and its output.
workflow("undone", { input: unchecked<{ url: string }>() })
  .task("a", {
    run: () => Promise.resolve({ n: 1 }),
    undo: ({ output, input }) => [output.n.toFixed(), input.url.length],
  })
  .task("b", {
    after: ["a"],
    when: ({ a }) => a.n > 1,
    run: ({ a }) => [a.n] as const,
    undo: async ({ output, a, ctx, status }) => {
      isTrue<IsEqual<typeof output, readonly [number]>>();
      await ctx.step("call", () => [output[0], a.n, status.a]);
      return new Map();
    },
  })
  .map("m", {
    after: ["a"],
    over: ({ a }) => [{ sku: `${a.n}` }],
    onItemFailure: "collect",
    run: ({ item }) => item.sku.length,
    undo: ({ output, item, index, a }) => void [output.toFixed(), item.sku.length, index.toFixed(), a.n],
  })
  .task("c", {
    ...task({ run: (_: { a: { n: number } }) => "x", undo: ({ output, a }) => [output.length, a.n] }),
    after: ["a"],
  });
