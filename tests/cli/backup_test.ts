/** `sluice backup`: a copy of a SQLite file that is in use. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createClient, createRunner, unchecked, workflow } from "../../mod.ts";
import { test } from "../harness.ts";
import { tempDir } from "../temp_dir.ts";
import { sluice } from "./terminal.ts";

const double = workflow("double", { input: unchecked<number>() })
  .task("work", { run: ({ input }) => input * 2 })
  .event("go", { after: ["work"], schema: unchecked<string>() })
  .returns("work");

test("backup copies a file that runners use: what is committed is in it, and its runs can go on from it", async () => {
  using dir = tempDir();
  const [url, copy] = [`sqlite://${join(dir.path, "app.db")}`, join(dir.path, "copy.db")];
  let id: string;
  {
    await using runner = await createRunner(url, { workflows: [double] });
    const run = await runner.start(double, 21);
    for await (const event of run.events()) if (event.type === "run.waiting") break;
    id = run.id;
    const { code, out, err } = await sluice(["backup", url, copy]);
    assertEquals([code, out, err], [0, `Copied into "${copy}".`, ""]);
    // What happens after it is not in the copy.
    await run.send("go", "on");
    assertEquals(await run.result(), 42);
    assertEquals((await sluice(["backup", url, copy])).code, 1);
  }
  {
    await using client = await createClient(`sqlite://${copy}`, { workflows: [double] });
    assertEquals((await client.get(id).status()).state, "waiting");
  }
  await using heir = await createRunner(`sqlite://${copy}`, { workflows: [double] });
  await heir.send(id, "go", "on");
  assertEquals(await heir.get(id).result(), 42);
  assertEquals(readdirSync(dir.path).filter((name) => name.endsWith(".part")), []);
});

test("backup refuses a copy that exists, a missing or foreign file, and a database that is none of SQLite's", async () => {
  using dir = tempDir();
  const url = `sqlite://${join(dir.path, "app.db")}`;
  await (await createRunner(url, { workflows: [double] })).stop();
  const taken = join(dir.path, "taken.db");
  writeFileSync(taken, "mine");
  const foreign = join(dir.path, "foreign.db");
  writeFileSync(foreign, "not a database, but long enough to be none for certain".repeat(100));
  const copy = join(dir.path, "copy.db");
  const cases = [
    [[url, taken], 1, `Cannot write the copy "${taken}": there is a file of this name`],
    [[`sqlite://${join(dir.path, "none.db")}`, copy], 1, "there is no such file"],
    [[`sqlite://${foreign}`, copy], 1, foreign],
    [[url, join(dir.path, "no/where.db")], 1, "unable to open database"],
    [["sqlite::memory:", copy], 1, "there is nothing in it yet"],
    [["postgres://localhost/app", copy], 1, "use pg_dump"],
    [[url, copy, "--schema=acme"], 2, "use pg_dump"],
    [[url], 2, "<file> is missing"],
  ] as const;
  for (const [args, wanted, words] of cases) {
    const { code, out, err } = await sluice(["backup", ...args]);
    assertEquals([code, out], [wanted, ""], args.join(" "));
    assertStringIncludes(err, words);
  }
  assertEquals(readdirSync(dir.path).filter((name) => name.startsWith("copy.db")), []);
});
