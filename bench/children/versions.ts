/** Prints the versions of the runtime and of the SQLite in it. */
import process from "node:process";
import { openConnection } from "../../lib/store/sqlite/driver.ts";

const database = await openConnection(":memory:");
const sqlite = database.prepare("select sqlite_version() as version").get()?.["version"];
database.close();
const { deno, bun } = process.versions as Record<string, string | undefined>;
console.log(JSON.stringify({ deno, bun, sqlite }));
