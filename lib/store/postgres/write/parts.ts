import type { Batch, NewRun, RunWrite } from "../../port/batch.ts";

// Larger statements are no faster, and the server holds several copies of a statement while it parses it.
const MOST_CHARACTERS = 16 * 1024 * 1024;

/**
 * Splits a batch into as few parts as possible: no part exceeds the payload limit, unless a single run does, and no
 * part contains two writes of the same run, of which the second must see the first.
 */
export function split({ starts, writes }: Batch): readonly Batch[] {
  const parts: { starts: NewRun[]; writes: RunWrite[] }[] = [];
  const seqs = new Set<number>();
  let size = 0;
  for (const run of starts) {
    room(sizeOfStart(run)).starts.push(run);
  }
  for (const write of writes) {
    if (seqs.has(write.seq)) size = Infinity;
    room(sizeOfWrite(write)).writes.push(write);
    seqs.add(write.seq);
  }
  return parts;

  function room(more: number): { starts: NewRun[]; writes: RunWrite[] } {
    const current = parts.at(-1);
    if (current !== undefined && size + more <= MOST_CHARACTERS) {
      size += more;
      return current;
    }
    const next = { starts: [], writes: [] };
    parts.push(next);
    seqs.clear();
    size = more;
    return next;
  }
}

/** Returns the two halves of a batch. */
export function halves({ starts, writes }: Batch): readonly [Batch, Batch] {
  const at = Math.ceil((starts.length + writes.length) / 2);
  const inWrites = Math.max(0, at - starts.length);
  return [
    { starts: starts.slice(0, at), writes: writes.slice(0, inWrites) },
    { starts: starts.slice(at), writes: writes.slice(inWrites) },
  ];
}

function sizeOfStart({ input, fork }: NewRun): number {
  let size = input?.length ?? 0;
  for (const { output } of fork?.journal ?? []) size += output?.length ?? 0;
  return size;
}

function sizeOfWrite({ records, move, children = [] }: RunWrite): number {
  let size = move?.to === "failed" ? move.error.stack?.length ?? 0 : 0;
  for (const child of children) size += sizeOfStart(child);
  for (const { output, input } of records) size += (output?.length ?? 0) + (input?.length ?? 0);
  return size;
}
