/**
 * Builds the Python package: a wheel for every platform, with the engine in it. `deno task python:wheel [FOLDER]` writes it
 * to `dist/python` unless another folder is named; it needs Python with pip, and hatchling, which pip downloads.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { bundleWorker } from "./worker_bundle.ts";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
const PACKAGE = join(ROOT, "python");

/** Options of the build. */
export interface WheelOptions {
  /** The Python that builds. @default {"python3"} */
  readonly python?: string;
  /** Whether pip downloads hatchling for the build; otherwise it is installed for `python`. @default {true} */
  readonly isolated?: boolean;
}

/**
 * Builds the wheel into a folder, and returns the path of its file.
 *
 * @throws {Error} If it cannot be built; pip has written why.
 */
export function buildWheel(folder: string, { python = "python3", isolated = true }: WheelOptions = {}): string {
  bundleWorker(join(PACKAGE, "src/sluice/_engine/engine.js"));
  mkdirSync(folder, { recursive: true });
  for (const name of wheels(folder)) rmSync(join(folder, name));
  const options = ["--quiet", "--no-deps", "--wheel-dir", folder, ...(isolated ? [] : ["--no-build-isolation"])];
  execFileSync(python, ["-m", "pip", "wheel", ...options, PACKAGE], { stdio: "inherit" });
  const [name] = wheels(folder);
  if (name === undefined) throw new Error(`Cannot build the wheel: pip has written none to ${folder}`);
  return join(folder, name);
}

function wheels(folder: string): readonly string[] {
  return readdirSync(folder).filter((name) => name.startsWith("sluice_workflows-") && name.endsWith(".whl"));
}

if (import.meta.main) {
  const [folder = join(ROOT, "dist/python")] = process.argv.slice(2);
  process.stdout.write(`${buildWheel(resolve(folder))}\n`);
}
