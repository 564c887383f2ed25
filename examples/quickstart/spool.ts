/**
 * Files of JSON lines for what is too large to be a task's output: outputs are journaled and limited to 1 MiB, the
 * history of 10,000 commits is several. The task that writes one returns its name; what comes after streams it.
 */
import { randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";

// Large enough for few system calls, small enough for the event loop to breathe between two writes.
const BLOCK = 256 * 1024;

/** Writes all rows, or no file: it gets its name when it is complete, so that a crash cannot leave half of one. */
export async function writeRows(file: string, rows: AsyncIterable<unknown>): Promise<void> {
  const draft = `${file}.${randomUUID()}.tmp`;
  const out = await open(draft, "w");
  try {
    let block = "";
    for await (const row of rows) {
      block += JSON.stringify(row) + "\n";
      if (block.length < BLOCK) continue;
      await out.writeFile(block);
      block = "";
    }
    await out.writeFile(block);
    await out.sync();
  } catch (error) {
    await out.close();
    await rm(draft, { force: true });
    throw error;
  }
  await out.close();
  await rename(draft, file);
}

/** Reads the rows back, a block at a time. */
export async function* readRows<Row>(file: string): AsyncGenerator<Row> {
  let rest = "";
  for await (const block of createReadStream(file, { encoding: "utf8", highWaterMark: BLOCK })) {
    const lines = (rest + block).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) yield JSON.parse(line) as Row;
  }
}

/** Deletes spool files, and drafts that a crash left, of all runs but those that `isNeeded`. */
export async function sweep(
  directory: string,
  isNeeded: (runs: readonly string[]) => Promise<ReadonlySet<string>>,
): Promise<void> {
  const spools = (await readdir(directory)).flatMap((name) => {
    const run = SPOOL.exec(name)?.[1];
    return run === undefined ? [] : [{ name, run }];
  });
  if (spools.length === 0) return;
  const needed = await isNeeded(spools.map(({ run }) => run));
  for (const { name, run } of spools) if (!needed.has(run)) await rm(join(directory, name), { force: true });
}

/** Where a run keeps rows. */
export function spoolFile(directory: string, run: string, what: "history" | "tree"): string {
  return join(directory, `${run}.${what}.jsonl`);
}

const SPOOL = /^(.+)\.(?:history|tree)\.jsonl(?:\..+\.tmp)?$/;
