/** The runner of the stages, with small projects in which something is wrong. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "../harness.ts";
import { tempDir } from "../temp_dir.ts";
import { runStages, type Stage, type StageOptions } from "./run_stages.ts";
import { stageOutput } from "./stage_output.ts";

const runtime = "Deno" in globalThis ? "deno" : "bun";
const harness = new URL("../harness.ts", import.meta.url);

const OK: Stage = { name: "first", command: () => [process.execPath, "--version"] };

test("all stages run, and those that failed are summed up with their tests, files and errors", async () => {
  using project = openProject({
    a_test: 'test("adds", () => {}); test("fails > at once", () => { throw new Error("one is missing"); });',
    b_test: 'throw new Error("at loading");',
    c_test: 'test("multiplies", () => {}); skipped("divides", "no zero");',
  });
  const { isOk, lines } = await project.run([
    { name: "broken", command: () => [process.execPath, "no-such-file.ts"] },
    project.stage("tests"),
    OK,
  ]);
  assert(!isOk);
  const text = lines.join("\n");
  assertEquals(lines.filter((line) => /^(broken|tests|first) /.test(line)).map((line) => line.split(/ {2,}/).at(1)), [
    "FAILED",
    "FAILED",
    "ok",
  ]);
  assertStringIncludes(text, "one is missing");
  assertStringIncludes(text, "at loading");
  assertStringIncludes(text, "no-such-file.ts");
  const summary = lines.slice(lines.indexOf("FAILED in 2 of 3 stages:"));
  assertEquals(summary.filter((line) => line.startsWith("    ")).sort(), [
    "    a_test.ts: fails > at once",
    "    b_test.ts: (outside of any test)",
  ]);
  assertStringIncludes(text, "\nFAILED in 2 of 3 stages: 2 passed, 2 failed, 1 skipped (");
});

test("a stage says nothing but its line when its tests pass", async () => {
  using project = openProject({ a_test: 'test("adds", () => console.log("noise"));' });
  const { isOk, lines } = await project.run([OK, project.stage("tests")]);
  assert(isOk);
  assertEquals(lines.map((line) => line.replace(/ +/g, " ").replace(/[\d.]+ s\b/, "… s")), [
    "first ok … s",
    "tests ok 1 passed, 0 failed … s",
    "",
    "ok: 1 passed, 0 failed (… s)",
    "",
  ]);
});

test("a stage that cannot run here is skipped, with its last line as the reason", async () => {
  using project = openProject({ a_test: 'test("adds", () => {});' });
  const script = 'console.log("noise\\nthere is no Python"); process.exit(77)';
  const { isOk, lines } = await project.run([
    { ...project.stage("other"), command: () => [process.execPath, ...evaluate, script] },
  ]);
  assert(isOk);
  assertEquals(
    lines[0]?.replace(/ +/g, " ").replace(/[\d.]+ s\b/, "… s"),
    "other skipped 0 passed, 0 failed … s there is no Python",
  );
});

test("a stage that finds no tests fails", async () => {
  using project = openProject({ a_test: "export {};" });
  const { isOk, lines } = await project.run([project.stage("tests")]);
  assert(!isOk);
  assertStringIncludes(lines.join("\n"), "no test ran");
});

test("a process that ends before its tests do is a failure that names the file", async () => {
  using project = openProject({
    a_test: 'import process from "node:process"; test("ends", () => process.kill(process.pid, "SIGKILL"));',
  });
  const { isOk, lines } = await project.run([project.stage("tests")]);
  assert(!isOk);
  assertStringIncludes(lines.join("\n"), "SIGKILL before its tests did");
});

test("a test that hangs is stopped and named by its file", async () => {
  using project = openProject({
    a_test: 'test("adds", () => {});',
    b_test: 'test("waits", () => new Promise((resolve) => setTimeout(resolve, 3_600_000)));',
  });
  const { isOk, lines } = await project.runUntilHung("tests");
  assert(!isOk);
  const stage = lines.find((line) => line.startsWith("tests "));
  assert(stage?.includes("no progress for 600.0 s"), stage);
  assert(stage?.includes("b_test.ts") && !stage.includes("a_test.ts"), stage);
});

test("a file that hangs before its first test is named", async () => {
  using project = openProject({
    a_test: 'test("adds", () => {});',
    b_test: "await new Promise((resolve) => setTimeout(resolve, 3_600_000));",
  });
  const { lines } = await project.runUntilHung("tests");
  const stage = lines.find((line) => line.startsWith("tests "));
  assert(stage?.includes("b_test.ts") && !stage.includes("a_test.ts"), stage);
});

test("an interruption ends the stage that runs and leaves out the others", async () => {
  using project = openProject({
    a_test: 'test("waits", () => new Promise((resolve) => setTimeout(resolve, 3_600_000)));',
  });
  const interrupted = new AbortController();
  let written = "";
  const { isOk } = await project.run([project.stage("tests"), OK], {
    isVerbose: true,
    signal: interrupted.signal,
    progressMs: 10,
    write(text) {
      written += text;
      // With the first line of progress its process is there.
      interrupted.abort();
    },
  });
  assert(!isOk);
  assert(/^tests +FAILED/m.test(written) && !written.includes("first"), written);
});

const evaluate = runtime === "deno" ? ["eval", "--quiet"] : ["-e"];

interface Printed {
  readonly isOk: boolean;
  readonly lines: readonly string[];
}

interface Project extends Disposable {
  /** The stage that runs its tests. */
  stage(name: string): Stage;
  /** Runs stages in it; returns what they print, by lines. */
  run(stages: readonly Stage[], options?: Partial<StageOptions>): Promise<Printed>;
  /** Runs its tests; when those of `a_test.ts` have ended, the clock advances by an hour. */
  runUntilHung(name: string): Promise<Printed>;
}

/** A folder with test files of these names and texts. */
function openProject(sources: Readonly<Record<string, string>>): Project {
  const dir = tempDir();
  const files = Object.keys(sources).map((name) => `${name}.ts`);
  for (const [name, source] of Object.entries(sources)) {
    writeFileSync(join(dir.path, `${name}.ts`), `import { skipped, test } from "${harness}";\n${source}\n`);
  }
  const args = runtime === "deno"
    ? ["test", "-A", "--quiet", "--parallel", "--no-check"]
    : ["test", "--timeout=600000"];
  return { stage, run, runUntilHung, [Symbol.dispose]: dir[Symbol.dispose] };

  function stage(name: string): Stage {
    return {
      name,
      command: () => [process.execPath, ...args, ...files.map((file) => `./${file}`)],
      tests: { runtime, files },
    };
  }

  async function run(stages: readonly Stage[], options: Partial<StageOptions> = {}): Promise<Printed> {
    let written = "";
    const write = (text: string): void => void (written += text);
    const fixed = { cwd: dir.path, write, isTerminal: false, isVerbose: false, longestSilenceMs: 600_000 };
    const isOk = await runStages(stages, { ...fixed, ...options });
    return { isOk, lines: written.split("\n") };
  }

  async function runUntilHung(name: string): Promise<Printed> {
    let written = "";
    // Deno has run the first file when it prints its test, Bun when it prints the name of the second.
    const sign = runtime === "deno" ? "adds" : "b_test.ts:";
    const { isOk } = await run([stage(name)], {
      isVerbose: true,
      write: (text) => void (written += text),
      now: () => performance.now() + (written.includes(sign) ? 3_600_000 : 0),
    });
    return { isOk, lines: written.split("\n") };
  }
}

test("failures that Bun repeats at the end of a long output count once, in their own files", () => {
  const output = stageOutput("bun");
  const lines = ["tests/a_test.ts:", "error: broken", "(fail) a [1.00ms]", "tests/b_test.ts:", "(pass) b [1.00ms]"];
  const end = ["1 tests failed:", "(fail) a [1.00ms]", " 1 pass", " 1 fail"];
  for (const line of [...lines, ...end]) output.read(line);
  assertEquals(output.failures(), [{ file: "tests/a_test.ts", name: "a", details: "error: broken" }]);
  assertEquals(output.counts(), { passed: 1, failed: 1, skipped: 0 });
});
