/**
 * Tests the Python package as its users have it: builds the wheel, installs it into a new environment, and runs its tests
 * there on SQLite and Postgres. One of them checks its types, with mypy. Where Python 3.10 or PyPI is missing it exits with `SKIPPED`, and its last line says why.
 *
 * `deno run -A tests/python/run.ts [ARGUMENT OF PYTEST…]`; `SLUICE_PYTHON=/path/to/python` names the Python.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { buildWheel } from "../../scripts/python_wheel.ts";
import { databaseUrl } from "../postgres_server.ts";
import { SKIPPED } from "../suite/run_stages.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const NEEDED = ["deno>=2.9,<3", "hatchling>=1.26", "mypy>=1.15", "pytest>=8", "pytest-xdist>=3.5"];

/** Prints the version of Python, and fails where an environment cannot be made. */
const PROBE = "import ensurepip, sys, venv; print(*sys.version_info[:2])";

const folder = mkdtempSync(join(tmpdir(), "sluice-python-"));
try {
  process.exitCode = await main();
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function main(): Promise<number> {
  const base = findPython();
  if (base === undefined) return skipped("there is no Python 3.10 with venv");
  const python = join(folder, "venv/bin/python");
  if (run(base, ["-m", "venv", join(folder, "venv")]) !== 0) return skipped("venv cannot make an environment");
  if (pip(python, "install", ...NEEDED) !== 0) return skipped("pip cannot install packages from PyPI");
  const server = databaseUrl();
  const wheel = buildWheel(join(folder, "dist"), { python, isolated: false });
  if (pip(python, "install", "--no-index", wheel) !== 0) return 1;
  // The tests alone: what they import is the installed package.
  cpSync(join(ROOT, "python/tests"), join(folder, "python/tests"), { recursive: true });
  cpSync(join(ROOT, "python/pyproject.toml"), join(folder, "python/pyproject.toml"));
  const workers = String(Math.max(4, navigator.hardwareConcurrency));
  return run(python, [
    "-m",
    "pytest",
    "-p",
    "tests.deno_report",
    "-p",
    "no:terminal",
    "-n",
    workers,
    ...process.argv.slice(2),
  ], {
    cwd: join(folder, "python"),
    env: { DATABASE_URL: await server, PYTHONDONTWRITEBYTECODE: "1", SLUICE_ROOT: ROOT, TMPDIR: folder },
  });
}

/** Returns the Python that `SLUICE_PYTHON` names or that is on the path, if it is new enough. */
function findPython(): string | undefined {
  const { SLUICE_PYTHON: stated } = process.env;
  return (stated === undefined ? ["python3", "python"] : [stated]).find((name) => {
    const { stdout } = spawnSync(name, ["-c", PROBE], { encoding: "utf8" });
    const [major = 0, minor = 0] = (stdout ?? "").trim().split(" ").map(Number);
    return major === 3 && minor >= 10;
  });
}

function pip(python: string, command: string, ...args: readonly string[]): number {
  return run(python, ["-m", "pip", "--quiet", "--disable-pip-version-check", command, ...args]);
}

function run(
  command: string,
  args: readonly string[],
  { cwd = ROOT, env = {} }: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {},
): number {
  const { status } = spawnSync(command, args, { cwd, stdio: "inherit", env: { ...process.env, ...env } });
  return status ?? 1;
}

function skipped(reason: string): number {
  console.log(reason);
  return SKIPPED;
}
