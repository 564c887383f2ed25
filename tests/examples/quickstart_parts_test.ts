import { assertEquals, assertRejects } from "@std/assert";
import { Buffer } from "node:buffer";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  countAuthors,
  countFiles,
  countMonths,
  findOwners,
  measureChurn,
  tally,
} from "../../examples/quickstart/analyses.ts";
import { type Commit, parseLog, parseTree } from "../../examples/quickstart/log.ts";
import { showProgress } from "../../examples/quickstart/progress.ts";
import { readRows, spoolFile, sweep, writeRows } from "../../examples/quickstart/spool.ts";
import {
  bar,
  columns,
  count,
  counted,
  day,
  fit,
  percent,
  plain,
  shorten,
  shortenPath,
  sparkline,
} from "../../examples/quickstart/text.ts";
import { test } from "../harness.ts";
import { tempDir } from "../temp_dir.ts";

// ana and bo, two months, a file that was renamed, one that was deleted, one in the root. Newest first.
const COMMITS: readonly Commit[] = [
  commit("d", "2026-02-03", "bo", [["src/io/b.ts", 10, 30], ["gone.ts", 0, 5]]),
  commit("c", "2026-02-01", "ana", [], true),
  commit("b", "2026-01-31", "ana", [["src/io/b.ts", 40, 0], ["gone.ts", 5, 0]]),
  commit("a", "2026-01-01", "ana", [["top.md", 30, 0]]),
];
const TREE = new Map([["src/io/b.ts", 20], ["top.md", 30], ["image.bin", 0]]);

test("parseLog reads commits, merges and binary files, wherever the chunks end", async () => {
  const log = "commit:c2\x001700000000\x00c1 c0\x00b@x\x00Bo\x00" +
    "commit:c1\x001600000000\x00c0\x00a@x\x00Ana\tTab\x00\n3\t1\tsrc/a.ts\x00-\t-\timage é\n.bin\x00" +
    "commit:c0\x00\x00\x00only@mail\x00 \x00\n1\t0\tcommit:not one\x00";
  const expected: Commit[] = [
    { id: "c2", at: 1700000000, author: "Bo", merge: true, changes: [] },
    {
      id: "c1",
      at: 1600000000,
      author: "Ana\tTab",
      merge: false,
      changes: [{ path: "src/a.ts", added: 3, deleted: 1 }, { path: "image é\n.bin", added: 0, deleted: 0 }],
    },
    {
      id: "c0",
      at: 0,
      author: "only@mail",
      merge: false,
      changes: [{ path: "commit:not one", added: 1, deleted: 0 }],
    },
  ];
  for (const size of [1, 2, 3, 7, 1000]) assertEquals(await all(parseLog(chunked(log, size))), expected);
  assertEquals(await all(parseLog(chunked("", 1))), []);
});

test("parseLog gives a file the name it has today, through renames and exchanged names", async () => {
  const log = header("5") + "\n1\t0\tc\x00" +
    header("4") + "\n0\t0\t\x00b\x00c\x00" +
    header("3") + "\n1\t1\tb\x002\t0\tx\x00" +
    // Two files exchange their names.
    header("2") + "\n0\t0\t\x00a\x00b\x001\t0\t\x00b\x00a\x00" +
    header("1") + "\n4\t0\ta\x005\t0\tb\x00";
  const commits = await all(parseLog(chunked(log, 1000)));
  assertEquals(commits.map(({ id, changes }) => [id, ...changes.map(({ path, added }) => `${path}+${added}`)]), [
    ["5", "c+1"],
    ["4", "c+0"],
    ["3", "c+1", "x+2"],
    ["2", "c+0", "a+1"],
    ["1", "c+4", "a+5"],
  ]);
});

test("parseLog keeps names apart that are not UTF-8", async () => {
  const log = Buffer.concat([
    Buffer.from(header("1") + "\n1\t0\tcaf"),
    Buffer.from([0xe9, 0]),
    Buffer.from("2\t0\tcaf"),
    Buffer.from([0xe8, 0]),
  ]);
  const [only] = await all(parseLog(chunked(log, 5)));
  assertEquals(only?.changes.map(({ path }) => path), ["caf\\xe9", "caf\\xe8"]);
});

test("parseLog bounds the dates of broken clocks, and says what it cannot read", async () => {
  const [late, early] = await all(parseLog(chunked(header("1", "99999999999999") + header("0", "-5"), 1000)));
  assertEquals([day(late?.at ?? NaN), day(early?.at ?? NaN)], ["9999-12-31", "1970-01-01"]);
  await assertRejects(
    () => all(parseLog(chunked("1\t2\ta\x00", 9))),
    Error,
    'Cannot read the log: git printed "1\\t2\\ta"',
  );
  await assertRejects(() => all(parseLog(chunked(header("1") + "hello\x00", 9))), Error, 'git printed "hello"');
  await assertRejects(() => all(parseLog(chunked("commit:1\x005\x00", 9))), Error, "in the middle of a commit");
});

test("parseTree reads present files", async () => {
  assertEquals(await all(parseTree(chunked("3\t0\ta b\x00-\t-\tc\n\x00", 2))), [
    { path: "a b", lines: 3 },
    { path: "c\n", lines: 0 },
  ]);
  await assertRejects(() => all(parseTree(chunked("3 0 a\x00", 9))), Error, "Cannot read the files");
});

test("tally() adds up what passes by", async () => {
  const { commits, totals } = tally(COMMITS);
  assertEquals(await all(commits), [...COMMITS]);
  const [first, last] = [seconds("2026-01-01"), seconds("2026-02-03")];
  assertEquals(totals(), { commits: 4, merges: 1, added: 85, deleted: 35, first, last });
});

test("countAuthors() counts everybody and lists those with most commits", async () => {
  assertEquals(await countAuthors(COMMITS), {
    count: 2,
    top: [
      { name: "ana", commits: 3, added: 75, deleted: 0, first: seconds("2026-01-01"), last: seconds("2026-02-01") },
      { name: "bo", commits: 1, added: 10, deleted: 35, first: seconds("2026-02-03"), last: seconds("2026-02-03") },
    ],
  });
  const many = Array.from({ length: 70 }, (_, n) => commit(`${n}`, "2026-01-01", `author ${n}`, []));
  const { count, top } = await countAuthors(many);
  assertEquals([count, top.length], [70, 50]);
});

test("countMonths() lists the months that have commits, in order and in UTC", async () => {
  assertEquals(await countMonths(COMMITS), [
    { month: "2026-01", commits: 2, authors: 1, added: 75, deleted: 0 },
    { month: "2026-02", commits: 2, authors: 2, added: 10, deleted: 35 },
  ]);
  assertEquals(await countMonths([]), []);
});

test("countFiles() lists what is changed most often, and whether it still exists", async () => {
  assertEquals(await countFiles(COMMITS, TREE), {
    count: 3,
    top: [
      { path: "gone.ts", commits: 2, authors: 2, lines: 10, present: false },
      { path: "src/io/b.ts", commits: 2, authors: 2, lines: 80, present: true },
      { path: "top.md", commits: 1, authors: 1, lines: 30, present: true },
    ],
  });
});

test("measureChurn() compares what was written to what is there", async () => {
  assertEquals(await measureChurn(COMMITS, TREE), {
    churn: 110,
    lines: 50,
    top: [{ path: "src/io/b.ts", lines: 20, churn: 80, factor: 4 }],
  });
  assertEquals(await measureChurn([], new Map()), { churn: 0, lines: 0, top: [] });
});

test("findOwners() names who wrote most, and how few wrote more than half", async () => {
  const b = { lines: 20, owner: "ana", share: 0.8, authors: 2, busFactor: 1 };
  const top = { lines: 30, owner: "ana", share: 1, authors: 1, busFactor: 1 };
  assertEquals(await findOwners(COMMITS, TREE), {
    busFactor: 1,
    single: 1,
    directories: [{ path: ".", ...top }, { path: "src/io", ...b }],
    files: [{ path: "top.md", ...top }, { path: "src/io/b.ts", ...b }],
  });
  const equals = ["a", "b", "c", "d"].map((author) => commit(author, "2026-01-01", author, [["a/b/c/d.ts", 5, 0]]));
  const { busFactor, directories } = await findOwners(equals, new Map([["a/b/c/d.ts", 20]]));
  assertEquals([busFactor, directories[0]?.path, directories[0]?.owner, directories[0]?.share], [3, "a/b", "a", 0.25]);
  assertEquals(await findOwners([], new Map()), { busFactor: 0, single: 0, directories: [], files: [] });
});

test("writeRows() makes a whole file or none", async () => {
  using dir = tempDir();
  const file = join(dir.path, "rows");
  const rows = Array.from({ length: 20_000 }, (_, n) => ({ n, text: "line\nbreak \u2028 é" }));
  await writeRows(file, from(rows));
  assertEquals(await all(readRows(file)), rows);
  await assertRejects(() => writeRows(join(dir.path, "broken"), failing()), Error, "no more");
  assertEquals(readdirSync(dir.path), ["rows"]);

  async function* failing(): AsyncGenerator<unknown> {
    yield* rows;
    throw new Error("no more");
  }
});

test("sweep() deletes spool files and drafts of runs that are over, and nothing else", async () => {
  using dir = tempDir();
  const kept = [spoolFile(dir.path, "live", "tree"), `${spoolFile(dir.path, "live", "history")}.x.tmp`];
  const over = [spoolFile(dir.path, "over", "history"), `${spoolFile(dir.path, "over", "tree")}.y.tmp`];
  for (const file of [...kept, ...over, join(dir.path, "runs.db")]) writeFileSync(file, "");
  await sweep(dir.path, () => Promise.resolve(new Set(["live"])));
  assertEquals(readdirSync(dir.path).sort(), ["live.history.jsonl.x.tmp", "live.tree.jsonl", "runs.db"]);
});

test("plain() shows what would drive a terminal or reverse a line", () => {
  assertEquals(plain("a\tb\n\x1b[31m\x9b\u202e\x7fé 田"), "a\\tb\\n\\u001b[31m\\u009b\\u202e\\u007fé 田");
});

test("fit() and its kin count columns, not characters", () => {
  assertEquals([columns("abc"), columns("田中"), columns("e\u0301"), columns("🚀")], [3, 4, 1, 2]);
  assertEquals([fit("ab", 4), fit("田中", 3), fit("abcdef", 4)], ["ab  ", "田…", "abc…"]);
  assertEquals([shorten("abc", 3), shorten("田中田", 4)], ["abc", "田…"]);
  assertEquals([shortenPath("src/io/b.ts", 6), shortenPath("b.ts", 6)], ["…/b.ts", "b.ts"]);
});

test("bar() and sparkline() are proportional, and show whatever is not zero", () => {
  assertEquals([bar(8, 8, 2), bar(4, 8, 2), bar(1, 800, 2), bar(0, 8, 2), bar(0, 0, 2)], ["██", "█", "▏", "", ""]);
  assertEquals(sparkline([0, 1, 4, 8], 10), " ▁▄█");
  assertEquals(sparkline([0, 0, 1, 1, 2], 3), " ██");
  assertEquals(sparkline([], 10), "");
});

test("numbers and dates are written for people", () => {
  assertEquals([count(0), count(999), count(1000), count(1234567)], ["0", "999", "1,000", "1,234,567"]);
  assertEquals([counted(1, "merge"), counted(2000, "merge")], ["1 merge", "2,000 merges"]);
  assertEquals([percent(0.474), day(0)], ["47 %", "1970-01-01"]);
});

test("showProgress() rewrites one line on a terminal, and prints what ended elsewhere", () => {
  const [terminal, pipe] = [screen(true), screen(false)];
  for (const it of [terminal, pipe]) {
    const display = showProgress(it, ["a", "b", "c"], ["a"]);
    const at = { runId: "r", workflow: "w", attempt: 1 };
    display.onEvent({ ...at, at: 5, type: "run.started" });
    display.onEvent({ ...at, at: 10, type: "task.started", taskId: "b" });
    display.onEvent({ ...at, at: 20, type: "task.progress", taskId: "b", done: 1, total: 3 });
    display.onEvent({ ...at, at: 52, type: "task.completed", taskId: "b", output: 1 });
    display.onEvent({ ...at, at: 60, type: "task.failed", taskId: "c", error: { name: "Error", message: "\x1bno" } });
    display.end();
    display.onEvent({ ...at, at: 70, type: "task.started", taskId: "c" });
  }
  assertEquals(terminal.shown, [
    "\ra ✓  b 0 %  c ·\x1b[K",
    "\ra ✓  b 33 %  c ·\x1b[K",
    "\ra ✓  b ✓  c ·\x1b[K",
    "\ra ✓  b ✓  c ✗\x1b[K",
    "\r\x1b[K",
  ]);
  assertEquals(pipe.shown, ["  done: b (42 ms)\n", "  failed: c: \\u001bno\n"]);
});

function commit(
  id: string,
  date: string,
  author: string,
  changes: readonly (readonly [path: string, added: number, deleted: number])[],
  merge: boolean = false,
): Commit {
  const listed = changes.map(([path, added, deleted]) => ({ path, added, deleted }));
  return { id, at: seconds(date), author, merge, changes: listed };
}

function header(id: string, at: string = "1"): string {
  return `commit:${id}\x00${at}\x00p\x00a@x\x00Ana\x00`;
}

function seconds(date: string): number {
  return Date.parse(date) / 1000;
}

async function* chunked(text: string | Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

async function* from<T>(rows: readonly T[]): AsyncGenerator<T> {
  yield* rows;
}

async function all<T>(rows: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const row of rows) list.push(row);
  return list;
}

function screen(isTTY: boolean): { isTTY: boolean; columns: number; shown: string[]; write: (text: string) => void } {
  const shown: string[] = [];
  return { isTTY, columns: 80, shown, write: (text) => void shown.push(text) };
}
