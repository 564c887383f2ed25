import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { execFile } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { test } from "./harness.ts";
import { tempDir } from "./temp_dir.ts";

const SCRIPT = fileURLToPath(new URL("fixtures/least.ts", import.meta.url));

/** What the script prints with these permissions. Bun has none to give: there it runs as it is. */
async function runWith(permissions: readonly string[], url: string): Promise<readonly string[]> {
  const args = "Deno" in globalThis ? ["run", "--no-check", "--quiet", ...permissions] : [];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [...args, SCRIPT, url]);
  assertEquals(stderr, "");
  return stdout.trimEnd().split("\n");
}

test("a runner needs no permission but its database's folder, and says nothing about the others", async () => {
  using dir = tempDir();
  const [result] = await runWith(
    [`--allow-read=${dir.path}`, `--allow-write=${dir.path}`],
    `sqlite://${dir.path}/a.db`,
  );
  assertEquals(result, "hello");
});

test("a runner in memory needs no permission at all", async () => {
  assertEquals((await runWith([], "sqlite::memory:"))[0], "hello");
});

// Containers may share a file and process ids: a runner that cannot distinguish them must not try.
test("only a process that may look around believes to share its host with others", async () => {
  const [one, two] = await Promise.all([1, 2].map(() => runWith(["-A"], "sqlite::memory:")));
  assertEquals(one![1], two![1]);
  assert(one![1]!.length > 0);
  if (!("Deno" in globalThis)) return;
  const [three, four] = await Promise.all([1, 2].map(() => runWith(["--allow-run"], "sqlite::memory:")));
  assertNotEquals(three![1], four![1]);
});
