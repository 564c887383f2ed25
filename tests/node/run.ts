/**
 * Runs tests under Node, on the npm package as it is built from the sources: `deno run -A tests/node/run.ts FOLDER_OR_FILE…`.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { buildNpmPackage } from "../../scripts/npm_package.ts";
import { filesBelow } from "../source_tree.ts";

// The version that is downloaded if the one on the path is not of its major.
const NODE_VERSION = "24.21.0";

// As with Bun, only a hang reaches it.
const LONGEST_TEST_MS = 5 * 60_000;

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

const folder = mkdtempSync(join(tmpdir(), "sluice-npm-"));
try {
  buildNpmPackage(folder);
  process.exitCode = test(process.argv.slice(2).flatMap(testsOf));
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function testsOf(name: string): readonly string[] {
  return name.endsWith(".ts") ? [name] : filesBelow(`${name}/`, "_test.ts");
}

function test(files: readonly string[]): number {
  const { status } = spawnSync(findNode(), [
    "--test",
    "--test-reporter=./tests/node/reporter.ts",
    `--test-concurrency=${2 * availableParallelism()}`,
    `--test-timeout=${LONGEST_TEST_MS}`,
    ...files,
  ], {
    cwd: ROOT,
    stdio: "inherit",
    // Also for the processes that tests start.
    env: {
      ...process.env,
      NODE_OPTIONS: `--import=${new URL("resolve.ts", import.meta.url).href}`,
      SLUICE_NPM_PACKAGE: folder,
    },
  });
  return status ?? 1;
}

/** Returns the `node` on the path if its major version is the one that is tested, and otherwise the one that npm has. */
function findNode(): string {
  const { stdout } = spawnSync("node", ["--version"], { encoding: "utf8" });
  if (stdout?.startsWith(`v${NODE_VERSION.split(".")[0]}.`)) return "node";
  const found = spawnSync("npx", ["-y", `--package=node@${NODE_VERSION}`, "-c", "command -v node"], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (found.status !== 0) throw new Error(`Cannot run tests under Node: npx cannot install node@${NODE_VERSION}`);
  return realpathSync(found.stdout.trim());
}
