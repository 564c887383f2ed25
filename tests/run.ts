/**
 * Checks and tests the whole project, stage by stage, and stops at the first that fails.
 *
 * `deno task test` runs every stage; `deno task test deno bun` runs those that are named.
 *
 * @module
 */
import { readFileSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";

/** Tests that a stage ran. */
interface Tally {
  readonly passed: number;
  readonly failed: number;
}

interface Stage {
  readonly name: string;
  readonly command: () => string[] | Promise<string[]>;
  /** Added to its environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Reads the tally from what a stage with tests printed. */
  readonly tally?: (output: string) => Tally | undefined;
}

// A test that hangs has to end as a failure that says where, before whoever started this gives up on it.
const LONGEST_STAGE_MS = 20 * 60_000;
const LONGEST_BUN_TEST_MS = 120_000;

const root = new URL("../", import.meta.url);
const deno = Deno.execPath();
const manifest: { exports: Record<string, string> } = JSON.parse(readFileSync(new URL("deno.json", root), "utf8"));

// What runs mean, and what they survive, is the same on every store; see tests/empty_store.ts.
const MEANINGS = ["tests/meanings", "tests/crash", "tests/otel"];
const POSTGRES = { SLUICE_TEST_STORE: "postgres", SLUICE_CRASH_ROUNDS: "10" };

const stages: readonly Stage[] = [
  { name: "format", command: () => [deno, "fmt", "--check"] },
  { name: "lint", command: () => [deno, "lint"] },
  // Bun has no installer of its own here: it finds in node_modules what Deno put there.
  { name: "install", command: () => [deno, "install", "--quiet"] },
  { name: "types", command: () => [deno, "check", "--quiet"] },
  { name: "docs", command: () => [deno, "doc", "--lint", ...Object.values(manifest.exports)] },
  { name: "publish", command: () => [deno, "publish", "--dry-run", "--allow-dirty", "--quiet"] },
  {
    name: "doctest",
    command: () => [deno, "test", "-A", "--quiet", "--doc", "mod.ts", "lib", "README.md"],
    tally: denoTally,
  },
  { name: "deno", command: () => [deno, "test", "-A", "--quiet", "--parallel", "tests"], tally: denoTally },
  {
    name: "bun",
    command: async () => [await findBun(), "test", `--timeout=${LONGEST_BUN_TEST_MS}`, "./tests"],
    tally: bunTally,
  },
  {
    name: "deno-postgres",
    command: () => [deno, "test", "-A", "--quiet", "--parallel", ...MEANINGS],
    env: POSTGRES,
    tally: denoTally,
  },
  {
    name: "bun-postgres",
    command: async () => [
      ...[await findBun(), "test", `--timeout=${LONGEST_BUN_TEST_MS}`],
      ...MEANINGS.map((folder) => `./${folder}`),
    ],
    env: POSTGRES,
    tally: bunTally,
  },
];

Deno.exit(await runAll(chosen(Deno.args)) ? 0 : 1);

function chosen(names: readonly string[]): readonly Stage[] {
  const unknown = names.filter((name) => !stages.some((stage) => stage.name === name));
  if (unknown.length > 0) {
    console.error(`No such stage: ${unknown.join(", ")} (there are ${stages.map(({ name }) => name).join(", ")})`);
    Deno.exit(2);
  }
  return names.length === 0 ? stages : stages.filter(({ name }) => names.includes(name));
}

async function runAll(todo: readonly Stage[]): Promise<boolean> {
  const total = { passed: 0, failed: 0 };
  let failure: string | undefined;
  for (const stage of todo) {
    failure = await runStage(stage, total);
    if (failure !== undefined) break;
  }
  if (failure !== undefined) console.log(`\nFAILED at stage "${failure}"`);
  if (todo.some(({ tally }) => tally !== undefined)) console.log(`\n${total.passed} passed, ${total.failed} failed`);
  return failure === undefined;
}

/** Runs a stage and adds to `total`; what it returns says why it failed. */
async function runStage(stage: Stage, total: { passed: number; failed: number }): Promise<string | undefined> {
  console.log(`\n== ${stage.name}`);
  const start = performance.now();
  const { code, output } = await run(await stage.command(), stage.env);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`== ${stage.name}: ${code === 0 ? "ok" : `exit code ${code}`} (${seconds} s)`);

  const tally = stage.tally?.(output);
  total.passed += tally?.passed ?? 0;
  total.failed += tally?.failed ?? 0;
  if (code !== 0) return stage.name;
  if (!stage.tally) return undefined;
  // A runner that finds no tests may well exit with 0, which must not pass for a success.
  if (!tally || tally.passed === 0) return `${stage.name}: no test ran`;
  return tally.failed > 0 ? stage.name : undefined;
}

/** Shows what a command prints while it runs, and keeps it. */
async function run(
  [command, ...args]: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ code: number; output: string }> {
  const signal = AbortSignal.timeout(LONGEST_STAGE_MS);
  const child = new Deno.Command(command!, {
    args,
    cwd: root,
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    signal,
  }).spawn();
  const [stdout, stderr, { code }] = await Promise.all([
    tee(child.stdout, Deno.stdout),
    tee(child.stderr, Deno.stderr),
    child.status,
  ]);
  if (signal.aborted) console.log(`Stopped: it took longer than ${LONGEST_STAGE_MS / 60_000} minutes`);
  return { code: signal.aborted ? 1 : code, output: `${stdout}\n${stderr}` };
}

async function tee(from: ReadableStream<Uint8Array>, to: { writeSync(bytes: Uint8Array): number }): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of from) {
    for (let sent = 0; sent < chunk.length;) sent += to.writeSync(chunk.subarray(sent));
    text += decoder.decode(chunk, { stream: true });
  }
  return text;
}

function denoTally(output: string): Tally | undefined {
  const match = [...output.matchAll(/^(?:ok|FAILED) \| (\d+) passed.*? \| (\d+) failed/gm)].at(-1);
  return match && { passed: Number(match[1]), failed: Number(match[2]) };
}

function bunTally(output: string): Tally | undefined {
  const passed = [...output.matchAll(/^ *(\d+) pass$/gm)].at(-1);
  const failed = [...output.matchAll(/^ *(\d+) fail$/gm)].at(-1);
  return passed && failed && { passed: Number(passed[1]), failed: Number(failed[1]) };
}

/** The `bun` on the path, or else the one that npm has. */
async function findBun(): Promise<string> {
  if (await works("bun")) return "bun";
  const { stdout } = await new Deno.Command("npx", {
    args: ["-y", "--package=bun@1", "-c", "command -v bun"],
    stderr: "inherit",
  }).output();
  const bun = realpathSync(new TextDecoder().decode(stdout).trim());
  if (await works(bun)) return bun;
  // npm may be set up, or old or new enough, not to run install scripts; until then bun is a placeholder.
  await new Deno.Command("node", { args: [join(dirname(bun), "../install.js")] }).output();
  return bun;
}

async function works(command: string): Promise<boolean> {
  try {
    return (await new Deno.Command(command, { args: ["--version"] }).output()).success;
  } catch {
    return false;
  }
}
