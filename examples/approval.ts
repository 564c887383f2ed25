/**
 * An order that waits for the approval of a person. While it waits, no process has to run.
 *
 *     deno run -A examples/approval.ts order 250        # quotes 250 articles, and waits for an approval
 *     deno run -A examples/approval.ts list             # the orders that wait, and why
 *     deno run -A examples/approval.ts approve ann      # approves the oldest one, which is charged and closed
 *
 * With Bun: `bun examples/approval.ts …`. The state is in `.sluice/approval.db` in the current directory, or in the
 * file that `--db=FILE` names. Stop it with Ctrl-C or `kill -9` at any time: the next command continues.
 */
import { mkdirSync } from "node:fs";
import { dirname, resolve } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { createClient, createRunner, unchecked, workflow } from "../mod.ts";

const order = workflow("order", { input: unchecked<{ readonly articles: number }>() })
  .task("quote", { run: ({ input }) => ({ articles: input.articles, euros: input.articles * 3 }) })
  .event("approval", { after: ["quote"], schema: unchecked<{ readonly by: string }>(), timeout: "14d" })
  .task("charge", {
    after: ["quote", "approval"],
    // A card must not be charged twice: if this process dies here, a person decides with `handle.resolve()`.
    guarantee: "atMostOnce",
    when: ({ approval }) => approval !== undefined,
    run: ({ quote }) => `charged ${quote.euros} €`,
  })
  .sleep("coolingOff", { after: ["charge"], for: "1s" })
  .task("close", {
    after: ["approval", "charge", "coolingOff"],
    run: ({ approval, charge }) => approval === undefined ? "expired" : `approved by ${approval.by}, ${charge}`,
  })
  .returns("close");

const { values, positionals } = parseArgs({
  options: { db: { type: "string", default: ".sluice/approval.db" } },
  allowPositionals: true,
});
const file = resolve(values.db);
mkdirSync(dirname(file), { recursive: true });
const [command, argument = ""] = positionals;
switch (command) {
  case "order":
    await place(Number(argument));
    break;
  case "list":
    await list();
    break;
  case "approve":
    await approve(argument);
    break;
  default:
    console.error("Usage: approval.ts order ARTICLES | list | approve NAME  [--db=FILE]");
    process.exitCode = 2;
}

async function place(articles: number): Promise<void> {
  if (!(articles > 0)) throw new RangeError(`Cannot order "${argument}" articles: use a positive number`);
  await using runner = await createRunner(`sqlite://${file}`, { workflows: [order] });
  const run = await runner.start(order, { articles });
  // Yields the events of the run; once it waits there is nothing left to do for this process.
  for await (const event of run.events()) if (event.type === "run.waiting") break;
  console.log(`${articles} articles are ordered; the order waits for an approval`);
}

async function list(): Promise<void> {
  await using client = await createClient(`sqlite://${file}`, { workflows: [order] });
  const { runs } = await client.list({ workflow: "order", state: "waiting" });
  for (const { id } of runs) console.log((await client.explain(id)).summary);
  if (runs.length === 0) console.log("no order waits");
}

async function approve(by: string): Promise<void> {
  if (by === "") throw new TypeError("Cannot approve an order: state who approves it");
  await using runner = await createRunner(`sqlite://${file}`, { workflows: [order] });
  const { runs } = await runner.list({ workflow: "order", state: "waiting" });
  const oldest = runs.at(-1);
  if (oldest === undefined) return console.log("no order waits");
  const { accepted } = await runner.send(oldest.id, "approval", { by });
  console.log(accepted ? await runner.get(oldest.id).result() : "the order was approved before");
}
