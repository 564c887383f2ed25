/** The cost of an idle runner while another process is busy. */
import { assert } from "@std/assert";
import { join } from "node:path";
import { createRunner } from "../../mod.ts";
import { spawn } from "../child.ts";
import { test } from "../harness.ts";
import { testSchema } from "../store/postgres_schema.ts";
import { tempDir } from "../temp_dir.ts";
import { work } from "./work.ts";

const PER_SECOND = 100;
const SECONDS = 6;

const workflows = [work(() => Promise.resolve())];

test("postgres: an idle runner executes at most one statement per second because of the runs of another runner", async () => {
  await using on = testSchema();
  await standBy(on.url, on.schema);
});

test("sqlite: an idle runner executes at most one statement per second because of the runs of another runner", async () => {
  using dir = tempDir();
  await standBy(`sqlite://${join(dir.path, "app.db")}`, undefined);
});

async function standBy(url: string, schema: string | undefined): Promise<void> {
  await using bystander = await createRunner(url, { workflows, ...(schema === undefined ? {} : { schema }) });
  await using busy = spawn("./fleet/busy_process.ts", [url, schema ?? "", String(PER_SECOND), String(SECONDS)]);
  await busy.until("ready");
  const executed = async (): Promise<number> => (await bystander.stats()).store.statements;
  const before = await executed();
  const began = performance.now();
  await busy.until("executed");
  const seconds = (performance.now() - began) / 1_000;
  // stats() itself executes two.
  const statements = await executed() - before - 2;
  assert(statements <= 2 + seconds, `${statements} statements in ${seconds} s beside ${PER_SECOND * SECONDS} runs`);
}
