/**
 * A process for the crash tests that blocks writes of runs: `locker.ts <place> 3000` holds SQLite's write lock, or
 * locks the table on Postgres, for three seconds. It prints `locked <time>`, and `unlocking <time>` just before it
 * releases the lock.
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
console.log(`locked ${Date.now()}`);
await new Promise((resolve) => setTimeout(resolve, Number(ms)));
console.log(`unlocking ${Date.now()}`);
await database.query("commit");
await database.close();
