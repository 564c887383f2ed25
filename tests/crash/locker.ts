/**
 * A process that holds SQLite's write lock, for the crash tests: `locker.ts app.db 3000` holds it for three seconds and
 * says when it is `locked` and `unlocked`.
 *
 * @module
 */
import process from "node:process";
import { DatabaseSync } from "node:sqlite";

const [path, ms] = process.argv.slice(2);
const database = new DatabaseSync(path!, { timeout: 5_000 });
database.exec("begin immediate");
console.log("locked");
await new Promise((resolve) => setTimeout(resolve, Number(ms)));
database.exec("commit");
console.log("unlocked");
database.close();
