import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { spawn } from "../child.ts";
import { test } from "../harness.ts";
import { tempDir } from "../temp_dir.ts";
import { git, makeHistory } from "./git_history.ts";

const SCRIPT = "../examples/quickstart.ts";

test("the quickstart reports the history of a repository as it was made", async () => {
  using dir = tempDir();
  const expected = makeHistory(join(dir.path, "repo"), 600);
  const { stdout, report } = await quickstart(dir.path, "repo");
  assertStringIncludes(stdout, "repo at ");
  assertStringIncludes(stdout, "600 commits (0 merges) by 8 authors");
  assertEquals(
    rows(report, "Authors").map(([name, commits, added, deleted]) => [name, commits, added, deleted]),
    [...expected.authors].sort(([, [a]], [, [b]]) => b - a).map((
      [name, counts],
    ) => [shown(name), ...counts.map(count)]),
  );
  assertEquals(
    rows(report, "Months").map(([month, commits]) => [month, commits]),
    [...expected.months].map(([month, commits]) => [month, count(commits)]),
  );
  const files = [...expected.files].map(([path, [commits]]): [string, number] => [shown(path), commits]);
  assertEquals(
    rows(report, "Most changed files").map(([path, commits]) => [path, commits]),
    files.sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)).map(([path, commits]) => [path, count(commits)]),
  );
  assertEquals(
    new Map(rows(report, "Largest files").map(([path, lines]) => [path, lines])),
    new Map([...expected.files].map(([path, [, lines]]) => [shown(path), count(lines)])),
  );
});

test("the quickstart resumes after kill -9, says so, and does not run again what was done", async () => {
  using dir = tempDir();
  const expected = makeHistory(join(dir.path, "repo"), 300);
  await using killed = start(dir.path, "repo", "--slow=800");
  const before = new Set<string>();
  while (before.size < 4) before.add(doneTask(await killed.until("done: ")));
  killed.kill("SIGKILL");
  for (const task of doneTasks((await killed.exited).stdout)) before.add(task);
  assert(!before.has("owners") && !existsSync(join(dir.path, "report.md")), "it was killed in the middle");

  const { stdout, report } = await quickstart(dir.path, "repo", "--slow=800");
  const [, done, all, listed] = /^Resuming run \S+ of [\d: -]+ UTC: (\d+) of (\d+) tasks were done \((.*)\)\.$/m
    .exec(stdout) ?? [];
  assertEquals(listed?.split(", ").length, Number(done));
  assertEquals(
    [...before].filter((task) => !listed?.split(", ").includes(task)),
    [],
    "what it said was done is durable",
  );
  assertEquals(doneTasks(stdout).filter((task) => listed?.split(", ").includes(task)), []);
  assertEquals(doneTasks(stdout).length, Number(all) - Number(done));
  assertEquals(
    rows(report, "Authors").map(([name, commits]) => [name, commits]),
    [...expected.authors].sort(([, [a]], [, [b]]) => b - a).map(([name, [commits]]) => [shown(name), count(commits)]),
  );
  assertEquals(leftovers(dir.path), ["runs.db"], "the spooled history is gone when nobody needs it");

  const again = await quickstart(dir.path, "repo");
  assertEquals(doneTasks(again.stdout).length, Number(all), "a run that ended is not resumed");
  assert(!again.stdout.includes("Resuming"));
});

test("the quickstart hands back what is not done on Ctrl-C", async () => {
  using dir = tempDir();
  makeHistory(join(dir.path, "repo"), 50);
  await using interrupted = start(dir.path, "repo", "--slow=1500");
  await interrupted.until("done: history");
  interrupted.kill("SIGINT");
  const { code, signal, stdout } = await interrupted.exited;
  // Deno reports exit code 130 as if the signal itself had ended the child.
  assert(code === 130 || signal === "SIGINT", `it ended with ${code}, ${signal}`);
  assertStringIncludes(stdout, "Interrupted. The same command goes on from here.");
  assertMatch(
    (await quickstart(dir.path, "repo")).stdout,
    /^Resuming run .*: \d of 8 tasks were done \(.*history.*\)\.$/m,
  );
});

test("a resumed quickstart continues with the commit it began with", async () => {
  using dir = tempDir();
  const repo = join(dir.path, "repo");
  makeHistory(repo, 20);
  const began = git(["-C", repo, "rev-parse", "HEAD"]).slice(0, 10);
  await using killed = start(dir.path, "repo", "--slow=2000");
  await killed.until("done: history");
  killed.kill("SIGKILL");
  await killed.exited;
  makeMore(repo);
  const { stdout } = await quickstart(dir.path, "repo");
  assertStringIncludes(stdout, `It looks at ${began}, where the repository was then.`);
  assertStringIncludes(stdout, `repo at ${began}: 20 commits`);
  assertStringIncludes((await quickstart(dir.path, "repo")).stdout, "21 commits");
});

test("the quickstart makes sense of a repository of one commit", async () => {
  using dir = tempDir();
  makeHistory(join(dir.path, "repo"), 120);
  const shallow = join(dir.path, "shallow");
  git(["clone", "--quiet", "--bare", "--depth=1", `file://${join(dir.path, "repo")}`, shallow]);
  const { stdout, report } = await quickstart(dir.path, "shallow");
  assertStringIncludes(stdout, "1 commit (0 merges) by 1 author");
  assertStringIncludes(stdout, "A shallow clone: older commits are missing");
  assertStringIncludes(report, "No file of ten lines or more was changed after it was added.");
});

test("the quickstart reads merges, renames, binary files and names of any bytes", async () => {
  using dir = tempDir();
  const repo = join(dir.path, "repo");
  mkdirSync(repo);
  const here = (...args: string[]) => git(["-C", repo, ...args]);
  const commit = () => here("commit", "--quiet", "--allow-empty", "--all", "--message=x");
  here("init", "--quiet", "--initial-branch=main");
  writeFileSync(join(repo, "old name"), "1\n2\n3\n4\n5\n6\n7\n8\n");
  writeFileSync(join(repo, "image.bin"), new Uint8Array([0, 1, 2, 0]));
  writeFileSync(join(repo, 'a\nb "q" `c`|<d> \x1b[31m'), "1\n2\n");
  here("add", ".");
  commit();
  here("checkout", "--quiet", "-b", "side");
  here("mv", "old name", "new name");
  writeFileSync(join(repo, "new name"), "1\n2\n3\n4\n5\n6\n7\n8\n9\n");
  commit();
  here("checkout", "--quiet", "main");
  commit();
  here("merge", "--quiet", "--no-edit", "side");
  writeFileSync(join(repo, ".mailmap"), "Somebody Else <solo@example.org>\n");
  const { stdout, report } = await quickstart(dir.path, "repo");
  assertStringIncludes(stdout, "4 commits (1 merge) by 1 author");
  assert(!stdout.includes("\x1b"), "what a repository says cannot drive the terminal");
  assertEquals(rows(report, "Authors").map(([name, commits]) => [name, commits]), [["Somebody Else", "4"]]);
  assertEquals(rows(report, "Most changed files").map((cells) => cells.slice(0, 4)), [
    ["new name", "2", "1", "9"],
    ['a\\\\nb "q" \\`c\\`\\|&lt;d\\> \\\\u001b\\[31m', "1", "1", "2"],
    ["image.bin", "1", "1", "0"],
  ]);
});

for (
  const [what, prepare, args, message] of [
    ["a missing directory", () => {}, ["repo"], /^There is no directory ".*repo"\.\n$/],
    ["no repository", (path: string) => void mkdirSync(path), ["repo"], /^".*repo" is not in a git repository\.\n$/],
    [
      "no commits",
      (path: string) => void git(["init", "--quiet", path]),
      ["repo"],
      /^The repository "repo" has no commits yet\.\n$/,
    ],
    ["an unknown option", () => {}, ["repo", "--fast"], /^Unknown option '--fast'/],
    [
      "no place for the report",
      () => {},
      ["repo", "--out=/no/such/place/x"],
      /^There is no directory "\/no\/such\/place" for/,
    ],
  ] as const
) {
  test(`the quickstart answers ${what} with a sentence and exit code 1`, async () => {
    using dir = tempDir();
    prepare(join(dir.path, "repo"));
    const [repo, ...options] = args;
    await using child = start(dir.path, repo, ...options);
    const { code, stdout, stderr } = await child.exited;
    assertEquals({ code, stdout }, { code: 1, stdout: "" });
    assertMatch(stderr, message);
  });
}

test("the quickstart says when git is not installed", async () => {
  using dir = tempDir();
  await using child = spawn(SCRIPT, [dir.path], { PATH: dir.path });
  const { code, stderr } = await child.exited;
  assertEquals({ code, stderr }, { code: 1, stderr: "git is not installed, or not on the PATH.\n" });
});

function start(dir: string, repo: string, ...options: string[]): ReturnType<typeof spawn> {
  // Later options win, so that a test can name its own.
  const args = [join(dir, repo), `--out=${join(dir, "report.md")}`, `--state=${join(dir, "state")}`, ...options];
  return spawn(SCRIPT, args, { GIT_CONFIG_GLOBAL: "/dev/null", GIT_CEILING_DIRECTORIES: dir });
}

async function quickstart(
  dir: string,
  repo: string,
  ...options: string[]
): Promise<{ stdout: string; report: string }> {
  await using child = start(dir, repo, ...options);
  const { code, stdout, stderr } = await child.exited;
  assertEquals({ code, stderr }, { code: 0, stderr: "" }, stdout);
  return { stdout, report: readFileSync(join(dir, "report.md"), "utf8") };
}

function doneTasks(stdout: string): string[] {
  return stdout.split("\n").filter((line) => line.includes("done: ")).map(doneTask);
}

function doneTask(line: string): string {
  return /done: (\w+)/.exec(line)?.[1] ?? "";
}

/** The cells of the table under a heading, as the report writes them. */
function rows(report: string, heading: string): string[][] {
  const [, section = ""] = report.split(new RegExp(`^#+ ${heading}\n`, "m"));
  const lines = (section.split(/^#/m)[0] ?? "").split("\n").filter((line) => line.startsWith("| "));
  return lines.slice(2).map((line) => line.slice(2, -2).split(" | "));
}

function shown(name: string): string {
  return name.replace("\x1b[", "\\\\u001b\\[").replace("|", "\\|").replace("\t", "\\\\t");
}

function count(value: number): string {
  return value.toLocaleString("en-US");
}

function leftovers(dir: string): string[] {
  const [folder = ""] = readdirSync(join(dir, "state")).filter((name) => name.startsWith("repo-"));
  return readdirSync(join(dir, "state", folder)).filter((name) => !/-(wal|shm)$/.test(name));
}

function makeMore(repo: string): void {
  const stream = "commit refs/heads/main\ncommitter C <c@example.org> 1900000000 +0000\ndata 1\nx\n" +
    "from refs/heads/main^0\n";
  git(["-C", repo, "fast-import", "--quiet"], stream);
}
