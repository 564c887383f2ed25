import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { execFile } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { test } from "./harness.ts";
import { tempDir } from "./temp_dir.ts";

const SCRIPT = fileURLToPath(new URL("fixtures/least.ts", import.meta.url));

/** Returns the output of the script with these permissions. Bun has no permissions and executes it without them. */
async function runWith(permissions: readonly string[], url: string): Promise<readonly string[]> {
  const args = "Deno" in globalThis ? ["run", "--no-check", "--quiet", ...permissions] : [];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [...args, SCRIPT, url]);
  assertEquals(stderr, "");
  return stdout.trimEnd().split("\n");
}

test("a runner needs only permission for the folder of its database, and prints nothing about missing ones", async () => {
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

// Containers may share a file and have the same process ids: a runner that cannot distinguish them must not compare
// ids.
test("a process identifies its host only if its permissions suffice to do so", async () => {
  const [one, two] = await Promise.all([1, 2].map(() => runWith(["-A"], "sqlite::memory:")));
  assertEquals(one![1], two![1]);
  assert(one![1]!.length > 0);
  if (!("Deno" in globalThis)) return;
  const [three, four] = await Promise.all([1, 2].map(() => runWith(["--allow-run"], "sqlite::memory:")));
  assertNotEquals(three![1], four![1]);
});
