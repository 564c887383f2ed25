/** Exactly-once effects: processes are killed at each moment between the user's write, the record and the commit. */
import { assert, assertEquals } from "@std/assert";
import { randomTest, test } from "../harness.ts";
import { type Client, createClient } from "../../mod.ts";
import { type Child, ended, spawn } from "../child.ts";
import { within } from "../within.ts";
import { DATABASES, type TestDatabase } from "./database.ts";
import { type Moment, orderOn, type OrderWorkflow, type PayerConfig, type StartMoment } from "./payer.ts";

type OrderClient = Client<OrderWorkflow>;

const MOMENTS: readonly Moment[] = [
  "before the transaction",
  "between the user's write and the record",
  "between the record and the commit",
  "while the commit is in flight",
  "between the commit and its response",
  "before the run's end",
  "after the run's end",
];

/** Whether the run exists after the process was killed at this moment; `undefined` if either is possible. */
const START_MOMENTS: Readonly<Record<StartMoment, boolean | undefined>> = {
  "before the start": false,
  "between the start and the commit": false,
  "while the start is committed": undefined,
  "after the start's commit": true,
};

for (const kind of ["sqlite", "postgres"] as const) {
  for (const moment of MOMENTS) {
    test(`${kind}: a payment is made once if its process is killed ${moment}`, async () => {
      await using site = await openSite(kind);
      const doomed = site.payer({ starts: [7], moment });
      await doomed.until("dying");
      assertEquals((await doomed.exited).signal, "SIGKILL");
      const heir = site.payer({});
      await heir.until("ready");
      const run = await site.client.start("order", { n: 7 }, { key: "7" });
      assertEquals(await within("the run", run.result()), 72);
      assertEquals(await site.database.payers(), [run.id]);
      assertEquals((await run.tasks()).map(({ id, state, attempts }) => `${id} ${state} ${attempts}`), [
        "price completed 1",
        "pay completed 1",
        "ship completed 1",
      ]);
      await site.stop(heir);
    });
  }

  for (const [moment, isThere] of Object.entries(START_MOMENTS) as [StartMoment, boolean | undefined][]) {
    test(`${kind}: a run and the other writes of its transaction are committed together or not at all if the process is killed ${moment}`, async () => {
      await using site = await openSite(kind);
      const doomed = site.payer({ startWithin: { n: 3, moment } });
      await doomed.until("dying");
      await doomed.exited;
      const heir = site.payer({});
      await heir.until("ready");
      await site.allEnded();
      const buyers = (await site.database.payers()).filter((payer) => payer.startsWith("buyer"));
      const { runs } = await site.client.list();
      assertEquals(buyers.length, runs.length);
      if (isThere !== undefined) assertEquals(runs.length, isThere ? 1 : 0);
      for (const { id } of runs) {
        assertEquals(await (await site.client.get(id)).result(), 32);
        assertEquals((await site.database.payers()).filter((payer) => payer === id), [id]);
      }
      await site.stop(heir);
    });
  }

  randomTest(`${kind}: each payment is made once while runners are killed at random`, async (random) => {
    await using site = await openSite(kind);
    const starts = Array.from({ length: 80 }, (_, n) => n);
    const runs = await site.client.startMany("order", starts.map((n) => ({ n })), { key: (_, n) => `${n}` });
    let [one, other] = [site.payer({ isSlow: true }), site.payer({ isSlow: true })];
    for (let round = 0; round < 3; round++) {
      await one.until("ready");
      await new Promise((resolve) => setTimeout(resolve, random.next() * 100));
      one.kill("SIGKILL");
      await one.exited;
      [one, other] = [other, site.payer({ isSlow: true })];
    }
    const results = await within("the runs", Promise.all(runs.map((run) => run.result())));
    assertEquals(results, starts.map((n) => n * 10 + 2));
    assertEquals((await site.database.payers()).sort(), runs.map(({ id }) => id).sort());
    for (const payer of [one, other]) {
      await payer.until("ready");
      await site.stop(payer);
    }
  });
}

for (const moment of ["between the user's write and the record", "between the record and the commit"] as const) {
  test(`postgres: a payment is made once if its process is stopped for longer than its lease ${moment}`, async () => {
    await using site = await openSite("postgres");
    const stale = site.payer({ starts: [7], moment, signal: "SIGSTOP", lease: "1s" });
    await stale.until("dying");
    const heir = site.payer({});
    await heir.until("ready");
    const run = await site.client.start("order", { n: 7 }, { key: "7" });
    // The uncommitted record blocks the next owner until the server ends the transaction.
    assertEquals(await within("the run", run.result()), 72);
    assertEquals(await site.database.payers(), [run.id]);
    stale.kill("SIGCONT");
    await within("to be refused", stale.until("refused"));
    assertEquals(await site.database.payers(), [run.id]);
    await site.stop(heir);
    await site.stop(stale);
  });
}

test("postgres: a runner that takes over a run ends the transaction of the stopped owner that locks a row it needs", async () => {
  await using site = await openSite("postgres");
  await site.database.begin(async (tx) => {
    if ("unsafe" in tx) await tx.unsafe("create unique index payments_payer on payments (payer)");
  });
  const stale = site.payer({
    starts: [7],
    moment: "between the user's write and the record",
    signal: "SIGSTOP",
    lease: "1s",
  });
  await stale.until("dying");
  const heir = site.payer({});
  await heir.until("ready");
  const run = await site.client.start("order", { n: 7 }, { key: "7" });
  assertEquals(await within("the run", run.result()), 72);
  assertEquals(await site.database.payers(), [run.id]);
  stale.kill("SIGCONT");
  await within("to be refused", stale.until("refused"));
  await site.stop(heir);
  await site.stop(stale);
});

interface Site extends AsyncDisposable {
  readonly database: TestDatabase;
  readonly client: OrderClient;
  /** Starts a process. */
  payer(config: Omit<PayerConfig, "place">): Child;
  /** Stops a process, and asserts that it exits by itself. */
  stop(child: Child): Promise<void>;
  /** Resolves when every run has ended. */
  allEnded(): Promise<void>;
}

async function openSite(kind: "sqlite" | "postgres"): Promise<Site> {
  const database = await DATABASES[kind]();
  const client: OrderClient = await createClient(await database.open(), { workflows: [orderOn(kind)] });
  const children: Child[] = [];
  return {
    database,
    client,
    payer(config) {
      const child = spawn("./transactions/payer.ts", [JSON.stringify({ place: database.place, ...config })]);
      children.push(child);
      return child;
    },
    async stop(child) {
      child.kill("SIGTERM");
      const { code, stderr } = await ended(child);
      assertEquals(code, 0, stderr);
    },
    async allEnded() {
      const { runs } = await client.list();
      assert(runs.length < 100);
      await within("the runs", Promise.all(runs.map(async ({ id }) => await (await client.get(id)).outcome())));
    },
    async [Symbol.asyncDispose]() {
      for (const child of children) await child[Symbol.asyncDispose]();
      await client.stop();
      await database[Symbol.asyncDispose]();
    },
  };
}
