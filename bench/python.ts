/**
 * Installs the Python package in an environment of its own and measures it there: `bench/python/calls.py` says what.
 *
 * `deno run -A bench/python.ts`; `--items=20000`, `--rounds=5`, `--url=sqlite::memory:`.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { buildWheel } from "../scripts/python_wheel.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-bench-"));
try {
  const python = join(folder, "venv/bin/python");
  run("python3", ["-m", "venv", join(folder, "venv")]);
  const wheel = buildWheel(join(folder, "dist"));
  // With Deno, in which the engine runs.
  run(python, ["-m", "pip", "--quiet", "--disable-pip-version-check", "install", wheel]);
  const script = fileURLToPath(new URL("python/calls.py", import.meta.url));
  run(python, [script, ...process.argv.slice(2).filter((word) => /^--(items|rounds|url)=/.test(word))]);
} finally {
  rmSync(folder, { recursive: true });
}

function run(command: string, args: readonly string[]): void {
  execFileSync(command, args, { stdio: "inherit" });
}
