/**
 * Takes the pictures of the pages that the README shows: `deno run -A tests/inspector/pictures.ts`, with a folder to
 * put them somewhere else than into `pictures/`.
 *
 * @module
 */
import process from "node:process";
import { fileURLToPath } from "node:url";
import { createInspector } from "../../lib/inspector/mod.ts";
import { openBrowser } from "./browser.ts";
import { openScene } from "./scene.ts";
import { serve } from "./server.ts";

const folder = process.argv[2] ?? fileURLToPath(new URL("../../pictures", import.meta.url));

await using scene = await openScene({ paceMs: 80, isTidy: true });
for (let i = 0; i < 3; i++) await scene.another();
await using server = await serve(createInspector(scene.runner).fetch);
await using browser = await openBrowser();

const { runs } = scene;
await take("run-light", `/runs/${runs.done}`, { colorScheme: "light", width: 1_200, height: 960 });
await take("run-dark", `/runs/${runs.done}`, { colorScheme: "dark", width: 1_200, height: 960 });
await take("runs", "/runs", { colorScheme: "light", width: 1_200, height: 760 });

interface Shot {
  readonly colorScheme: "light" | "dark";
  readonly width: number;
  readonly height: number;
}

async function take(name: string, path: string, { colorScheme, width, height }: Shot): Promise<void> {
  const page = await browser.newPage({ colorScheme, viewport: { width, height } });
  await page.goto(`${server.url}${path}`);
  await page.screenshot({ path: `${folder}/${name}.png` });
  await page.close();
}
