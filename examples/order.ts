/**
 * An order: an approval, a payment, and the shipping as a child run. If a parcel cannot be delivered, the earlier tasks
 * are undone in reverse order: the parcel is taken back, the booking is cancelled, and the money is refunded.
 *
 *     deno run -A examples/order.ts order 250 Berlin     # an order of 250 articles, which waits for an approval
 *     deno run -A examples/order.ts order 10 Atlantis    # an order that cannot be delivered
 *     deno run -A examples/order.ts approve              # approves the oldest order, and prints its outcome
 *     deno run -A examples/order.ts cancel               # cancels the oldest order that waits
 *     deno run -A examples/order.ts account              # the payments and refunds
 *
 * With Bun: `bun examples/order.ts …`. The state is in `.sluice/order.db`, or in the file that `--db=FILE` names.
 */
import { mkdirSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { parseArgs } from "node:util";
import { createRunner, type HandleOf, NonRetryableError, unchecked, workflow } from "../mod.ts";
import { type SqliteTransaction, transaction } from "../lib/store/sqlite/mod.ts";

interface Parcel {
  readonly articles: number;
  readonly city: string;
}

const say = (line: string): void => console.log(line);

const shipping = workflow("shipping", { input: unchecked<Parcel>() })
  .task("book", { run: ({ input }) => say(`booked a van to ${input.city}`), undo: () => say("cancelled the van") })
  .task("pack", {
    after: ["book"],
    run: ({ input }) => {
      say(`packed ${input.articles} articles`);
      return { tracking: `${input.city}-${input.articles}` };
    },
    undo: ({ output }) => say(`unpacked ${output.tracking}`),
  })
  .returns("pack");

const order = workflow("order", { input: unchecked<Parcel>() })
  .task("quote", { run: ({ input }) => input.articles * 3 })
  .event("approval", { after: ["quote"], schema: unchecked<null>() })
  .task("pay", {
    after: ["quote", "approval"],
    ...transaction,
    // Both are committed together with the record of the task, so that each happens exactly once.
    run: ({ tx, quote }) => (book(tx, quote), say(`charged ${quote} €`), quote),
    undo: ({ tx, output }) => (book(tx, -output), say(`refunded ${output} €`)),
  })
  .subworkflow("ship", { after: ["pay"], workflow: shipping, input: ({ input }) => input })
  .task("deliver", {
    after: ["ship"],
    run: ({ ship, input }) => {
      if (input.city === "Atlantis") throw new NonRetryableError(`there is no road to ${input.city}`);
      return `delivered ${ship.tracking}`;
    },
  })
  .returns("deliver");

const { values, positionals } = parseArgs({
  options: { db: { type: "string", default: ".sluice/order.db" } },
  allowPositionals: true,
});
const file = resolve(values.db);
mkdirSync(dirname(file), { recursive: true });
const [command, articles = "", city = ""] = positionals;
await using runner = await createRunner(`sqlite://${file}`, { workflows: [order], logger: false });
const accounts = new DatabaseSync(file);
accounts.exec("create table if not exists account (euros integer not null)");
const { runs } = await runner.list({ workflow: "order", state: "waiting" });
const oldest = runs.length === 0 ? undefined : runner.get(runs.at(-1)!.id);
if (command === "order") await place();
else if (command === "account") say(JSON.stringify(accounts.prepare("select euros from account").all()));
else if (oldest === undefined) say("no order waits");
else if (command === "approve") await oldest.send("approval", null).then(() => report(oldest));
else if (command === "cancel") await oldest.cancel("the customer has changed their mind").then(() => report(oldest));
else say("Usage: order.ts order ARTICLES CITY | approve | cancel | account  [--db=FILE]");
accounts.close();

function book(tx: SqliteTransaction, euros: number): void {
  tx.prepare("insert into account (euros) values (?)").run(euros);
}

async function place(): Promise<void> {
  const run = await runner.start(order, { articles: Number(articles), city });
  for await (const event of run.events()) if (event.type === "run.waiting") break;
  say(`${articles} articles to ${city} are ordered; the order waits for an approval`);
}

async function report(run: HandleOf<typeof order>): Promise<void> {
  const outcome = await run.outcome();
  if (outcome.status === "completed") return say(outcome.result);
  const why = outcome.status === "failed" ? outcome.error.message : outcome.reason;
  say(`${outcome.status} (${why}); undone: ${outcome.compensated.map(({ taskId }) => taskId).join(", ") || "nothing"}`);
}
