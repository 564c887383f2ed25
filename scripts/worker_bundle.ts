/**
 * Builds the engine for workers as one file of JavaScript, which needs Deno and nothing else: the drivers of both databases
 * and the parser of cron expressions are part of it. `deno task worker:bundle [FILE]` writes it to
 * `python/src/sluice/_engine/engine.js` unless another file is named.
 *
 * @module
 */
import { mkdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { execFileSync } from "node:child_process";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
const DEFAULT_FILE = join(ROOT, "python/src/sluice/_engine/engine.js");

/** The modules that the file may import: those of the runtime. */
const OF_RUNTIME = /^(node|bun):/;

/**
 * Writes the bundle to a file, equal for equal sources and packages.
 *
 * @throws {Error} If it cannot be built, or imports something that is not part of Deno.
 */
export function bundleWorker(file: string): void {
  mkdirSync(dirname(file), { recursive: true });
  const options = ["--quiet", "--no-check", "--platform=deno", "--packages=bundle", `--output=${file}`];
  execFileSync("deno", ["bundle", ...options, join(ROOT, "lib/worker/mod.ts")], { cwd: ROOT, stdio: "inherit" });
  const outside = importsOf(readFileSync(file, "utf8")).filter((name) => !OF_RUNTIME.test(name));
  if (outside.length > 0) throw new Error(`Cannot bundle the engine: the bundle still imports ${outside.join(", ")}`);
}

/** Returns the modules that a bundle imports, statically or dynamically. */
function importsOf(text: string): readonly string[] {
  const found = text.matchAll(
    /^\s*(?:import|export)\b[^;"'`]*?from\s*["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']\s*\)/gm,
  );
  return [...found].map(([, fixed, dynamic]) => fixed ?? dynamic ?? "");
}

if (import.meta.main) {
  const [file] = process.argv.slice(2);
  bundleWorker(file === undefined ? DEFAULT_FILE : resolve(file));
}
