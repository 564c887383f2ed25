/** Each statement in turn fails once with each result code of SQLite that does not concern the data of a row. */
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { createRunner, unchecked, workflow } from "../../mod.ts";
import { silent } from "../../lib/logger.ts";
import { openSqliteStore } from "../../lib/store/sqlite/store.ts";
import { transaction } from "../../lib/store/sqlite/mod.ts";
import { test } from "../harness.ts";
import { failStatements } from "../sqlite_faults.ts";
import { tempDir } from "../temp_dir.ts";
import { within } from "../within.ts";

/**
 * All codes except those that concern the data of a row (18, 19 and 20): failed, internal, permission, busy, locked, no
 * memory, read-only, disk I/O, damaged, full, cannot open, another schema, misuse, not a database; and extended ones: the
 * snapshot is stale, the file was moved, and a sync has failed.
 */
const CODES: readonly number[] = [1, 2, 3, 5, 6, 7, 8, 10, 11, 13, 14, 17, 21, 26, 517, 1032, 1034];

const flow = workflow("flow", { input: unchecked<number>() })
  .task("a", { run: ({ input, ctx }) => ({ input, attempt: ctx.attempt }) })
  .map("each", { after: ["a"], over: () => [1, 2], run: ({ item, ctx }) => [item, ctx.attempt] })
  .task("pay", { after: ["each"], ...transaction, run: ({ ctx }) => ctx.attempt })
  .task("last", { after: ["a", "pay", "each"], run: ({ a, each, pay, ctx }) => [a.attempt, each, pay, ctx.attempt] })
  .returns("last");
const RESULT = [1, [[1, 1], [2, 1]], 1, 1];

/** Executes the workflow once for each statement, which fails; returns descriptions of runs with another outcome. */
async function sweep(path: string, code: number): Promise<string[]> {
  const faults = failStatements(path, code);
  const store = await openSqliteStore(path, { durability: "process", logger: silent });
  try {
    await using runner = await createRunner(store, { workflows: [flow], logger: silent });
    const harmed: string[] = [];
    // The statements of a heartbeat may be in between, so that the last statement of a run is not always the same.
    let isOver = false;
    for (let at = 1; !isOver; at++) {
      faults.at(at);
      const outcome = await within(`code ${code}, statement ${at}`, runner.execute(flow, at));
      isOver = faults.pass() > 0 && at > 10;
      const result = outcome.status === "completed" ? outcome.result : outcome;
      if (JSON.stringify(result) !== JSON.stringify(RESULT)) {
        harmed.push(`code ${code}, statement ${at}: ${JSON.stringify(result)}`);
      }
    }
    assertEquals((await store.counts()).running, 0);
    return harmed;
  } finally {
    faults.end();
    await store.close();
  }
}

test("sqlite: no result code of any statement fails a run or consumes an attempt", async () => {
  using dir = tempDir();
  const harmed = await Promise.all(CODES.map((code) => sweep(join(dir.path, `${code}.db`), code)));
  assertEquals(harmed.flat(), []);
});

test("sqlite: statements fail while faults are injected", async () => {
  using dir = tempDir();
  const path = join(dir.path, "app.db");
  const faults = failStatements(path, 5);
  const store = await openSqliteStore(path);
  faults.at(1);
  await store.counts();
  assert(faults.pass() === 0 && store.counters().retries === 1);
  faults.end();
  await store.close();
});
