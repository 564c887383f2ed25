/**
 * Files of JSON lines for data that is too large for the output of a task: outputs are stored in the journal and
 * limited to 1 MiB, and the history of 10,000 commits takes several. A task writes a file and returns its name; later
 * tasks stream it.
 */
import { randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";

// Large enough for few system calls, small enough not to block the event loop between two writes.
const BLOCK = 256 * 1024;

/** Writes a complete file or none: it is renamed when it is complete, so that a crash cannot leave a partial file. */
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

/** Reads the rows, one block at a time. */
export async function* readRows<Row>(file: string): AsyncGenerator<Row> {
  let rest = "";
  for await (const block of createReadStream(file, { encoding: "utf8", highWaterMark: BLOCK })) {
    const lines = (rest + block).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) yield JSON.parse(line) as Row;
  }
}

/** Deletes spool files, and drafts that a crash left behind, of all runs except those for which `isNeeded` is true. */
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

/** Returns the path of the rows of a run. */
export function spoolFile(directory: string, run: string, what: "history" | "tree"): string {
  return join(directory, `${run}.${what}.jsonl`);
}

const SPOOL = /^(.+)\.(?:history|tree)\.jsonl(?:\..+\.tmp)?$/;
