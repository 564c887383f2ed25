// Every kind of task, triggers and reads, with the exact types that the compiler infers. Nothing here runs.
import { z } from "zod";
import type { Child } from "../../lib/definition/child.ts";
import type { TaskContext, TaskStatus } from "../../lib/definition/context.ts";
import { dynamicWorkflow } from "../../lib/definition/dynamic.ts";
import type { Limit } from "../../lib/definition/limit.ts";
import { unchecked } from "../../lib/definition/schema.ts";
import type { Collected } from "../../lib/definition/specs.ts";
import { task } from "../../lib/definition/task.ts";
import { transactionOf } from "../../lib/definition/transaction.ts";
import {
  type EventsOf,
  type OutputsOf,
  type ResultOf,
  workflow,
  type WorkflowOptions,
} from "../../lib/definition/workflow.ts";
import { type IsEqual, isTrue } from "./is_equal.ts";

const transaction = transactionOf<{ readonly sql: string }>("sqlite");

// ---- event: `undefined` exactly if a timeout is stated
const Approval = z.object({ by: z.string(), ok: z.boolean().default(true) });
const events = workflow("events")
  .event("forever", { schema: unchecked<{ ok: boolean }>() })
  .event("bounded", { schema: unchecked<{ ok: boolean }>(), timeout: 5_000 })
  .event("validated", { after: ["bounded"], schema: Approval, timeout: "3d" })
  .event("conditional", { after: ["forever"], when: ({ forever }) => forever.ok, schema: unchecked<"yes" | "no">() });
isTrue<
  IsEqual<
    OutputsOf<typeof events>,
    {
      readonly forever: { ok: boolean };
      readonly bounded: { ok: boolean } | undefined;
      readonly validated: { by: string; ok: boolean } | undefined;
      readonly conditional: "yes" | "no" | undefined;
    }
  >
>();
isTrue<
  IsEqual<
    EventsOf<typeof events>,
    {
      readonly forever: { ok: boolean };
      readonly bounded: { ok: boolean };
      readonly validated: { by: string; ok?: boolean | undefined };
      readonly conditional: "yes" | "no";
    }
  >
>();

// ---- sleep: no key among the outputs; a dependent receives its status
const sleeps = workflow("sleeps", { input: unchecked<{ at: string; ms: number }>() })
  .sleep("a", { for: "5m" })
  .sleep("b", { after: ["a"], for: ({ input }) => input.ms })
  .sleep("c", { until: new Date() })
  .sleep("d", { until: "2026-11-30T00:00:00Z" })
  .sleep("e", { until: ({ input }) => input.at })
  .sleep("f", { when: ({ input }) => input.ms > 0, until: ({ input }) => Date.now() + input.ms })
  .task("g", {
    after: ["a", "f"],
    run: ({ a, f, status }) => {
      isTrue<IsEqual<typeof a, undefined>>();
      isTrue<IsEqual<typeof f, undefined>>();
      isTrue<IsEqual<typeof status, { readonly a: TaskStatus; readonly f: TaskStatus }>>();
      return "g";
    },
  });
isTrue<IsEqual<OutputsOf<typeof sleeps>, { readonly g: string }>>();
const afterSleep = sleeps.returns("a");
isTrue<IsEqual<ResultOf<typeof afterSleep>, undefined>>();

// ---- triggers and `reads`
const graph = workflow("graph")
  .task("a", { run: () => 1 })
  .task("b", { after: ["a"], when: ({ a }) => a > 0, run: () => "b" })
  .task("c", { after: ["b"], run: ({ b }) => b ?? "" })
  .task("d", { after: ["c"], on: "settled", run: ({ c }) => c ?? "" })
  .task("all", {
    after: ["a", "b"],
    on: "allSucceeded",
    // Every dependency completed: the task that may be skipped was not.
    run: ({ a, b }) => {
      isTrue<IsEqual<typeof b, string>>();
      return a + b.length;
    },
  })
  .task("afterAll", {
    after: ["all"],
    run: (args) => {
      // Skipped with `b`, without a failure.
      isTrue<IsEqual<typeof args.all, number | undefined>>();
    },
  })
  .task("near", {
    after: ["c"],
    reads: ["a", "b"],
    run: (args) => {
      // Certain: each task in between starts only if none of its dependencies failed.
      isTrue<IsEqual<typeof args.a, number>>();
      isTrue<IsEqual<typeof args.b, string | undefined>>();
      isTrue<IsEqual<typeof args.status, { readonly c: TaskStatus; readonly a: TaskStatus; readonly b: TaskStatus }>>();
    },
  })
  .task("far", {
    after: ["d"],
    reads: ["a", "c"],
    when: ({ a }) => a !== undefined,
    run: (args) => {
      // Not certain: `d` starts however `c` ended.
      isTrue<IsEqual<typeof args.a, number | undefined>>();
      isTrue<IsEqual<typeof args.c, string | undefined>>();
    },
  })
  .task("both", { after: ["a", "c"], reads: ["a"], run: ({ a }) => a.toFixed() });
isTrue<IsEqual<ResultOf<typeof graph>["all"], number | undefined>>();

// ---- map
interface Line {
  sku: string;
  count: number;
}
const rows = workflow("rows", { input: unchecked<{ ids: number[]; lines: Line[] }>() })
  .task("read", { run: ({ input }) => Promise.resolve(input.ids.map((id) => ({ id }))) });
const maps = rows
  .map("stop", {
    over: ({ input }) => input.lines,
    concurrency: 8,
    run: ({ item, index, input }) => {
      isTrue<IsEqual<typeof item, Line>>();
      isTrue<IsEqual<typeof index, number>>();
      return `${item.sku}/${index}/${input.ids.length}`;
    },
  })
  .map("finish", {
    after: ["read"],
    over: ({ read }) => read,
    onItemFailure: "finish",
    run: ({ item }) => Promise.resolve(item.id),
  })
  .map("collect", {
    after: ["read"],
    over: ({ read }) => read,
    onItemFailure: "collect",
    retry: 5,
    timeout: "10s",
    run: ({ item, ctx }) => ({ id: item.id, by: ctx.taskId }),
  })
  .map("fromInput", { over: ({ input }) => Promise.resolve(input.ids), run: ({ item, index }) => item + index })
  .map("constant", { over: () => ["a", "b"] as const, run: ({ item }) => item })
  .map("sideEffect", { after: ["read"], over: ({ read }) => read, run: async () => {} })
  .map("optional", {
    after: ["read"],
    when: ({ read }) => read.length > 0,
    over: ({ read }) => read,
    run: ({ item }) => item.id,
  })
  .map("nested", {
    after: ["collect"],
    over: ({ collect }) => collect,
    run: ({ item }) => (item.ok ? item.value.id : item.error.message),
  });
type Maps = OutputsOf<typeof maps>;
isTrue<IsEqual<Maps["stop"], string[]>>();
isTrue<IsEqual<Maps["finish"], number[]>>();
isTrue<IsEqual<Maps["collect"], Collected<{ id: number; by: string }>[]>>();
isTrue<IsEqual<Maps["fromInput"], number[]>>();
isTrue<IsEqual<Maps["constant"], ("a" | "b")[]>>();
isTrue<IsEqual<Maps["sideEffect"], void[]>>();
isTrue<IsEqual<Maps["optional"], number[] | undefined>>();
isTrue<IsEqual<Maps["nested"], (number | string)[]>>();

// ---- subworkflow: an input that may be omitted, the result of a workflow without `returns`, a child defined elsewhere
const shipping = workflow("shipping", { input: unchecked<{ parcels: string[] }>() })
  .task("label", { run: ({ input }) => input.parcels.map((parcel) => ({ parcel })) })
  .task("send", { after: ["label"], run: ({ label }) => ({ trackingId: `t${label.length}` }) })
  .returns("send");
const noInput = workflow("noInput").task("x", { run: () => 1 }).task("y", {
  after: ["x"],
  when: () => true,
  run: () => "y",
});
const parents = rows
  .subworkflow("all", { workflow: noInput })
  .subworkflow("explicit", { workflow: noInput, input: () => undefined })
  .subworkflow("lazy", {
    workflow: () => shipping,
    key: ({ input }) => `k${input.ids.length}`,
    priority: 3,
    tags: ["t"],
    timeout: "1h",
    input: () => ({ parcels: [] }),
  })
  .subworkflow("maybe", {
    after: ["read"],
    when: ({ read }) => read.length > 1,
    workflow: shipping,
    input: () => ({ parcels: [] }),
  })
  .map("children", {
    after: ["read"],
    over: ({ read }) => read,
    workflow: shipping,
    input: ({ item, index }) => ({ parcels: [`${item.id + index}`] }),
  })
  .map("collected", {
    over: ({ input }) => input.ids,
    workflow: shipping,
    onItemFailure: "collect",
    input: ({ item }) => ({ parcels: [`${item}`] }),
  })
  .map("later", {
    over: ({ input }) => input.ids,
    workflow: () => shipping,
    input: ({ item }) => ({ parcels: [`${item}`] }),
  });
type Parents = OutputsOf<typeof parents>;
isTrue<IsEqual<Parents["all"], { readonly x: number; readonly y: string | undefined }>>();
isTrue<IsEqual<Parents["lazy"], { trackingId: string }>>();
isTrue<IsEqual<Parents["maybe"], { trackingId: string } | undefined>>();
isTrue<IsEqual<Parents["children"], { trackingId: string }[]>>();
isTrue<IsEqual<Parents["collected"], Collected<{ trackingId: string }>[]>>();
isTrue<IsEqual<Parents["later"], { trackingId: string }[]>>();

// ---- recursion: the function states what it returns, as the type of a value cannot be inferred from itself
interface Tree {
  value: number;
  kids: Tree[];
}
export const sum = workflow("sum", { input: unchecked<Tree>() })
  .map("kids", { over: ({ input }) => input.kids, workflow: (): Child<Tree, number> => sum, input: ({ item }) => item })
  .task("total", { after: ["kids"], run: ({ kids, input }) => kids.reduce((a, b) => a + b, input.value) })
  .returns("total");
isTrue<IsEqual<ResultOf<typeof sum>, number>>();
// Two workflows that start each other.
export const even = workflow("even", { input: unchecked<number>() })
  .subworkflow("less", {
    when: ({ input }) => input > 0,
    workflow: (): Child<number, boolean> => odd,
    input: ({ input }) => input - 1,
  })
  .task("is", { after: ["less"], run: ({ less }) => less ?? true })
  .returns("is");
export const odd = workflow("odd", { input: unchecked<number>() })
  .subworkflow("less", { when: ({ input }) => input > 0, workflow: even, input: ({ input }) => input - 1 })
  .task("is", { after: ["less"], run: ({ less }) => less ?? false })
  .returns("is");
isTrue<IsEqual<ResultOf<typeof odd>, boolean>>();

// ---- limits: functions receive what the body receives, without `ctx` and `tx`
const limited = workflow("limited", {
  input: unchecked<{ tenant: string; share: number }>(),
  limits: [{
    key: (args) => {
      isTrue<IsEqual<typeof args, { readonly input: { tenant: string; share: number } }>>();
      return ["tenants", args.input.tenant];
    },
    weight: ({ input }) => input.share,
    max: 3,
  }],
  whenFull: "reject",
})
  .task("read", { limits: [{ max: 1, per: "1s" }, { name: "db", key: "eu", max: 5 }], run: (): Line[] => [] })
  // The order of members does not matter.
  .task("count", {
    limits: [{
      key: (args) => {
        isTrue<IsEqual<typeof args.read, Line[]>>();
        isTrue<IsEqual<typeof args.status.read, TaskStatus>>();
        isTrue<IsEqual<keyof typeof args, "read" | "input" | "status">>();
        return args.input.tenant;
      },
      max: 1,
      weight: ({ read }) => read.length + 1,
    }],
    after: ["read"],
    run: ({ read }) => read.length,
  })
  .task("store", {
    after: ["count"],
    ...transaction,
    limits: [{
      key: (args) => {
        isTrue<IsEqual<keyof typeof args, "count" | "input" | "status">>();
        return args.count.toFixed();
      },
      max: 1,
    }],
    run: ({ count, tx }) => `${count} by ${tx.sql}`,
  })
  .map("pack", {
    after: ["read"],
    over: ({ read }) => read,
    limits: [{
      key: (args) => {
        isTrue<IsEqual<typeof args.item, Line>>();
        isTrue<IsEqual<typeof args.index, number>>();
        isTrue<IsEqual<keyof typeof args, "read" | "input" | "status" | "item" | "index">>();
        return args.item.sku;
      },
      weight: ({ item }) => item.count,
      max: 2,
    }],
    run: ({ item }) => item.count,
  })
  .map("ship", {
    over: ({ input }) => [input.tenant],
    limits: [{ key: ({ item }) => item, max: 1 }],
    workflow: shipping,
    input: ({ item }) => ({ parcels: [item] }),
  })
  .subworkflow("child", {
    after: ["pack"],
    limits: [{ key: ({ pack }) => ["pack", `${pack.length}`], max: 1 }],
    workflow: noInput,
  });
isTrue<IsEqual<OutputsOf<typeof limited>["store"], string>>();
isTrue<IsEqual<OutputsOf<typeof limited>["pack"], number[]>>();
// A body with its limits, away from the workflow.
const weigh = task({
  limits: [{ key: ({ read }) => read.map(({ sku }) => sku).slice(0, 4), max: 1 }],
  run: ({ read }: { read: Line[]; ctx: TaskContext }) => read.length,
});
isTrue<IsEqual<ResultOf<typeof weighed>["weigh"], number>>();
const weighed = limited.task("weigh", { after: ["read"], ...weigh });
// Limits that several tasks and workflows share.
const database: Limit = { name: "database", max: 5 };
const perTenant: Limit<{ readonly input: { readonly tenant: string } }> = {
  name: "tenants",
  key: ({ input }) => ["tenants", input.tenant],
  max: 1,
  per: "1s",
};
const options: WorkflowOptions<{ tenant: string }, { tenant: string }> = { limits: [perTenant], whenFull: "reject" };
workflow("sharing", options).task("x", { limits: [database, perTenant], run: () => 1 });
workflow("sharing", { input: unchecked<{ tenant: string; lines: Line[] }>(), limits: [perTenant, database] })
  .map("a", { over: ({ input }) => input.lines, limits: [database, perTenant], run: ({ item }) => item.sku })
  .map("b", { over: () => [1], limits: [database, perTenant], workflow: noInput })
  .subworkflow("c", { after: ["a"], limits: [database, perTenant], workflow: noInput });

// ---- limits of a workflow that is generated
dynamicWorkflow({
  name: "generated",
  limits: [{
    key: (args) => {
      isTrue<IsEqual<typeof args, { readonly input: unknown }>>();
      return `${args.input}`;
    },
    max: 1,
  }, database],
  whenFull: "reject",
  tasks: [
    { id: "a", limits: [database, { key: ({ input, b }) => [`${input}`, `${b}`], max: 1 }], run: () => 1 },
    {
      id: "b",
      kind: "map",
      over: () => [1],
      limits: [database, {
        key: (args) => {
          isTrue<IsEqual<typeof args.item, unknown>>();
          isTrue<IsEqual<typeof args.status, Readonly<Record<string, TaskStatus>>>>();
          return `${args.item}`;
        },
        max: 1,
      }],
      run: () => 1,
    },
    { id: "c", kind: "subworkflow", limits: [database], workflow: noInput },
  ],
});
