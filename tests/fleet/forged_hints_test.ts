/** Forged notifications: any role of a Postgres database may send them. */
import { assert, assertEquals } from "@std/assert";
import { createRunner, workflow } from "../../mod.ts";
import { test } from "../harness.ts";
import { testSchema } from "../store/postgres_schema.ts";

for (const payload of ["forged due", "forged @0", "forged due end @0"]) {
  test(`postgres: a flood of notifications "${payload}" causes few statements of a runner, and does not delay a cancel`, async () => {
    await using on = testSchema();
    const store = await on.open();
    const flow = workflow("flow").sleep("rest", { for: "7d" });
    await using runner = await createRunner(store, { workflows: [flow], logger: false });
    const run = await runner.start(flow);
    const before = store.counters().statements;
    const since = performance.now();
    for (let n = 0; n < 400; n++) await on.sql`select pg_notify(${`sluice_${on.schema}`}, ${payload})`;
    await run.cancel();
    assertEquals((await run.outcome()).status, "cancelled");
    const seconds = (performance.now() - since) / 1_000;
    const statements = store.counters().statements - before;
    // Without the limit it was two for each notification. Now it is forty, plus ten times two per second, plus the
    // statements of the cancel and of a heartbeat.
    assert(statements < 90 + 30 * seconds, `${statements} statements in ${seconds} s`);
  });
}
