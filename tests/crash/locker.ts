/**
 * A process that lets nobody write runs, for the crash tests: `locker.ts <place> 3000` holds SQLite's write lock, or the
 * table on Postgres, for three seconds and says when it is `locked` and `unlocked`.
 *
 * @module
 */
import process from "node:process";
import { isPostgres, type Place, readPlace } from "../place.ts";

const [json, ms] = process.argv.slice(2);
const place: Place = JSON.parse(json!);
const database = readPlace(place);
for (const sql of isPostgres(place) ? ["begin", "lock table runs in exclusive mode"] : ["begin immediate"]) {
  await database.query(sql);
}
console.log("locked");
await new Promise((resolve) => setTimeout(resolve, Number(ms)));
await database.query("commit");
console.log("unlocked");
await database.close();
