/**
 * Takes the pictures of the pages that the README and docs/inspector.md show: `deno run -A tests/inspector/pictures.ts`,
 * with a folder to put them somewhere else than into `pictures/`.
 *
 * @module
 */
import { join } from "node:path";
import process from "node:process";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { createInspector } from "../../lib/inspector/mod.ts";
import { openSqliteStore } from "../../lib/store/sqlite/store.ts";
import { tempDir } from "../temp_dir.ts";
import { openBrowser } from "./browser.ts";
import { openScene } from "./scene.ts";
import { serve } from "./server.ts";

const folder = process.argv[2] ?? fileURLToPath(new URL("../../pictures", import.meta.url));
const SCHEMES = ["light", "dark"] as const;
const SIZES = [{ width: 1_400, height: 1_000 }, { width: 400, height: 1_000 }] as const;

using dir = tempDir();
const path = join(dir.path, "app.db");
await (await openSqliteStore(path)).close();
fillLastDay(path);
await using scene = await openScene({ paceMs: 80, isTidy: true, url: `sqlite://${path}` });
for (let i = 0; i < 3; i++) await scene.another();
await using server = await serve(createInspector(scene.runner).fetch);
await using browser = await openBrowser();

const { runs } = scene;
await take("run-light", `/runs/${runs.done}`, { colorScheme: "light", width: 1_200, height: 960 });
await take("run-dark", `/runs/${runs.done}`, { colorScheme: "dark", width: 1_200, height: 960 });
await take("runs", "/runs", { colorScheme: "light", width: 1_200, height: 760 });
const pages = { overview: "/overview", failed: `/runs/${runs.failed}`, list: "/runs?state=failed&error=network" };
for (const [name, path] of Object.entries(pages)) {
  for (const colorScheme of SCHEMES) {
    for (const size of SIZES) await take(`${name}-${size.width}-${colorScheme}`, path, { colorScheme, ...size });
  }
}

interface Shot {
  readonly colorScheme: "light" | "dark";
  readonly width: number;
  readonly height: number;
}

async function take(name: string, path: string, { colorScheme, width, height }: Shot): Promise<void> {
  const page = await browser.newPage({ colorScheme, viewport: { width, height } });
  await page.goto(`${server.url}${path}`);
  // The folder is another one on each machine.
  await page.evaluate("document.querySelector('#footer code').textContent = 'sqlite://./app.db'");
  await page.screenshot({ path: `${folder}/${name}.png` });
  await page.close();
}

/** Some thousand runs that ended in the last day: more by day than by night, and a bank that was down for a while. */
function fillLastDay(path: string): void {
  const database = new DatabaseSync(path);
  const insert = database.prepare(`
    insert into runs (epoch, state, id, workflow, version, tags, priority, due_at, created_at, input, started_at, ended_at, error)
    values (1, ?, ?, ?, 'v', '[]', 0, 1, ?, 'null', ?, ?, ?)`);
  const MINUTE = 60_000;
  const now = Date.now();
  let n = 0;
  database.exec("begin");
  for (let minute = 24 * 60; minute > 1; minute--) {
    const count = Math.round(4 + 3 * Math.sin(minute / 180) + 2 * Math.sin(minute / 7));
    for (let i = 0; i < count; i++) {
      const at = now - minute * MINUTE + i * 5_000;
      const isDown = minute > 20 && minute < 45 && i % 2 === 0;
      const isOdd = n % 211 === 0;
      const message = isDown ? "connect ECONNREFUSED 10.0.0.7:443" : "no address of the customer";
      const error = isDown || isOdd ? JSON.stringify({ name: isDown ? "TypeError" : "Error", message }) : null;
      const id = `0190a000-0000-7000-8000-${(++n).toString(16).padStart(12, "0")}`;
      insert.run(error === null ? "completed" : "failed", id, isDown ? "payout" : "order", at, at, at + 900, error);
    }
  }
  database.exec("commit");
  database.close();
}
