import type { SettingsCheck } from "../sql/dialect.ts";
import { raw } from "../sql/statement.ts";

/** The most sentences about damage that SQLite finds. */
const MOST_SENTENCES = 20;

/** Checks of a file: SQLite reads all of it, in the thread of the caller. */
export const FILE_CHECKS: readonly SettingsCheck[] = [
  {
    query: raw("pragma journal_mode"),
    problems: ([row]) =>
      ["wal", "memory"].includes(String(row?.["journal_mode"])) ? [] : [
        `The journal mode of the file is "${
          row?.["journal_mode"]
        }" and not "wal": readers and writers wait for each other.`,
      ],
  },
  {
    query: raw(`pragma integrity_check(${MOST_SENTENCES})`),
    problems: (rows) =>
      rows.map((row) => String(row["integrity_check"]))
        .filter((sentence) => sentence !== "ok")
        .map((sentence) => `SQLite reports damage: ${sentence}.`),
  },
];
