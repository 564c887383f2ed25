/** The tasks of the pipeline that read and write files, before and after the analyses. */
import { randomUUID } from "node:crypto";
import { rename, rm, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { NonRetryableError, type TaskContext } from "../../mod.ts";
import { tally, type Totals, toTree, type Tree } from "./analyses.ts";
import { countCommits, GitError, readLog, readTree } from "./git.ts";
import { type Commit, parseLog, parseTree, type PresentFile } from "./log.ts";
import { type Findings, toMarkdown } from "./report.ts";
import { readRows, spoolFile, writeRows } from "./spool.ts";

/** The input of a run. */
export interface ReportInput {
  /** The repository. */
  readonly path: string;
  /** Its name. */
  readonly name: string;
  /** The newest commit of the report: a resumed run continues with the one it began with. */
  readonly head: string;
  /** Whether the repository contains only the newest part of its history. */
  readonly shallow: boolean;
  /** The folder for the spool files of this repository. */
  readonly spools: string;
  /** The path of the report. */
  readonly out: string;
  /** The minimum duration of each analysis. */
  readonly slowMs: number;
}

/** The output of the history task: the spool file of the commits, and their totals. */
export interface History extends Totals {
  /** The repository's name. */
  readonly name: string;
  /** The commit it was read from. */
  readonly head: string;
  /** Whether older commits are missing. */
  readonly shallow: boolean;
  /** The spool file. */
  readonly file: string;
}

/** The output of the tree task: the spool file of the current files. */
export interface TreeList {
  /** The spool file. */
  readonly file: string;
  /** How many files there are. */
  readonly files: number;
}

interface Reader {
  readonly input: ReportInput;
  readonly ctx: TaskContext;
}

/** Reads the log into a spool file. */
export async function writeHistory({ input, ctx }: Reader): Promise<History> {
  const { path, name, head, shallow, spools } = input;
  const file = spoolFile(spools, ctx.runId, "history");
  return await withGit(async () => {
    const total = await countCommits(path, head);
    const { commits, totals } = tally(parseLog(readLog(path, head, ctx.signal)));
    await writeRows(file, reporting(commits, total, ctx));
    return { name, head, shallow, file, ...totals() };
  });
}

/** Reads the list of current files into a spool file. */
export async function writeTree({ input, ctx }: Reader): Promise<TreeList> {
  const file = spoolFile(input.spools, ctx.runId, "tree");
  let files = 0;
  return await withGit(async () => {
    await writeRows(file, counting(parseTree(readTree(input.path, input.head, ctx.signal))));
    return { file, files };
  });

  async function* counting(rows: AsyncIterable<PresentFile>): AsyncGenerator<PresentFile> {
    for await (const row of rows) {
      files++;
      yield row;
    }
  }
}

/** Streams the spooled commits, newest first; reports progress, and slows down if configured. */
export async function* commitsOf(
  { history, input, ctx }: Reader & { readonly history: History },
): AsyncGenerator<Commit> {
  const commits = reporting(readRows<Commit>(history.file), history.commits, ctx);
  const pauses = Math.min(history.commits, 20);
  let read = 0;
  let paused = 0;
  for await (const commit of commits) {
    yield commit;
    read++;
    if (input.slowMs === 0 || read / history.commits < (paused + 1) / pauses) continue;
    paused++;
    await sleep(input.slowMs / pauses, undefined, { signal: ctx.signal });
  }
}

/** Reads the spooled list of current files. */
export function treeOf({ tree }: { readonly tree: TreeList }): Promise<Tree> {
  return toTree(readRows<PresentFile>(tree.file));
}

/** Writes the report completely or not at all; repeating it writes the same report. */
export async function writeReport(
  { input, ...findings }: Findings & Pick<Reader, "input">,
): Promise<{ readonly file: string }> {
  const draft = `${input.out}.${randomUUID()}.tmp`;
  try {
    await writeFile(draft, toMarkdown(findings));
    await rename(draft, input.out);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  return { file: input.out };
}

async function* reporting(commits: AsyncIterable<Commit>, total: number, ctx: TaskContext): AsyncGenerator<Commit> {
  const step = Math.max(Math.floor(total / 20), 1);
  let done = 0;
  for await (const commit of commits) {
    yield commit;
    if (++done % step !== 0) continue;
    ctx.signal.throwIfAborted();
    ctx.progress(done, total);
  }
}

/** Makes errors of git permanent, because a repetition would fail again. */
async function withGit<Output>(read: () => Promise<Output>): Promise<Output> {
  try {
    return await read();
  } catch (error) {
    throw error instanceof GitError ? new NonRetryableError(error.message, { cause: error }) : error;
  }
}
