import { Buffer } from "node:buffer";
import { spawnSync } from "node:child_process";
import process from "node:process";

/** What a made-up history adds up to, counted while it was made and not by reading it. */
export interface ExpectedHistory {
  /** Commits, merges included. */
  commits: number;
  /** Lines added. */
  added: number;
  /** Lines deleted. */
  deleted: number;
  /** By author: commits, lines added, lines deleted. */
  readonly authors: Map<string, [commits: number, added: number, deleted: number]>;
  /** By month: commits. */
  readonly months: Map<string, number>;
  /** By the name that a file has at the end: commits, and lines it has at the end. */
  readonly files: Map<string, [commits: number, lines: number]>;
}

/**
 * Makes a bare repository with `commits` commits at `path`, the same each time, in one call of `git fast-import`.
 *
 * Eight authors, some more often than others, write to 40 files, two commits a day. Every commit appends five lines to a file and takes up to
 * three away; every 50th only renames one. No two lines are the same, so that git can see nothing else in it.
 */
export function makeHistory(path: string, commits: number): ExpectedHistory {
  const expected: ExpectedHistory = {
    commits: 0,
    added: 0,
    deleted: 0,
    authors: new Map(),
    months: new Map(),
    files: new Map(),
  };
  const files = Array.from({ length: 40 }, (_, n) => ({
    path: `src/part ${n % 5}/${n === 0 ? "ta\tb" : `file${n}`}.ts`,
    lines: [] as string[],
    commits: 0,
  }));
  let stream = "";
  for (let n = 0; n < commits; n++) {
    const at = Date.UTC(2015, 0, 1) / 1000 + n * 43_200;
    const author = AUTHORS[Math.floor(((n * 37) % 101) ** 2 / 1300)] ?? "";
    const file = files[(n * 7) % files.length]!;
    let [added, deleted] = [0, 0];
    stream += `commit refs/heads/main\nauthor ${author} <${n % 3}@example.org> ${at} +0200\n` +
      `committer C <c@example.org> ${at} +0000\n${data(`Commit ${n}`)}`;
    if (n % 50 === 49 && file.lines.length > 0) {
      const renamed = file.path.replace(/(\.v\d+)?\.ts$/, `.v${n}.ts`);
      stream += `R ${quote(file.path)} ${quote(renamed)}\n`;
      file.path = renamed;
    } else {
      deleted = Math.min(n % 4, file.lines.length);
      added = 5;
      file.lines.splice(0, deleted);
      for (let line = 0; line < added; line++) file.lines.push(`${n}.${line}`);
      if (file.lines.length > 60) deleted += file.lines.splice(0, 30).length;
      stream += `M 100644 inline ${quote(file.path)}\n${data(file.lines.join("\n") + "\n")}`;
    }
    file.commits++;
    count(author, new Date(at * 1000).toISOString().slice(0, 7), added, deleted);
  }
  for (const { path, lines, commits } of files) if (commits > 0) expected.files.set(path, [commits, lines.length]);
  git(["init", "--quiet", "--bare", "--initial-branch=main", path]);
  git(["-C", path, "fast-import", "--quiet"], stream);
  return expected;

  function count(author: string, month: string, added: number, deleted: number): void {
    const [commits, plus, minus] = expected.authors.get(author) ?? [0, 0, 0];
    expected.authors.set(author, [commits + 1, plus + added, minus + deleted]);
    expected.months.set(month, (expected.months.get(month) ?? 0) + 1);
    expected.commits++;
    expected.added += added;
    expected.deleted += deleted;
  }
}

/** Runs git without the configuration of the machine, and returns its output. */
export function git(args: readonly string[], input: string | Uint8Array = ""): string {
  const env = { ...process.env, GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1", ...IDENTITY };
  const { status, stdout, stderr, error } = spawnSync("git", args, { input, env, maxBuffer: 1 << 28 });
  if (status !== 0) throw new Error(`git ${args.join(" ")}: ${error ?? stderr}`);
  return stdout.toString();
}

const AUTHORS = ["Ada", "Björn", "Chloé Δ", "田中", "Eve \x1b[31mred", "Faye|Pipe", "Gus", "Hal"];

const IDENTITY = {
  GIT_AUTHOR_NAME: "Solo",
  GIT_AUTHOR_EMAIL: "solo@example.org",
  GIT_COMMITTER_NAME: "Solo",
  GIT_COMMITTER_EMAIL: "solo@example.org",
};

function data(text: string): string {
  return `data ${Buffer.byteLength(text)}\n${text}\n`;
}

function quote(path: string): string {
  return `"${path.replaceAll("\t", "\\t")}"`;
}
