/** The analyses, which turn commits into small results. They stream, so that memory is needed only for their counts. */
import type { Commit, PresentFile } from "./log.ts";

/** Commits from any source, newest first. */
export type Commits = AsyncIterable<Commit> | Iterable<Commit>;

/** Current files by name, with their number of lines. */
export type Tree = ReadonlyMap<string, number>;

/** The maximum number of rows of a result; the totals count everything. */
export const MOST = 50;

/** Totals of the whole history. */
export interface Totals {
  /** Commits, merges included. */
  readonly commits: number;
  /** Commits that join branches. */
  readonly merges: number;
  /** Lines added. */
  readonly added: number;
  /** Lines deleted. */
  readonly deleted: number;
  /** The earliest commit, in seconds since 1970. */
  readonly first: number;
  /** The latest commit, in seconds since 1970. */
  readonly last: number;
}

/** Adds up totals of a stream of commits that it passes through; `totals()` is complete when the stream has ended. */
export function tally(commits: Commits): { readonly commits: AsyncIterable<Commit>; readonly totals: () => Totals } {
  const sums = { commits: 0, merges: 0, added: 0, deleted: 0, first: Infinity, last: -Infinity };
  return { commits: passing(), totals: () => ({ ...sums }) };

  async function* passing(): AsyncGenerator<Commit> {
    for await (const commit of commits) {
      const { added, deleted } = linesOf(commit);
      sums.commits++;
      sums.merges += Number(commit.merge);
      sums.added += added;
      sums.deleted += deleted;
      sums.first = Math.min(sums.first, commit.at);
      sums.last = Math.max(sums.last, commit.at);
      yield commit;
    }
  }
}

/** The contributions of one person. */
export interface Author {
  /** Their name, after `.mailmap`. */
  readonly name: string;
  /** Commits, merges included. */
  readonly commits: number;
  /** Lines added. */
  readonly added: number;
  /** Lines deleted. */
  readonly deleted: number;
  /** Their earliest commit, in seconds since 1970. */
  readonly first: number;
  /** Their latest commit, in seconds since 1970. */
  readonly last: number;
}

/** Authors: all are counted, and those with the most commits are listed. */
export async function countAuthors(commits: Commits): Promise<{ readonly count: number; readonly top: Author[] }> {
  const authors = new Map<string, Mutable<Author>>();
  for await (const commit of commits) {
    const { added, deleted } = linesOf(commit);
    const author = entry(authors, commit.author, (name) => (
      { name, commits: 0, added: 0, deleted: 0, first: commit.at, last: commit.at }
    ));
    author.commits++;
    author.added += added;
    author.deleted += deleted;
    author.first = Math.min(author.first, commit.at);
    author.last = Math.max(author.last, commit.at);
  }
  return { count: authors.size, top: most(authors.values(), ({ commits }) => commits, ({ name }) => name) };
}

/** The activity of one month. */
export interface Month {
  /** The month in UTC, such as `"2026-11"`. */
  readonly month: string;
  /** Commits, merges included. */
  readonly commits: number;
  /** The number of authors. */
  readonly authors: number;
  /** Lines added. */
  readonly added: number;
  /** Lines deleted. */
  readonly deleted: number;
}

// A hundred years: only broken clocks produce more months.
const MONTHS = 1200;

/** Activity over time: the months with commits, earliest first, at most the latest 1200. */
export async function countMonths(commits: Commits): Promise<Month[]> {
  const months = new Map<string, { commits: number; authors: Set<string>; added: number; deleted: number }>();
  for await (const commit of commits) {
    const { added, deleted } = linesOf(commit);
    const month = entry(months, new Date(commit.at * 1000).toISOString().slice(0, 7), () => (
      { commits: 0, authors: new Set<string>(), added: 0, deleted: 0 }
    ));
    month.commits++;
    month.authors.add(commit.author);
    month.added += added;
    month.deleted += deleted;
  }
  return [...months]
    .sort(([a], [b]) => a < b ? -1 : 1)
    .slice(-MONTHS)
    .map(([month, { commits, authors, added, deleted }]) => ({
      month,
      commits,
      authors: authors.size,
      added,
      deleted,
    }));
}

/** The changes of one file. */
export interface HotFile {
  /** Its current or last name. */
  readonly path: string;
  /** Commits that changed it. */
  readonly commits: number;
  /** The number of people who changed it. */
  readonly authors: number;
  /** Lines added and deleted, together. */
  readonly lines: number;
  /** Whether it still exists. */
  readonly present: boolean;
}

/** Hot spots: all files that ever existed are counted, and the most frequently changed are listed. */
export async function countFiles(
  commits: Commits,
  tree: Tree,
): Promise<{ readonly count: number; readonly top: HotFile[] }> {
  const files = new Map<string, { commits: number; authors: Set<string>; lines: number }>();
  for await (const { author, changes } of commits) {
    for (const { path, added, deleted } of changes) {
      const file = entry(files, path, () => ({ commits: 0, authors: new Set<string>(), lines: 0 }));
      file.commits++;
      file.authors.add(author);
      file.lines += added + deleted;
    }
  }
  const hottest = most(files, ([, { commits }]) => commits, ([path]) => path);
  const top = hottest.map(([path, { commits, authors, lines }]) => (
    { path, commits, authors: authors.size, lines, present: tree.has(path) }
  ));
  return { count: files.size, top };
}

/** How often one file was rewritten. */
export interface Rework {
  /** Its name. */
  readonly path: string;
  /** Lines it has. */
  readonly lines: number;
  /** Lines that were ever added to it or deleted from it. */
  readonly churn: number;
  /** `churn` per line: 1 for a file that was never changed. */
  readonly factor: number;
}

/** Rewritten code: current files by churn per line. */
export async function measureChurn(
  commits: Commits,
  tree: Tree,
): Promise<{ readonly churn: number; readonly lines: number; readonly top: Rework[] }> {
  const files = new Map<string, { churn: number; deleted: number }>();
  for await (const { changes } of commits) {
    for (const { path, added, deleted } of changes) {
      if (!tree.get(path)) continue;
      const file = entry(files, path, () => ({ churn: 0, deleted: 0 }));
      file.churn += added + deleted;
      file.deleted += deleted;
    }
  }
  const measured = [...files].map(([path, { churn, deleted }]) => {
    const lines = tree.get(path) ?? 0;
    return { path, lines, churn, deleted, factor: round(churn / lines, 10) };
  });
  // Any change rewrites a file of three lines, which means nothing.
  const worth = measured.filter(({ lines, deleted }) => lines >= 10 && deleted > 0);
  return {
    churn: sum(measured.map(({ churn }) => churn)),
    lines: sum(tree.values()),
    top: most(worth, ({ factor }) => factor, ({ path }) => path).map(({ deleted: _, ...file }) => file),
  };
}

/** Knowledge of a part of the code, estimated from written lines. */
export interface Ownership {
  /** The directory, at most two levels deep, or the file. */
  readonly path: string;
  /** Lines it has. */
  readonly lines: number;
  /** The owner: the author of most of the lines that were ever added to it. */
  readonly owner: string;
  /** The share of the owner in these lines, from 0 to 1. */
  readonly share: number;
  /** The number of authors. */
  readonly authors: number;
  /** The smallest number of people who together wrote more than half of the commits ("bus factor"). */
  readonly busFactor: number;
}

/** Ownership of the whole, its directories and its largest files; only current files are counted. */
export async function findOwners(commits: Commits, tree: Tree): Promise<{
  readonly busFactor: number;
  readonly single: number;
  readonly directories: Ownership[];
  readonly files: Ownership[];
}> {
  const written = new Map<string, Map<string, number>>();
  for await (const { author, changes } of commits) {
    for (const { path, added } of changes) {
      if (added > 0 && tree.has(path)) add(entry(written, path, () => new Map()), author, added);
    }
  }
  const whole = new Map<string, number>();
  const directories = new Map<string, { lines: number; writers: Map<string, number> }>();
  for (const [path, writers] of written) {
    const directory = entry(directories, directoryOf(path), () => ({ lines: 0, writers: new Map() }));
    directory.lines += tree.get(path) ?? 0;
    for (const [author, lines] of writers) {
      add(whole, author, lines);
      add(directory.writers, author, lines);
    }
  }
  const largest = most(written, ([path]) => tree.get(path) ?? 0, ([path]) => path);
  const widest = most(directories, ([, { lines }]) => lines, ([path]) => path);
  return {
    busFactor: busFactor(whole),
    single: [...written.values()].filter((writers) => writers.size === 1).length,
    directories: widest.map(([path, { lines, writers }]) => ownership(path, lines, writers)),
    files: largest.map(([path, writers]) => ownership(path, tree.get(path) ?? 0, writers)),
  };
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

function linesOf({ changes }: Commit): { readonly added: number; readonly deleted: number } {
  return { added: sum(changes.map((change) => change.added)), deleted: sum(changes.map((change) => change.deleted)) };
}

function ownership(path: string, lines: number, writers: ReadonlyMap<string, number>): Ownership {
  const [[owner, most] = ["", 0]] = ranked(writers);
  const share = round(most / sum(writers.values()), 1000);
  return { path, lines, owner, share, authors: writers.size, busFactor: busFactor(writers) };
}

function busFactor(writers: ReadonlyMap<string, number>): number {
  const half = sum(writers.values()) / 2;
  let covered = 0;
  return ranked(writers).findIndex(([, lines]) => (covered += lines) > half) + 1;
}

function ranked(writers: ReadonlyMap<string, number>): [string, number][] {
  return [...writers].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
}

function directoryOf(path: string): string {
  const parts = path.split("/");
  return parts.length === 1 ? "." : parts.slice(0, Math.min(parts.length - 1, 2)).join("/");
}

/** Returns the largest entries, equal ones by name, so that the result does not depend on the order of reading. */
function most<T>(rows: Iterable<T>, size: (row: T) => number, name: (row: T) => string): T[] {
  return [...rows].sort((a, b) => size(b) - size(a) || (name(a) < name(b) ? -1 : 1)).slice(0, MOST);
}

function entry<Value>(map: Map<string, Value>, key: string, initial: (key: string) => Value): Value {
  let value = map.get(key);
  if (value === undefined) map.set(key, value = initial(key));
  return value;
}

function add(map: Map<string, number>, key: string, amount: number): void {
  map.set(key, (map.get(key) ?? 0) + amount);
}

function sum(numbers: Iterable<number>): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}

function round(value: number, steps: number): number {
  return Math.round(value * steps) / steps;
}

/** A tree for looking up files. */
export async function toTree(files: AsyncIterable<PresentFile>): Promise<Tree> {
  const tree = new Map<string, number>();
  for await (const { path, lines } of files) tree.set(path, lines);
  return tree;
}
