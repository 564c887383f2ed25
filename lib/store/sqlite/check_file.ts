import { all, type Op } from "../sql/operation.ts";
import { raw, sql } from "../sql/statement.ts";

/** The most sentences about damage that SQLite finds. */
const MOST_SENTENCES = 20;

/** Reads what is wrong with a file, or with its settings: SQLite reads all of it, in the thread of the caller. */
export function* checkFile(): Op<readonly string[]> {
  const problems: string[] = [];
  const [mode] = yield* all(sql`pragma journal_mode`);
  const journal = String(mode?.["journal_mode"]);
  if (journal !== "wal" && journal !== "memory") {
    problems.push(
      `The journal mode of the file is "${journal}" and not "wal": readers and writers wait for each other.`,
    );
  }
  for (const row of yield* all(raw(`pragma integrity_check(${MOST_SENTENCES})`))) {
    const sentence = String(row["integrity_check"]);
    if (sentence !== "ok") problems.push(`SQLite finds damage: ${sentence}.`);
  }
  return problems;
}
