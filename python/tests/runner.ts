/**
 * A TypeScript runner on the store of Python's tests: `deno run -A runner.ts URL SCHEMA`. Prints the ids of five runs, and
 * ends with its standard input.
 */
import { createRunner, unchecked, workflow } from "../../mod.ts";

const [url = "", schema = ""] = Deno.args;
const typescript = workflow("typescript", { input: unchecked<number>() })
  .task("square", { run: ({ input }) => input ** 2 })
  .returns("square");

await using runner = await createRunner(url, {
  workflows: [typescript],
  ...(schema === "" ? {} : { schema }),
});
const runs = await runner.startMany(typescript, [0, 1, 2, 3, 4]);
console.log(JSON.stringify(runs.map(({ id }) => id)));
for await (const _ of Deno.stdin.readable);
