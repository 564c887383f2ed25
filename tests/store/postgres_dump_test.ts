/** Backup and restore of a schema with the commands of docs/backup.md, if the `pg_dump` of the server is installed. */
import { assertEquals } from "@std/assert";
import { spawnSync } from "node:child_process";
import process from "node:process";
import { createRunner, unchecked, workflow } from "../../mod.ts";
import { sluice } from "../cli/terminal.ts";
import { skipped, test } from "../harness.ts";
import { blockOf, findProgram, majorOf } from "../programs.ts";
import { tempDir } from "../temp_dir.ts";
import { testSchema } from "./postgres_schema.ts";

const double = workflow("double", { input: unchecked<number>() })
  .task("work", { run: ({ input }) => input * 2 })
  .event("go", { after: ["work"], schema: unchecked<string>() })
  .returns("work");

const NAME = "a schema that pg_dump saved while a runner worked continues in another database";
const reason = await reasonToSkip();

if (reason !== undefined) skipped(NAME, reason);
else {
  test(NAME, async () => {
    using dir = tempDir();
    await using on = testSchema();
    const [dump, restore, check] = blockOf("backup.md", "sh", "pg_dump").trim().split("\n")
      .map((line) => line.replace("--schema=sluice", `--schema=${on.schema}`)) as [string, string, string];
    const name = `restored_${on.schema}`;
    const copy = new URL(on.url);
    copy.pathname = `/${name}`;
    const env = { ...process.env, DATABASE_URL: on.url, NEW_DATABASE_URL: copy.href };
    const shell = (command: string) => {
      const { status, stderr } = spawnSync("sh", ["-c", command], { cwd: dir.path, env, encoding: "utf8" });
      assertEquals([status, stderr], [0, ""], command);
    };
    await on.sql.unsafe(`create database ${name}`);
    try {
      let id: string;
      {
        await using runner = await createRunner(on.url, { schema: on.schema, workflows: [double] });
        const run = await runner.start(double, 21);
        for await (const event of run.events()) if (event.type === "run.waiting") break;
        id = run.id;
        shell(dump);
        // Later changes are not part of the copy.
        await run.send("go", "on");
        assertEquals(await run.result(), 42);
      }
      shell(restore);
      const args = check.replace('"$NEW_DATABASE_URL"', copy.href).split(" ").slice(1);
      const checked = await sluice([...args, `--schema=${on.schema}`, "--json"]);
      const { problems } = JSON.parse(checked.out) as { problems: string[] };
      // The server of the tests may run without fsync.
      assertEquals(problems.filter((problem) => !problem.includes("setting fsync")), []);

      await using heir = await createRunner(copy.href, { schema: on.schema, workflows: [double], lease: "1s" });
      assertEquals((await heir.list()).runs.map((run) => [run.id, run.state]), [[id, "waiting"]]);
      await heir.send(id, "go", "on");
      assertEquals(await heir.get(id).result(), 42);
      assertEquals(await (await heir.start(double, 4)).status().then(({ input }) => input), 4);
    } finally {
      await on.sql.unsafe(`drop database ${name} with (force)`);
    }
  });
}

async function reasonToSkip(): Promise<string | undefined> {
  const [dump, restore] = [findProgram("pg_dump"), findProgram("pg_restore")];
  if (dump === undefined || restore === undefined) return "no pg_dump here";
  await using on = testSchema();
  const [row] = await on.sql.unsafe("select current_setting('server_version_num')::int4 / 10000 as major");
  // An older pg_dump rejects a newer server.
  return majorOf(dump) < Number(row!["major"]) ? `pg_dump ${majorOf(dump)} is older than the server` : undefined;
}
