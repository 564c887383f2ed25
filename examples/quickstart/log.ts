/**
 * Parses the history of a repository, as printed by `git log -z --numstat`, into commits.
 *
 * Each token is between two NUL bytes. A commit is five tokens (`commit:` and its id, time, parents, e-mail, name),
 * then one token for each changed file (`added TAB deleted TAB path`), the first of them after a line feed. For a renamed
 * file the path is empty and two more tokens follow: its old and its new name. No quoting, so names may be anything.
 */
import { Buffer } from "node:buffer";

/** The change of one file by one commit. */
export interface Change {
  /** The current name of the file, if it was renamed later. */
  readonly path: string;
  /** Added lines; 0 for a binary file. */
  readonly added: number;
  /** Deleted lines; 0 for a binary file. */
  readonly deleted: number;
}

/** A commit. */
export interface Commit {
  /** Its id. */
  readonly id: string;
  /** Its time, in seconds since 1970. */
  readonly at: number;
  /** Its author, after `.mailmap`. */
  readonly author: string;
  /** Whether it is a merge. Git lists no changes for merges. */
  readonly merge: boolean;
  /** Its changes. */
  readonly changes: readonly Change[];
}

/** The format for `git log -z --numstat`. */
export const LOG_FORMAT = "commit:%H%x00%at%x00%P%x00%aE%x00%aN";

// 9999-12-31: commits of broken tools may have any date, and later years would not sort as text.
const LATEST = 253_402_300_799;

/** Parses a log with children before their parents, as with `--date-order`, so that renames can be followed. */
export async function* parseLog(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Commit> {
  const tokens = splitTokens(chunks);
  const rename = followRenames();
  let commit: (Omit<Commit, "changes"> & { readonly changes: RawChange[] }) | undefined;
  for await (const token of tokens) {
    if (token.startsWith("commit:")) {
      if (commit) yield { ...commit, changes: rename(commit.changes) };
      const [at, parents, email, name] = [await next(), await next(), await next(), await next()];
      commit = {
        id: token.slice("commit:".length),
        at: Math.min(Math.max(Number(at) || 0, 0), LATEST),
        author: name.trim() || email.trim() || "(no name)",
        merge: parents.includes(" "),
        changes: [],
      };
      continue;
    }
    const change = NUMSTAT.exec(token);
    if (!commit || !change) throw new Error(`Cannot read the log: git printed ${JSON.stringify(token.slice(0, 80))}`);
    const [added, deleted, path] = [toCount(change[1]), toCount(change[2]), change[3] ?? ""];
    if (path !== "") commit.changes.push({ path, added, deleted });
    else commit.changes.push({ from: await next(), path: await next(), added, deleted });
  }
  if (commit) yield { ...commit, changes: rename(commit.changes) };

  async function next(): Promise<string> {
    const token = await tokens.next();
    if (token.done) throw new Error("Cannot read the log: it ended in the middle of a commit");
    return token.value;
  }
}

/** A current file. */
export interface PresentFile {
  /** Its name. */
  readonly path: string;
  /** How many lines it has; 0 for a binary file. */
  readonly lines: number;
}

/** Parses `git diff-tree -r -z --numstat` against the empty tree: every current file with its number of lines. */
export async function* parseTree(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<PresentFile> {
  for await (const token of splitTokens(chunks)) {
    const [, added, , path] = NUMSTAT.exec(token) ?? [];
    if (!path) throw new Error(`Cannot read the files: git printed ${JSON.stringify(token.slice(0, 80))}`);
    yield { path, lines: toCount(added) };
  }
}

const NUMSTAT = /^\n?(\d+|-)\t(\d+|-)\t(.*)$/s;

interface RawChange extends Change {
  /** Its name before this commit, if this commit renamed it. */
  readonly from?: string;
}

function toCount(text: string | undefined): number {
  return text === "-" ? 0 : Number(text);
}

/** Sets the file of each change to its current name. Commits must be passed newest first. */
function followRenames(): (changes: readonly RawChange[]) => Change[] {
  const today = new Map<string, string>();
  return (changes) => {
    const followed = changes.map(({ from, path, added, deleted }) => (
      { from, before: path, change: { path: today.get(path) ?? path, added, deleted } }
    ));
    // Two passes, because a commit may swap names: all new names cease to exist before any old one begins.
    for (const { from, before } of followed) if (from !== undefined) today.delete(before);
    for (const { from, change } of followed) if (from !== undefined) today.set(from, change.path);
    return followed.map(({ change }) => change);
  };
}

async function* splitTokens(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string, undefined> {
  let pending: Uint8Array[] = [];
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(0); end !== -1; end = chunk.indexOf(0, start)) {
      const tail = chunk.subarray(start, end);
      yield decode(pending.length === 0 ? tail : Buffer.concat([...pending, tail]));
      pending = [];
      start = end + 1;
    }
    if (start < chunk.length) pending.push(chunk.subarray(start));
  }
  if (pending.length > 0) yield decode(Buffer.concat(pending));
  return undefined;
}

// Invalid UTF-8 in a name is shown as \xNN, so that two such names stay different.
function decode(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
  if (!text.includes("\uFFFD")) return text;
  return Array.from(bytes, (byte) => byte < 0x80 ? String.fromCharCode(byte) : `\\x${byte.toString(16)}`).join("");
}
