import { unchecked, workflow } from "../../mod.ts";

/** The only workflow of these tests. */
export type Work = ReturnType<typeof work>;

/** Creates the workflow with a body. */
// deno-lint-ignore explicit-module-boundary-types -- the type is long and inferred
export function work(run: (input: number, signal: AbortSignal) => Promise<void>) {
  return workflow("work", { version: "1", input: unchecked<number>() }).task("one", {
    run: ({ input, ctx }) => run(input, ctx.signal),
  });
}
