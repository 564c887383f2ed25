import { assertEquals } from "@std/assert";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { spawn } from "../child.ts";
import { test } from "../harness.ts";
import { tempDir } from "../temp_dir.ts";

test("every file of a folder is converted once, and --retry converts those that could not be read", async () => {
  using dir = tempDir();
  const [source, target] = [join(dir.path, "reports"), join(dir.path, "converted")];
  mkdirSync(join(source, "eu"), { recursive: true });
  writeFileSync(join(source, "notes.txt"), "no table");
  for (let n = 0; n < 200; n++) {
    writeFileSync(join(source, n % 2 === 0 ? "eu" : "", `${n}.csv`), `id,price\n${n},${n * 3}\n${n + 1},7\n`);
  }
  writeFileSync(join(source, "eu", "broken.csv"), "id,price\n1,2,3\n");

  const failed = await convert();
  assertEquals([failed.code, failed.stdout], [1, ""]);
  assertEquals(failed.stderr.trim().split("\n").slice(-2), [
    `${join("eu", "broken.csv")}: line 2 has 3 fields instead of 2`,
    '1 of 201 items of task "files" failed; correct them and start again with --retry',
  ]);
  assertEquals(JSON.parse(readFileSync(join(target, "eu", "4.json"), "utf8")), [
    { id: "4", price: "12" },
    { id: "5", price: "7" },
  ]);
  assertEquals(readdirSync(target, { recursive: true }).filter((path) => String(path).endsWith(".json")).length, 200);

  // Files that were converted before are not read again.
  writeFileSync(join(source, "1.csv"), "broken, too\n1,2,3\n");
  writeFileSync(join(source, "eu", "broken.csv"), "id,price\n1,2\n");
  assertEquals(await convert("--retry"), { code: 0, stdout: "201 files converted, 401 rows\n", stderr: "" });
  // Nothing is left to do.
  assertEquals((await convert()).stdout, "201 files converted, 401 rows\n");

  async function convert(...args: readonly string[]) {
    await using child = spawn("../examples/convert.ts", [
      source,
      target,
      `--db=${join(dir.path, "convert.db")}`,
      ...args,
    ]);
    const { code, stdout, stderr } = await child.exited;
    return { code, stdout, stderr };
  }
});

test("without two folders it says how it is used", async () => {
  await using child = spawn("../examples/convert.ts", ["reports"]);
  const { code, stderr } = await child.exited;
  assertEquals([code, stderr.trim()], [2, "Usage: convert.ts SOURCE TARGET [--retry] [--db=FILE]"]);
});
