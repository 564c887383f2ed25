// Transactions: what compiles, what must not, and what is inferred. Nothing here runs.
import type { Sql, TransactionSql } from "postgres";
import { unchecked } from "../../lib/definition/schema.ts";
import { type ResultOf, workflow } from "../../lib/definition/workflow.ts";
import type { Client } from "../../lib/engine/client/client.ts";
import { transaction as onPostgres } from "../../lib/store/postgres/mod.ts";
import { type SqliteTransaction, transaction as onSqlite } from "../../lib/store/sqlite/mod.ts";
import type { IsEqual } from "./is_equal.ts";

const base = workflow("order", { input: unchecked<{ item: string }>() })
  .task("price", { run: ({ input }) => ({ cents: input.item.length }) });

// ---- marked where it is wired, a body gets all that it reads, and the transaction of its database
export const postgres = base.task("pay", {
  after: ["price"],
  retry: 5,
  timeout: "5s",
  ...onPostgres,
  async run({ tx, price, input, ctx, status }) {
    const isDrivers: IsEqual<typeof tx, TransactionSql> = true;
    await tx`insert into payments values (${ctx.runId}, ${price.cents}, ${input.item}, ${status.price})`;
    return { paid: price.cents, isDrivers };
  },
  async undo({ tx, output, price }) {
    const isDrivers: IsEqual<typeof tx, TransactionSql> = true;
    await tx`delete from payments where cents = ${output.paid - price.cents} and ${isDrivers}`;
  },
  onSuccess: ({ output, price, ctx, ...args }) => {
    const isWithoutTx: IsEqual<"tx" extends keyof typeof args ? true : false, false> = true;
    ctx.log("paid", { isWithoutTx, cents: output.paid.toFixed(), price: price.cents.toFixed() });
  },
}).returns("pay");
export const sqlite = base.task("pay", {
  after: ["price"],
  ...onSqlite,
  run({ tx, price, ctx }) {
    const isOurs: IsEqual<typeof tx, SqliteTransaction> = true;
    tx.prepare("insert into payments values (?, ?)").run(ctx.runId, price.cents);
    return isOurs;
  },
});
export const result: IsEqual<ResultOf<typeof postgres>, { paid: number; isDrivers: true }> = true;

// ---- away from any workflow, what a body reads is written in its parameter
const pay = onPostgres({
  retry: { attempts: 5 },
  async run({ tx, price }: { tx: TransactionSql; price: { cents: number } }) {
    await tx`insert into payments values (${price.cents})`;
    return price.cents;
  },
});
export const wired = base.task("pay", { after: ["price"], ...pay }).task("ship", {
  after: ["pay"],
  run: ({ pay }) => pay.toFixed(),
});
export const inline = base.task("pay", {
  after: ["price"],
  ...onSqlite({ run: ({ tx, price }: { tx: SqliteTransaction; price: { cents: number } }) => [tx, price].length }),
});
export const undeclared = base.task("pay", {
  after: ["price"],
  ...onPostgres({
    async run({ tx, price, ctx }) {
      const isDrivers: IsEqual<typeof tx, TransactionSql> = true;
      await tx`insert into payments values (${ctx.runId}, ${price.cents})`;
      return { isDrivers };
    },
  }),
}).returns("pay");
export const undeclaredResult: IsEqual<ResultOf<typeof undeclared>, { isDrivers: true }> = true;
// @ts-expect-error the driver of Postgres has no prepare() of statements
base.task("pay", { ...onPostgres({ run: ({ tx }) => tx.prepare("select 1").run() }) });
// @ts-expect-error it reads what it does not depend on
base.task("pay", { ...pay });
// @ts-expect-error it reads something of another type
workflow("w").task("price", { run: () => "free" }).task("pay", { after: ["price"], ...pay });

// ---- tx is there in transactions only, and of their own database
// @ts-expect-error no transaction
base.task("pay", { run: ({ tx }) => tx });
// @ts-expect-error a transaction is no output
base.task("pay", { ...onSqlite, run: ({ tx }) => tx });
// @ts-expect-error the driver of Postgres has no prepare() of statements
base.task("pay", { ...onPostgres, run: ({ tx }) => tx.prepare("select 1").run() });
// @ts-expect-error SQLite's handle is no template tag
base.task("pay", { ...onSqlite, run: ({ tx }) => tx`select 1` });
// @ts-expect-error another cannot begin in it
base.task("pay", { ...onPostgres, run: ({ tx }) => tx.begin(() => 1) });
// @ts-expect-error a body for one database is not a body for the other
base.task("pay", { after: ["price"], ...pay, ...onSqlite });
// @ts-expect-error a Date, as everywhere
base.task("pay", { ...onPostgres, run: () => ({ at: new Date() }) });
// @ts-expect-error a Date
onPostgres({ run: ({ tx }: { tx: TransactionSql }) => ({ at: new Date(), tx: [tx].length }) });
// @ts-expect-error misspelt
onPostgres({ run: () => 1, retries: 3 });
// @ts-expect-error no mark
base.task("pay", { transaction: true, run: () => 1 });

// ---- start within a transaction of the caller's
declare const client: Client<typeof base>;
declare const sql: Sql;
declare const handle: SqliteTransaction;
export const starts = [
  sql.begin((tx) => client.start(base, { item: "book" }, { tx, key: "k" })),
  sql.begin((tx) => client.startMany("order", [{ item: "book" }], { tx })),
  client.start("order", { item: "book" }, { tx: handle }),
];
// @ts-expect-error a pool is no transaction
client.start(base, { item: "book" }, { tx: sql });
// @ts-expect-error neither is this
client.start(base, { item: "book" }, { tx: "tx" });
// @ts-expect-error nor this
client.start(base, { item: "book" }, { tx: {} });
