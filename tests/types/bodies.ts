// Bodies away from any workflow: plain functions, and bodies with their options.
import type { TaskContext } from "../../lib/definition/context.ts";
import { unchecked } from "../../lib/definition/schema.ts";
import { task } from "../../lib/definition/task.ts";
import { type OutputsOf, type ResultOf, workflow } from "../../lib/definition/workflow.ts";
import { type IsEqual, isTrue } from "./is_equal.ts";

interface Row {
  id: number;
  price: number;
}

// A plain function needs nothing of ours.
function extract({ input }: { input: { url: string } }): Promise<Row[]> {
  return Promise.resolve([{ id: 1, price: input.url.length }]);
}

const transform = task({
  retry: { attempts: 3, backoff: "exponential", delay: "1s" },
  timeout: "30s",
  version: "2",
  run: ({ extract, ctx }: { extract: Row[]; ctx: TaskContext }) =>
    extract.map((row) => ({ ...row, cents: row.price * 100, attempt: ctx.attempt })),
  onSuccess: ({ output, extract }) => void [output[0]?.cents.toFixed(), extract[0]?.price.toFixed()],
  onFailure: ({ error, extract }) => void [error, extract[0]?.price.toFixed()],
});

// @ts-expect-error output.at is a Date: said where the body is written
export const bad = task({ run: (_: { extract: Row[] }) => ({ at: new Date() }) });
// @ts-expect-error a body cannot be wired where it is defined
export const wired = task({ after: ["extract"], run: () => 1 });

const etl = workflow("etl", { input: unchecked<{ url: string; day: string }>() })
  .task("extract", { run: extract })
  .task("transform", { after: ["extract"], ...transform })
  .task("load", { after: ["transform"], run: ({ transform }) => transform.length })
  .returns("load");
isTrue<IsEqual<ResultOf<typeof etl>, number>>();
isTrue<IsEqual<OutputsOf<typeof etl>["extract"], Row[]>>();
isTrue<IsEqual<OutputsOf<typeof etl>["transform"][number]["cents"], number>>();

// The same bodies under other ids: adapted in place.
export const twice = workflow("twice", { input: unchecked<{ left: string; right: string }>() })
  .task("left", { run: ({ input }) => extract({ input: { url: input.left } }) })
  .task("right", { run: ({ input }) => extract({ input: { url: input.right } }) })
  .task("both", {
    after: ["left", "right"],
    run: ({ left, right, ctx }) => [left, right].flatMap((extract) => transform.run({ extract, ctx })),
  });

// Wrong wiring is an error at the wiring.
export const wrongOutput = workflow("wrong", { input: unchecked<{ url: string }>() })
  .task("extract", { run: () => "not rows" })
  // @ts-expect-error `extract` is a string here
  .task("transform", { after: ["extract"], ...transform });
export const wrongInput = workflow("wrong")
  // @ts-expect-error no `url` in the input
  .task("extract", { run: extract });
