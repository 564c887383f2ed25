/**
 * Checks and tests the whole project in stages, and summarizes the failures at the end.
 *
 * `deno task test` runs every stage; `deno task test deno bun` runs the named stages; `--verbose` prints all of their
 * output.
 *
 * @module
 */
import { readFileSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { filesBelow } from "./source_tree.ts";
import { runStages, type Stage } from "./suite/run_stages.ts";

// Limits that only hangs exceed, also on a busy machine. The deadline within a test (tests/within.ts) is shorter, so
// that it fails first and reports what did not happen; the limit of Bun reports the test, and the last one the test or
// its file.
const LONGEST_BUN_TEST_MS = 5 * 60_000;
const LONGEST_SILENCE_MS = 6 * 60_000;

// The version that is downloaded if there is no Bun on the path.
const BUN_VERSION = "1.4.5";

const root = new URL("../", import.meta.url);
const deno = Deno.execPath();
const manifest: { exports: Record<string, string> } = JSON.parse(readFileSync(new URL("deno.json", root), "utf8"));

// Tests wait about as long as they compute, so that each core can run two test files.
const FILES_AT_ONCE = 2 * navigator.hardwareConcurrency;

// The semantics and the fault tolerance of runs are the same on every store; see tests/empty_store.ts.
const MEANINGS = ["tests/meanings", "tests/crash", "tests/otel", "tests/worker"];
// A selection of these tests: those of each kind of task, and those with the most reads and writes. They suffice under
// Node, where only the driver of SQLite, the server of the inspector and the installation differ; and under Bun on
// Postgres, unless that stage is named, because the stages `bun` and `deno-postgres` test its engine and its
// statements.
const SOME_MEANINGS = [
  ...[
    "at_most_once",
    "bulk",
    "cancel",
    "child_map",
    "compensation",
    "context",
    "debounce",
    "event",
    "failure",
    "items",
  ],
  ...["key_scope", "lease", "limits", "list_filters", "map", "message", "metrics", "pause", "poll", "rerun", "retry"],
  ...["run_events", "schedule", "shutdown", "sleep", "start", "subworkflow", "timeout", "versions"],
].map((name) => `tests/meanings/${name}_test.ts`);
const NODE_TESTS = [
  "tests/package",
  ...SOME_MEANINGS,
  ...["access", "command", "requests"].map((name) => `tests/inspector/${name}_test.ts`),
];
// Tests that run only under Deno: those of this suite and of the worker protocol, whose programs Deno executes, and
// those that cannot differ between runtimes, such as those of the pure state machine.
const OF_DENO = [
  "tests/suite/",
  "tests/worker/",
  "tests/engine/machine_",
  "tests/store/postgres_search_path_test.ts",
  "tests/bench_harness_test.ts",
];
const BUN_TESTS = testFiles("tests").filter((file) => !OF_DENO.some((start) => file.startsWith(start)));
const POSTGRES = { SLUICE_TEST_STORE: "postgres", SLUICE_CRASH_ROUNDS: "10" };
const JOBS = { DENO_JOBS: String(FILES_AT_ONCE) };

const isVerbose = Deno.args.includes("--verbose");
const named = Deno.args.filter((arg) => arg !== "--verbose");

const stages: readonly Stage[] = [
  { name: "format", command: () => [deno, "fmt", "--check"] },
  { name: "lint", command: () => [deno, "lint"] },
  // deno.json freezes the lock file, so that this fails if they disagree. Bun uses the node_modules that Deno installs.
  { name: "install", command: () => [deno, "install", "--quiet"] },
  { name: "types", command: () => [deno, "check", "--quiet"] },
  {
    name: "docs",
    command: () => [deno, "run", "-A", "--no-check", "tests/suite/doc_lint.ts", ...Object.values(manifest.exports)],
  },
  { name: "publish", command: () => [deno, "publish", "--dry-run", "--allow-dirty", "--quiet"] },
  {
    name: "doctest",
    command: () => [deno, "test", "-A", "--quiet", "--parallel", "--doc", "mod.ts", "lib", "README.md", "docs"],
    tests: { runtime: "deno", files: [] },
  },
  { name: "deno", command: () => denoTest("tests"), env: JOBS, tests: { runtime: "deno", files: testFiles("tests") } },
  { name: "bun", command: () => bunTest(...BUN_TESTS), tests: { runtime: "bun", files: [] } },
  {
    name: "deno-postgres",
    command: () => denoTest(...MEANINGS),
    env: { ...JOBS, ...POSTGRES },
    tests: { runtime: "deno", files: MEANINGS.flatMap(testFiles) },
  },
  {
    name: "node",
    command: () => [deno, "run", "-A", "--quiet", "--no-check", "tests/node/run.ts", ...NODE_TESTS],
    // Its output has Deno's format.
    tests: { runtime: "deno", files: NODE_TESTS.flatMap((name) => name.endsWith(".ts") ? [name] : testFiles(name)) },
  },
  {
    name: "python",
    command: () => [deno, "run", "-A", "--quiet", "--no-check", "tests/python/run.ts"],
    // Its output has Deno's format.
    tests: { runtime: "deno", files: [] },
  },
  {
    name: "bun-postgres",
    command: () =>
      bunTest(...named.includes("bun-postgres") ? MEANINGS : ["tests/crash", "tests/otel", ...SOME_MEANINGS]),
    env: POSTGRES,
    tests: { runtime: "bun", files: [] },
  },
];

// A terminal also signals the process of the stage; other programs do not.
const interrupted = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(name, () => interrupted.abort());

const isOk = await runStages(chosen(named), {
  cwd: fileURLToPath(root),
  write,
  isTerminal: Deno.stdout.isTerminal() && !isVerbose,
  isVerbose,
  longestSilenceMs: LONGEST_SILENCE_MS,
  signal: interrupted.signal,
});
Deno.exit(isOk ? 0 : 1);

function chosen(names: readonly string[]): readonly Stage[] {
  const unknown = names.filter((name) => !stages.some((stage) => stage.name === name));
  if (unknown.length > 0) {
    console.error(`No such stage: ${unknown.join(", ")} (there are ${stages.map(({ name }) => name).join(", ")})`);
    Deno.exit(2);
  }
  return names.length === 0 ? stages : stages.filter(({ name }) => names.includes(name));
}

function write(text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let sent = 0; sent < bytes.length;) sent += Deno.stdout.writeSync(bytes.subarray(sent));
}

/** Returns the command for `deno test`, without the type check, which is done by the stage `types`. */
function denoTest(...folders: readonly string[]): readonly string[] {
  return [deno, "test", "-A", "--quiet", "--no-check", "--parallel", ...folders];
}

async function bunTest(...paths: readonly string[]): Promise<readonly string[]> {
  // Each process has a Postgres server. Without isolation a file does not end the processes of earlier files.
  const processes = [`--parallel=${FILES_AT_ONCE}`, "--no-isolate"];
  return [
    await findBun(),
    "test",
    `--timeout=${LONGEST_BUN_TEST_MS}`,
    ...processes,
    ...paths.map((path) => `./${path}`),
  ];
}

function testFiles(folder: string): readonly string[] {
  return filesBelow(`${folder}/`, "_test.ts");
}

/** Returns the `bun` on the path, or the one of npm if there is none or it is too old for `--parallel`. */
async function findBun(): Promise<string> {
  if ((await printed("bun", "test", "--help"))?.includes("--parallel") === true) return "bun";
  const { stdout } = await new Deno.Command("npx", {
    args: ["-y", `--package=bun@${BUN_VERSION}`, "-c", "command -v bun"],
    stderr: "inherit",
  }).output();
  const bun = realpathSync(new TextDecoder().decode(stdout).trim());
  if (await printed(bun, "--version") !== undefined) return bun;
  // Depending on its version and configuration npm does not run install scripts; until they run, bun is a placeholder.
  await new Deno.Command("node", { args: [join(dirname(bun), "../install.js")] }).output();
  return bun;
}

/** Returns the output of a command; `undefined` if it cannot be run or fails. */
async function printed(command: string, ...args: readonly string[]): Promise<string | undefined> {
  try {
    const { success, stdout } = await new Deno.Command(command, { args: [...args] }).output();
    return success ? new TextDecoder().decode(stdout) : undefined;
  } catch {
    return undefined;
  }
}
