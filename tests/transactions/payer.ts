/**
 * A process with a runner whose workflow has a transaction, or that starts a run within a transaction. It kills or
 * stops itself at a named moment, and prints these lines to standard output:
 *
 * - `ready`, when the runner is open and has recovered the runs of dead runners;
 * - `dying`, when it is about to kill or stop itself;
 * - `refused`, when a transaction was not committed because another runner owns the run.
 *
 * @module
 */
import { writeSync } from "node:fs";
import process from "node:process";
import postgres from "postgres";
import { createRunner, unchecked, type Workflow, workflow } from "../../mod.ts";
import { type NativeDatabase, openNative } from "../../lib/store/sqlite/driver.ts";
import type { Step } from "../../lib/definition/steps.ts";
import type { Store } from "../../lib/store/port/store.ts";
import type { SqliteTransaction } from "../../lib/store/sqlite/mod.ts";
import { randomOfProcess } from "../random.ts";
import { openAt, pay, type Place, transactionOn, type Tx } from "./place.ts";

/** The moment at which a process that executes a transaction ends. */
export type Moment =
  | "before the transaction"
  | "between the user's write and the record"
  | "between the record and the commit"
  | "while the commit is in flight"
  | "between the commit and its response"
  | "before the run's end"
  | "after the run's end";

/** The moment at which a process that starts a run within a transaction ends. */
export type StartMoment =
  | "before the start"
  | "between the start and the commit"
  | "while the start is committed"
  | "after the start's commit";

/** The configuration of a payer. */
export interface PayerConfig {
  /** The database. */
  readonly place: Place;
  /** The moment at which it ends. */
  readonly moment?: Moment;
  /** The signal that it sends to itself. @default {"SIGKILL"} */
  readonly signal?: "SIGKILL" | "SIGSTOP";
  /** The runner's lease. @default {"30s"} */
  readonly lease?: string;
  /** The numbers of the runs that it starts; they are also the keys. */
  readonly starts?: readonly number[];
  /** Instead of all other options: a run that it starts within a transaction, and the moment at which it ends. */
  readonly startWithin?: { readonly n: number; readonly moment: StartMoment };
  /** Whether bodies take some time. */
  readonly isSlow?: boolean;
}

/** The workflow that `orderOn()` returns. */
export type OrderWorkflow = Workflow<
  "order",
  { n: number },
  Step<"price", number> | Step<"pay", number> | Step<"ship", number>,
  "ship"
>;

/** Returns a workflow that prices, pays and ships; only the payment is a transaction. */
export function orderOn(
  kind: Place["kind"],
  { paid = () => {}, isSlow = false }: { readonly paid?: () => void; readonly isSlow?: boolean } = {},
): OrderWorkflow {
  const random = randomOfProcess();
  // The definition must be the same in every process, independent of its configuration.
  return workflow("order", { version: "1", input: unchecked<{ n: number }>() })
    .task("price", { run: ({ input }) => input.n * 10 })
    .task("pay", {
      after: ["price"],
      retry: 1,
      ...transactionOn(kind),
      async run({ tx, price, ctx }) {
        await pay(tx, ctx.runId);
        if (isSlow) await new Promise((resolve) => setTimeout(resolve, random.next() * 4));
        paid();
        return price + 1;
      },
    })
    .task("ship", { after: ["pay"], run: ({ pay }) => pay + 1 })
    .returns("ship");
}

if (import.meta.main) await main(JSON.parse(process.argv[2]!));

async function main(config: PayerConfig): Promise<void> {
  const { place, moment } = config;
  if (config.startWithin !== undefined) return await startWithin(config);
  const paid = (): void => void (moment === "between the user's write and the record" && end(config));
  const order = orderOn(place.kind, { paid, isSlow: config.isSlow ?? false });
  const store = mortal(await openAt(place), config);
  const runner = await createRunner(store, {
    workflows: [order],
    // A run that is suspected to crash its runners is claimed alone, which these tests do not cover.
    recoveryLimit: 100,
    lease: (config.lease ?? "1h") as "1h",
  });
  process.once("SIGTERM", () => void runner.stop().then(() => store.close()));
  say("ready");
  for (const n of config.starts ?? []) await runner.start("order", { n }, { key: `${n}` });
}

/** Returns a store that ends this process the first time the moment is reached. */
function mortal(store: Store, config: PayerConfig): Store {
  const { moment } = config;
  return {
    ...store,
    async commit(batch) {
      const isEnd = batch.writes.some(({ move }) => move?.to === "completed");
      if (isEnd && moment === "before the run's end") end(config);
      const receipt = await store.commit(batch);
      if (isEnd && moment === "after the run's end") end(config);
      return receipt;
    },
    async transact(request) {
      if (moment === "before the transaction") end(config);
      const verdict = await store.transact({
        ...request,
        committing() {
          request.committing();
          if (moment === "between the record and the commit") end(config);
          // The driver sends its data in this turn of the event loop; the response takes longer.
          if (moment === "while the commit is in flight") setImmediate(() => setImmediate(() => end(config)));
        },
      }).catch((error) => {
        say(`refused ${error}`);
        throw error;
      });
      if (verdict.kind === "fenced") say("refused by the fence");
      if (moment === "between the commit and its response") end(config);
      return verdict;
    },
  };
}

async function startWithin(config: PayerConfig): Promise<void> {
  const { place } = config;
  const { n, moment } = config.startWithin!;
  const runner = await createRunner(await openAt(place), { workflows: [orderOn(place.kind)] });
  await begin(place, async (tx) => {
    await pay(tx, `buyer ${n}`);
    if (moment === "before the start") end(config);
    await runner.start("order", { n }, { tx, key: `${n}` });
    if (moment === "between the start and the commit") end(config);
    if (moment === "while the start is committed") setImmediate(() => setImmediate(() => end(config)));
  });
  end(config);
}

async function begin(place: Place, work: (tx: Tx) => Promise<void>): Promise<void> {
  if (place.kind === "postgres") {
    const sql = postgres(place.url, { max: 1, connection: { search_path: place.schema! } });
    return void await sql.begin((tx) => work(tx));
  }
  const tx = await openNative(place.url.replace("sqlite://", "")) as NativeDatabase & SqliteTransaction;
  tx.exec("pragma busy_timeout = 5000");
  tx.exec("begin immediate");
  await work(tx);
  tx.exec("commit");
}

function end({ signal = "SIGKILL" }: PayerConfig): void {
  say("dying");
  process.kill(process.pid, signal);
  // The signal is delivered a little later; nothing else may run until then.
  if (signal === "SIGKILL") { for (;;); }
  for (const until = Date.now() + 100; Date.now() < until;);
}

// Not console.log(): its output may not be written yet when the process is killed.
function say(line: string): void {
  writeSync(1, `${line}\n`);
}
