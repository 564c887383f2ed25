/** Tasks that are transactions, on each backend. */
import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { createRunner, DefinitionError, type Runner, unchecked, workflow } from "../../mod.ts";
import type { Transaction } from "../../lib/definition/transaction.ts";
import { transaction as onPostgres } from "../../lib/store/postgres/mod.ts";
import { transaction as onSqlite } from "../../lib/store/sqlite/mod.ts";
import { createFakeClock } from "../../lib/testing/mod.ts";
import { test } from "../harness.ts";
import { until } from "../within.ts";
import { DATABASES, payers, raiseConflict } from "./database.ts";
import { pay, transactionOn, type Tx } from "./place.ts";

const quick = { attempts: 3, delay: 1, jitter: false } as const;

interface Args {
  readonly tx: Tx;
  readonly ctx: { readonly attempt: number; readonly runId: string; readonly signal: AbortSignal };
}

/** Returns a workflow of one transaction. */
function payment<Ret>(
  transaction: Transaction<Tx>,
  run: (args: Args) => Ret,
  options: { readonly retry?: number | typeof quick; readonly timeout?: number } = {},
) {
  // The tests check the type of the result of `run`.
  return workflow("payment")
    .task("pay", { retry: quick, ...options, ...transaction, run: run as (args: Args) => Promise<string> | string })
    .returns("pay");
}

for (const kind of ["sqlite", "postgres"] as const) {
  const transaction = transactionOn(kind);

  test(`${kind}: a transaction commits its effects and its result, and a run of n tasks writes n + 1 rows`, async () => {
    await using database = await DATABASES[kind]();
    const order = workflow("order", { input: unchecked<{ item: string }>() })
      .task("price", { run: ({ input }) => input.item.length * 10 })
      .task("pay", {
        after: ["price"],
        ...transaction,
        async run({ tx, price, ctx }) {
          await pay(tx, ctx.runId);
          return { paid: price };
        },
      })
      .task("ship", { after: ["pay"], run: ({ pay }) => `shipped for ${pay.paid}` })
      .returns("ship");
    const store = await database.open();
    // The clock does not advance: on a slow machine the engine would record that a body runs, which writes a row.
    await using runner = await createRunner(store, { workflows: [order], clock: createFakeClock() });
    const before = store.counters().rows;
    const run = await runner.start(order, { item: "book" });
    assertEquals(await run.result(), "shipped for 40");
    assertEquals(store.counters().rows - before, 4);
    assertEquals(await database.payers(), [run.id]);
    assertEquals((await run.tasks()).map(({ id, state, attempts, output }) => [id, state, attempts, output]), [
      ["price", "completed", 1, 40],
      ["pay", "completed", 1, { paid: 40 }],
      ["ship", "completed", 1, "shipped for 40"],
    ]);
  });

  test(`${kind}: a run that a transaction starts is committed with it, once`, async () => {
    await using database = await DATABASES[kind]();
    const other = workflow("other", { input: unchecked<number>() }).task("work", { run: ({ input }) => input });
    const parent = workflow("parent").task("pay", {
      retry: quick,
      ...transaction,
      async run({ tx, ctx }) {
        const started = await ctx.start(other, ctx.attempt);
        const again = await ctx.start(other, ctx.attempt).catch((error) => String(error));
        await pay(tx, started.runId);
        if (ctx.attempt < 3) throw new Error("rolled back");
        const keyed = [];
        for (const key of ["a", "a"]) keyed.push(await ctx.start(other, 0, { key }));
        return { ...started, again, keyed: keyed.map(({ isNew }) => isNew) };
      },
    }).returns("pay");
    const store = await database.open();
    await using runner = await createRunner(store, { workflows: [parent, other], logger: false });
    const { runId, ...result } = await (await runner.start(parent)).result();
    assertEquals(result, {
      isNew: true,
      again: 'TypeError: Cannot start workflow "other" again without a key: the attempt has started a run of this ' +
        "workflow; give each run a key, such as { key: `${ctx.idempotencyKey}/${i}` }",
      keyed: [true, false],
    });
    assertEquals(await database.payers(), [runId]);
    assertEquals(await runner.get(runId).result(), { work: 3 });
    assertEquals((await runner.list({ workflow: "other" })).runs.length, 2);
  });

  test(`${kind}: the undo of a transaction is also a transaction, and its effects happen exactly once`, async () => {
    await using database = await DATABASES[kind]();
    const order = workflow("order")
      .task("pay", {
        retry: quick,
        ...transaction,
        run: async ({ tx }) => {
          await pay(tx, "paid");
          return 40;
        },
        undo: async ({ tx, output, ctx }) => {
          await pay(tx, `refunded ${output}`);
          if (ctx.attempt < 3) throw new Error("rolled back");
        },
      })
      .map("parts", {
        after: ["pay"],
        over: () => ["a", "b"],
        concurrency: 1,
        retry: quick,
        ...transaction,
        run: async ({ tx, item }) => await pay(tx, item),
        undo: async ({ tx, item }) => await pay(tx, `no ${item}`),
      })
      .task("ship", { after: ["parts"], retry: 1, run: () => Promise.reject(new Error("no parcel")) });
    const store = await database.open();
    await using runner = await createRunner(store, { workflows: [order], logger: false });
    const outcome = await runner.execute(order);
    assertEquals(outcome.status === "failed" && outcome.compensated, [{ taskId: "pay" }, { taskId: "parts" }]);
    assertEquals(await database.payers(), ["paid", "a", "b", "no b", "no a", "refunded 40"]);
    const [paid] = await runner.get(outcome.runId).tasks();
    assertEquals([paid?.state, paid?.undo?.state, paid?.undo?.attempts], ["compensated", "completed", 3]);
  });

  test(`${kind}: each item of a map may be a transaction, whose effects happen exactly once`, async () => {
    await using database = await DATABASES[kind]();
    const orders = workflow("orders")
      .map("paid", {
        over: () => ["ada", "bob", "cyd"],
        concurrency: 1,
        retry: quick,
        ...transaction,
        async run({ tx, item, index, ctx }) {
          await pay(tx, item);
          if (index === 1 && ctx.attempt === 1) throw new Error("rolled back");
          return item.length;
        },
      })
      .returns("paid");
    const store = await database.open();
    await using runner = await createRunner(store, { workflows: [orders] });
    assertEquals(await (await runner.start(orders)).result(), [3, 3, 3]);
    assertEquals((await database.payers()).toSorted(), ["ada", "bob", "cyd"]);
  });

  test(`${kind}: the writes of a transaction are visible to itself, and to other connections after the commit`, async () => {
    await using database = await DATABASES[kind]();
    const seen: string[][] = [];
    const flow = payment(transaction, async ({ tx }) => {
      await pay(tx, "ada");
      seen.push(await payers(tx), await database.payers());
      return "paid";
    });
    await using runner = await createRunner(await database.open(), { workflows: [flow] });
    assertEquals(await (await runner.start(flow)).result(), "paid");
    assertEquals([...seen, await database.payers()], [["ada"], [], ["ada"]]);
  });

  test(`${kind}: an attempt that throws is rolled back, and only its error is recorded`, async () => {
    await using database = await DATABASES[kind]();
    const flow = payment(transaction, async ({ tx, ctx }) => {
      await pay(tx, `attempt ${ctx.attempt}`);
      if (ctx.attempt < 3) throw new Error(`declined ${ctx.attempt}`);
      return "paid";
    });
    await using runner = await createRunner(await database.open(), { workflows: [flow] });
    const run = await runner.start(flow);
    assertEquals(await run.result(), "paid");
    assertEquals(await database.payers(), ["attempt 3"]);
    const [task] = await run.tasks();
    assertEquals([task?.attempts, task?.failures.map(({ error }) => error.message)], [3, ["declined 1", "declined 2"]]);
  });

  test(`${kind}: a transaction that fails permanently writes nothing, and its dependents are skipped`, async () => {
    await using database = await DATABASES[kind]();
    const flow = payment(transaction, async ({ tx }) => {
      await pay(tx, "ada");
      throw new Error("declined");
    }).task("ship", { after: ["pay"], run: () => "shipped" });
    await using runner = await createRunner(await database.open(), { workflows: [flow] });
    const run = await runner.start(flow);
    assertEquals((await run.outcome()).status, "failed");
    assertEquals((await run.tasks()).map(({ id, state }) => `${id} ${state}`), ["pay failed", "ship skipped"]);
    assertEquals(await database.payers(), []);
    await database.begin((tx) => pay(tx, "eve"));
    assertEquals(await database.payers(), ["eve"]);
  });

  test(`${kind}: a result that cannot be stored is rejected before anything is committed`, async () => {
    await using database = await DATABASES[kind]();
    const outputs = { long: "x".repeat(5_000), bigint: 1n as unknown as string };
    const flow = workflow("payment", { input: unchecked<keyof typeof outputs>() }).task("pay", {
      ...transaction,
      async run({ tx, input }) {
        await pay(tx, "ada");
        return outputs[input];
      },
    });
    await using runner = await createRunner(await database.open(), { workflows: [flow], maxPayloadBytes: 1_000 });
    for (const input of ["long", "bigint"] as const) {
      const run = await runner.start(flow, input);
      assertEquals((await run.outcome()).status, "failed");
      assertEquals((await run.tasks())[0]!.attempts, 1);
    }
    assertEquals(await database.payers(), []);
  });

  test(`${kind}: a transaction that exceeds its timeout is rolled back, and its late writes are rejected`, async () => {
    await using database = await DATABASES[kind]();
    const late = Promise.withResolvers<unknown>();
    const flow = payment(transaction, async ({ tx, ctx }) => {
      await pay(tx, `attempt ${ctx.attempt}`);
      if (ctx.attempt > 1) return "paid";
      await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
      await new Promise((resolve) => setTimeout(resolve, 50));
      late.resolve(await pay(tx, "late").then(() => "written", (error) => error));
      return "late";
    }, { retry: quick, timeout: 1_000 });
    await using runner = await createRunner(await database.open(), { workflows: [flow] });
    const run = await runner.start(flow);
    assertEquals(await run.result(), "paid");
    assert(await late.promise instanceof Error);
    // The second attempt, or a later one if the machine is too slow for the second.
    const { attempts, failures } = (await run.tasks())[0]!;
    assertEquals(await database.payers(), [`attempt ${attempts}`]);
    assertEquals(new Set(failures.map(({ error }) => error.name)), new Set(["TaskTimeoutError"]));
  });

  test(`${kind}: a run that exceeds its timeout fails, and its transaction is rolled back`, async () => {
    await using database = await DATABASES[kind]();
    const flow = workflow("payment", { timeout: 200 }).task("pay", {
      ...transaction,
      async run({ tx, ctx }) {
        await pay(tx, "ada");
        await new Promise((_, reject) => ctx.signal.addEventListener("abort", () => reject(ctx.signal.reason)));
      },
    });
    await using runner = await createRunner(await database.open(), { workflows: [flow] });
    const outcome = await (await runner.start(flow)).outcome();
    assertEquals(outcome.status === "failed" && outcome.error.name, "RunTimeoutError");
    await until(database.isFree);
    await database.begin((tx) => pay(tx, "eve"));
    assertEquals(await database.payers(), ["eve"]);
  });

  test(`${kind}: a runner that stops rolls back unfinished transactions, and another runner commits them once`, async () => {
    await using database = await DATABASES[kind]();
    const begun = Promise.withResolvers<void>();
    let isSlow = true;
    const flow = payment(transaction, async ({ tx, ctx }) => {
      await pay(tx, `attempt ${ctx.attempt}`);
      begun.resolve();
      if (isSlow) await new Promise(() => {});
      return "paid";
    });
    const first = await createRunner(await database.open(), { workflows: [flow] });
    const run = await first.start(flow);
    await begun.promise;
    await first.stop({ timeout: 0 });
    assertEquals(await database.payers(), []);
    isSlow = false;
    await using second = await createRunner(await database.open(), { workflows: [flow] });
    assertEquals(await (await second.get(run.id)).result(), "paid");
    assertEquals(await database.payers(), ["attempt 1"]);
  });

  test(`${kind}: a conflict with another transaction consumes no attempt: the body runs again in a new one`, async () => {
    await using database = await DATABASES[kind]();
    let calls = 0;
    const flow = payment(transaction, async ({ tx, ctx }) => {
      await pay(tx, `call ${++calls}`);
      if (calls === 1) await raiseConflict(tx);
      if (calls === 2) {
        await raiseConflict(tx).catch((cause) => {
          throw new Error("cannot pay", { cause });
        });
      }
      return `attempt ${ctx.attempt}`;
    }, { retry: 1 });
    await using runner = await createRunner(await database.open(), { workflows: [flow] });
    const run = await runner.start(flow);
    assertEquals(await run.result(), "attempt 1");
    assertEquals(await database.payers(), ["call 3"]);
    assertEquals((await run.tasks())[0]!.failures, []);
  });

  test(`${kind}: a body that ends its transaction itself fails permanently, and the error states the reason`, async () => {
    await using database = await DATABASES[kind]();
    const flow = payment(transaction, async ({ tx }) => {
      await pay(tx, "ada");
      if ("unsafe" in tx) await tx.unsafe("rollback");
      else tx.exec("rollback");
      return "paid";
    });
    await using runner = await createRunner(await database.open(), { workflows: [flow] });
    const run = await runner.start(flow);
    const outcome = await run.outcome();
    assert(outcome.status === "failed");
    assertStringIncludes(outcome.error.message, "the body ended its transaction");
    assertEquals((await run.tasks())[0]!.attempts, 1);
    assertEquals(await database.payers(), []);
  });

  test(`${kind}: a run that a transaction starts through its own tx exists only if the transaction commits`, async () => {
    await using database = await DATABASES[kind]();
    const child = workflow("child", { input: unchecked<number>() })
      .task("double", { run: ({ input }) => input * 2 })
      .returns("double");
    const own: { runner?: Runner<typeof child> } = {};
    const flow = payment(transaction, async ({ tx, ctx }) => {
      const { id } = await own.runner!.start(child, ctx.attempt, { tx });
      if (ctx.attempt === 1) throw new Error("once more");
      return id;
    });
    await using opened = await createRunner(await database.open(), { workflows: [flow, child] });
    own.runner = opened as unknown as Runner<typeof child>;
    const id = await (await opened.start(flow)).result();
    assertEquals(await (await opened.get(id)).result() as unknown, 4);
    assertEquals((await opened.list({ workflow: "child" })).runs.length, 1);
  });

  test(`${kind}: a transaction rejects steps, and every call after its end`, async () => {
    await using database = await DATABASES[kind]();
    const left: { tx?: Tx; query?: PromiseLike<unknown> } = {};
    const flow = workflow("payment").task("pay", {
      retry: 1,
      ...transaction,
      async run({ tx, ctx }) {
        const error = await ctx.step("one", () => 1).then(() => undefined, (thrown: Error) => thrown.message);
        left.tx = tx;
        // Created before the end of the transaction, and sent only when it is awaited.
        if ("unsafe" in tx) left.query = tx.unsafe("insert into payments (payer) values ('late')");
        return error;
      },
    }).returns("pay");
    await using runner = await createRunner(await database.open(), { workflows: [flow] });
    assertStringIncludes(
      String(await (await runner.start(flow)).result()),
      'task "pay" is a transaction, which commits all',
    );
    await assertRejects(() => pay(left.tx!, "late"));
    if (left.query !== undefined) await assertRejects(async () => await left.query, Error, "it is over");
    assertEquals(await database.payers(), []);
  });

  test(`${kind}: a task that is a transaction of another kind of database is rejected when the runner is opened`, async () => {
    await using database = await DATABASES[kind]();
    const flow = payment(transactionOn(kind === "sqlite" ? "postgres" : "sqlite"), () => "paid");
    const store = await database.open();
    const error = await assertRejects(() => createRunner(store, { workflows: [flow] }), DefinitionError);
    assertStringIncludes(
      error.message,
      `task "pay" is a transaction on ${kind === "sqlite" ? "postgres" : "sqlite"}, `,
    );
    assertStringIncludes(error.message, `but the store is ${store.name}`);
  });

  test(`${kind}: hooks are called and events are emitted after a transaction is committed`, async () => {
    await using database = await DATABASES[kind]();
    const told: unknown[] = [];
    const flow = workflow("payment").task("pay", {
      ...transaction,
      run: async ({ tx }) => {
        await pay(tx, "ada");
        return "paid";
      },
      onSuccess: async ({ output }) => void told.push("hook", output, await database.payers()),
    });
    await using runner = await createRunner(await database.open(), {
      workflows: [flow],
      onEvent: ({ type }) => void told.push(type),
    });
    assertEquals(await (await runner.start(flow)).result(), { pay: "paid" });
    const expected = ["run.started", "task.started", "task.completed", "hook", "paid", ["ada"], "run.completed"];
    assertEquals(told, expected);
  });

  test(`${kind}: many concurrent transactions are each committed once, and leave no connection open`, async () => {
    await using database = await DATABASES[kind]();
    const flow = workflow("payment", { input: unchecked<number>() })
      .task("pay", {
        ...transaction,
        run: async ({ tx, input, ctx }) => {
          await pay(tx, `${input}`);
          if (input % 10 === 0 && ctx.attempt === 1) throw new Error("once more");
          return input;
        },
        retry: quick,
      })
      .task("note", { after: ["pay"], run: ({ pay }) => pay })
      .returns("note");
    const runner = await createRunner(await database.open(), { workflows: [flow], concurrency: 50 });
    const inputs = Array.from({ length: 200 }, (_, n) => n);
    const runs = await runner.startMany(flow, inputs);
    assertEquals(await Promise.all(runs.map((run) => run.result())), inputs);
    assertEquals((await database.payers()).map(Number).sort((a, b) => a - b), inputs);
    await database.checkConnections();
    await runner.stop();
  });
}

test("postgres: cancelling a run rolls its transaction back immediately", async () => {
  await using database = await DATABASES.postgres();
  const begun = Promise.withResolvers<void>();
  const flow = payment(transactionOn("postgres"), async ({ tx, ctx }) => {
    await pay(tx, "ada");
    begun.resolve();
    await new Promise((_, reject) => ctx.signal.addEventListener("abort", () => reject(ctx.signal.reason)));
  });
  await using runner = await createRunner(await database.open(), { workflows: [flow] });
  const run = await runner.start(flow);
  await begun.promise;
  await run.cancel("wrong person");
  const outcome = await run.outcome();
  const { startedAt, endedAt } = outcome;
  assertEquals(outcome, {
    status: "cancelled",
    runId: run.id,
    startedAt,
    endedAt,
    reason: "wrong person",
    compensated: [],
    outputs: {},
  });
  assertEquals(await database.payers(), []);
  await database.checkConnections();
});

test("sqlite: a control request during a transaction takes effect after the transaction", async () => {
  await using database = await DATABASES.sqlite();
  const [begun, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const flow = payment(transactionOn("sqlite"), async ({ tx }) => {
    await pay(tx, "ada");
    begun.resolve();
    await goOn.promise;
    return "paid";
  }).task("ship", { after: ["pay"], run: () => new Promise<never>(() => {}) });
  await using runner = await createRunner(await database.open(), { workflows: [flow] });
  const run = await runner.start(flow);
  await begun.promise;
  const cancelled = run.cancel("wrong person");
  // Reading needs no lock.
  assertEquals((await run.status()).state, "running");
  goOn.resolve();
  await cancelled;
  await runner.stop({ timeout: 0 });
  assertEquals(await database.payers(), ["ada"]);
});

test("sqlite: a store in memory rejects workflows with transactions, and the error states the reason", async () => {
  const flow = payment(transactionOn("sqlite"), () => "paid");
  const error = await assertRejects(() => createRunner("sqlite::memory:", { workflows: [flow] }), DefinitionError);
  assertStringIncludes(error.message, "the store sqlite::memory: is in memory; use a file");
});

test("sqlite: a body that leaves statements open, or closes its handle, does not keep the file locked", async () => {
  await using database = await DATABASES.sqlite();
  const open: unknown[] = [];
  const flow = payment(transactionOn("sqlite"), ({ tx, ctx }) => {
    const native = tx as unknown as { prepare(sql: string): { run(...values: unknown[]): unknown }; close(): void };
    const statement = native.prepare("insert into payments values (?)");
    statement.run("ada");
    open.push(statement);
    if (ctx.attempt === 2) native.close();
    throw new Error("declined");
  });
  await using runner = await createRunner(await database.open(), { workflows: [flow] });
  assertEquals((await (await runner.start(flow)).outcome()).status, "failed");
  assertEquals(open.length, 3);
  await database.begin((tx) => pay(tx, "eve"));
  assertEquals(await database.payers(), ["eve"]);
});

test("a body that is defined outside of any workflow can be called in a unit test and used as a transaction", async () => {
  await using database = await DATABASES.sqlite();
  const pay = onSqlite({
    retry: 1,
    run(
      { tx, price }: {
        readonly tx: Parameters<Parameters<typeof onSqlite>[0]["run"]>[0]["tx"];
        readonly price: number;
      },
    ) {
      tx.prepare("insert into payments values (?)").run(`paid ${price}`);
      return { price };
    },
  });
  await database.begin((tx) => void pay.run({ tx: tx as never, price: 1 }));
  const order = workflow("order").task("price", { run: () => 2 }).task("pay", { after: ["price"], ...pay });
  assertEquals(order.tasks.map(({ kind }) => kind), ["task", "transaction"]);
  await using runner = await createRunner(await database.open(), { workflows: [order] });
  assertEquals(await (await runner.start(order)).result(), { price: 2, pay: { price: 2 } });
  assertEquals(await database.payers(), ["paid 1", "paid 2"]);
  assertThrows(() => onPostgres({ run: "x" } as never), TypeError, "run");
});
