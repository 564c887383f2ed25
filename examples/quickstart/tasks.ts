/** What the tasks of the pipeline do with files, around the analyses. */
import { randomUUID } from "node:crypto";
import { rename, rm, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { NonRetryableError, type TaskContext } from "../../mod.ts";
import { tally, type Totals, toTree, type Tree } from "./analyses.ts";
import { countCommits, GitError, readLog, readTree } from "./git.ts";
import { type Commit, parseLog, parseTree, type PresentFile } from "./log.ts";
import { type Findings, toMarkdown } from "./report.ts";
import { readRows, spoolFile, writeRows } from "./spool.ts";

/** What a run is about. */
export interface ReportInput {
  /** The repository. */
  readonly path: string;
  /** Its name. */
  readonly name: string;
  /** The newest commit of the report: a resumed run continues with the one it began with. */
  readonly head: string;
  /** Whether the repository holds only the newest part of its history. */
  readonly shallow: boolean;
  /** Where this repository's spool files go. */
  readonly spools: string;
  /** Where the report goes. */
  readonly out: string;
  /** How long each analysis takes at least. */
  readonly slowMs: number;
}

/** The history task's output: where the commits are, and what they add up to. */
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

/** The tree task's output: where the list of present files is. */
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

/** Reads the list of present files into a spool file. */
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

/** The spooled commits, newest first; says how far it has come, and takes its time if it was asked to. */
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

/** The spooled list of present files. */
export function treeOf({ tree }: { readonly tree: TreeList }): Promise<Tree> {
  return toTree(readRows<PresentFile>(tree.file));
}

/** Writes the report: all of it or nothing, and the same again if it is run again. */
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

/** What git refuses once it will refuse again. */
async function withGit<Output>(read: () => Promise<Output>): Promise<Output> {
  try {
    return await read();
  } catch (error) {
    throw error instanceof GitError ? new NonRetryableError(error.message, { cause: error }) : error;
  }
}
