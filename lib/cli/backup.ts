import { backUp } from "../store/open.ts";
import type { Command } from "./call.ts";
import { UsageError } from "./usage.ts";

/** Copies a SQLite file. */
export const backup: Command = {
  name: "backup",
  summary: "Copies a SQLite database consistently, while it is in use",
  args: ["store", "file"],
  options: {},
  notes: "The new file must not exist. A copy by other means, such as cp, can miss commits or be damaged. For a\n" +
    "Postgres database use pg_dump.",
  async execute({ args: { store = "", file = "" }, values: { schema }, flags, terminal }) {
    if (schema !== undefined) throw new UsageError("--schema is for Postgres; use pg_dump for a Postgres database");
    await backUp(store, file);
    terminal.print(flags.has("json") ? JSON.stringify({ file }) : `Copied into "${file}".`);
    return 0;
  },
};
