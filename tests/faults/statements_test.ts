/** Each statement in turn fails with an error that does not concern the data of a row. */
import { assertEquals } from "@std/assert";
import process from "node:process";
import { silent } from "../../lib/logger.ts";
import { transaction } from "../../lib/store/postgres/mod.ts";
import { openPostgresStore } from "../../lib/store/postgres/store.ts";
import { createRunner, unchecked, workflow } from "../../mod.ts";
import { type Fault, startFailingServer } from "../failing_server.ts";
import { test } from "../harness.ts";
import { testSchema } from "../store/postgres_schema.ts";
import { within } from "../within.ts";

/** One code of each class, and the codes with which poolers and managed servers end connections. */
const FAULTS: readonly Fault[] = [
  ...["01000", "02000", "03000", "08006", "09000", "0A000", "0B000", "0F000", "0L000", "0P000", "0Z000", "10608"],
  ...["20000", "24000", "25006", "25P03", "26000", "27000", "28000", "2B000", "2D000", "2F000", "34000", "38000"],
  ...["39000", "3B000", "3D000", "3F000", "40001", "40P01", "42501", "42601", "42703", "42P01", "44000", "53100"],
  ...["53200", "55000", "55P03", "57014", "58030", "72000", "F0000", "HV000", "P0001", "XX000"],
].map((code) => ({ code }));
const FATAL: readonly Fault[] = ["08P01", "28P01", "3D000", "53300", "57P01", "57P03", "58000", "XX000"]
  .map((code) => ({ code, isFatal: true }));
const ALL = [...FAULTS, ...FATAL];

const child = workflow("child", { input: unchecked<number>() }).task("c", {
  run: ({ input, ctx }) => [input, ctx.attempt],
});
const flow = workflow("flow", { input: unchecked<number>() })
  .task("a", { run: ({ ctx }) => ctx.attempt })
  .map("each", { after: ["a"], over: () => [1, 2], run: ({ item, ctx }) => [item, ctx.attempt] })
  .task("pay", { after: ["each"], ...transaction, run: ({ ctx }) => ctx.attempt })
  .subworkflow("sub", { after: ["pay"], workflow: child, input: () => 7 })
  .task("last", {
    after: ["a", "pay", "each", "sub"],
    run: ({ a, each, pay, sub, ctx }) => [a, each, pay, sub, ctx.attempt],
  })
  .returns("last");
const RESULT = [1, [[1, 1], [2, 1]], 1, { c: [7, 1] }, 1];

// Each statement fails with another error; if SLUICE_FAULT_SECONDS is set, each of them fails with every error.
const rounds = process.env["SLUICE_FAULT_SECONDS"] === undefined ? 1 : ALL.length;

test("postgres: no error of any statement, including reads, fails a run or consumes an attempt", async () => {
  await using on = testSchema();
  await using server = await startFailingServer(on.url);
  const store = await openPostgresStore(server.url, { schema: on.schema, logger: silent });
  await using _closed = { [Symbol.asyncDispose]: () => store.close() };
  await using runner = await createRunner(store, { workflows: [flow], logger: silent });
  const harmed: string[] = [];
  for (let round = 0; round < rounds; round++) {
    let isOver = false;
    for (let at = 1; !isOver; at++) {
      const fault = ALL[(at + round) % ALL.length]!;
      const what = `statement ${at}, ${fault.code}${fault.isFatal ? " (fatal)" : ""}`;
      server.at(at, fault);
      const outcome = await within(what, runner.execute(flow, at));
      const failed = server.pass();
      isOver = failed === undefined && at > 10;
      const result = outcome.status === "completed" ? outcome.result : outcome;
      if (JSON.stringify(result) !== JSON.stringify(RESULT)) {
        harmed.push(`${what}: ${JSON.stringify(result)}, by ${failed}`);
      }
    }
  }
  assertEquals(harmed, []);
  assertEquals((await store.counts()).running, 0);
});
