/** Every result code of SQLite that is not about the data of a row, at every statement in turn: whatever heals has harmed nothing. */
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
 * Codes that are not about the data of a row, which are 18, 19 and 20: failed, internal, permission, busy, locked, no
 * memory, read-only, disk I/O, damaged, full, cannot open, another schema, misuse, not a database; and extended ones: the
 * snapshot is gone, the file was moved, and a sync has failed.
 */
const CODES: readonly number[] = [1, 2, 3, 5, 6, 7, 8, 10, 11, 13, 14, 17, 21, 26, 517, 1032, 1034];

const flow = workflow("flow", { input: unchecked<number>() })
  .task("a", { run: ({ input, ctx }) => ({ input, attempt: ctx.attempt }) })
  .map("each", { after: ["a"], over: () => [1, 2], run: ({ item, ctx }) => [item, ctx.attempt] })
  .task("pay", { after: ["each"], ...transaction, run: ({ ctx }) => ctx.attempt })
  .task("last", { after: ["a", "pay", "each"], run: ({ a, each, pay, ctx }) => [a.attempt, each, pay, ctx.attempt] })
  .returns("last");
const RESULT = [1, [[1, 1], [2, 1]], 1, 1];

/** Executes the workflow once with each statement in turn failing; returns what became of the runs that were harmed. */
async function sweep(path: string, code: number): Promise<string[]> {
  const faults = failStatements(path, code);
  const store = await openSqliteStore(path, { durability: "process", logger: silent });
  try {
    await using runner = await createRunner(store, { workflows: [flow], logger: silent });
    const harmed: string[] = [];
    // The statements of a heartbeat come in between, so that the last one of a run is not always the same.
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

test("sqlite: no result code at any statement fails a run or costs an attempt", async () => {
  using dir = tempDir();
  const harmed = await Promise.all(CODES.map((code) => sweep(join(dir.path, `${code}.db`), code)));
  assertEquals(harmed.flat(), []);
});

test("sqlite: statements do fail while they are made to", async () => {
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
