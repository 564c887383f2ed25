/**
 * A TypeScript runner on the store of Python's tests: `deno run -A runner.ts URL SCHEMA`. Prints the ids of five runs. For
 * each line of its standard input, the id of a run, it prints what the inspector and the command line show of that run, and
 * it ends with its standard input.
 */
import { createInterface } from "node:readline";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { createInspector } from "../../lib/inspector/mod.ts";
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
const { fetch } = createInspector(runner, { authorize: () => true });
for await (const id of createInterface({ input: process.stdin })) {
  const shown = await (await fetch(new Request(`http://localhost/api/runs/${id}`))).json();
  console.log(JSON.stringify({ inspector: shown, commandLine: await showByCommand(id) }));
}

async function showByCommand(id: string): Promise<unknown> {
  const command = fileURLToPath(new URL("../../lib/cli/mod.ts", import.meta.url));
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--quiet", "--no-check", command, "runs", "show", url, id, "--json"],
      ...(schema === "" ? [] : [`--schema=${schema}`]),
    ],
    stderr: "inherit",
  }).output();
  return JSON.parse(new TextDecoder().decode(stdout));
}
