/** The examples need nothing but this repository, unless they start a server. */
import { assertEquals } from "@std/assert";
import { cpSync, existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ended, spawnExecutable } from "../child.ts";
import { skipped, test } from "../harness.ts";
import { tempDir } from "../temp_dir.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Runs of examples that do little, and what they print. */
const RUNS: Readonly<Record<string, readonly [args: readonly string[], prints: string]>> = {
  "approval.ts": [["list"], "no order waits\n"],
  "convert.ts": [[], "Usage: convert.ts SOURCE TARGET [--retry] [--db=FILE]\n"],
  "quickstart.ts": [["nowhere"], 'There is no directory "nowhere".\n'],
};

for (const [file, [args, prints]] of Object.entries(RUNS)) {
  const name = `examples/${file} fetches no package in a fresh clone`;
  if (!("Deno" in globalThis)) skipped(name, "Bun fetches packages only as they are imported");
  else {
    test(name, async () => {
      using dir = tempDir();
      const parts = ["mod.ts", "lib", "examples", "deno.json", "deno.lock", "package.json"];
      for (const part of parts) cpSync(join(root, part), join(dir.path, part), { recursive: true });
      // No cache, and a registry address without a server: each download prints a line.
      const env = { DENO_DIR: join(dir.path, ".cache"), NPM_CONFIG_REGISTRY: "http://127.0.0.1:9", NO_COLOR: "1" };
      await using child = spawnExecutable(["run", "-A", `examples/${file}`, ...args], { cwd: dir.path, env });
      const { stdout, stderr } = await ended(child);
      assertEquals(stdout + stderr, prints);
      assertEquals(existsSync(join(dir.path, "node_modules")), false);
    });
  }
}
