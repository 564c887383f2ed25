/**
 * Fresh projects with the npm package, installed from its tarball by Bun's or npm's package manager. Nothing is downloaded: packages that a project also uses are linked from those of the tests.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { mkdirSync, readdirSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { buildNpmPackage } from "../../scripts/npm_package.ts";
import { type Child, ended, type Exit, spawnExecutable } from "../child.ts";
import { type TempDir, tempDir } from "../temp_dir.ts";

/** The folder of the checkout. */
export const ROOT: string = fileURLToPath(new URL("../../", import.meta.url));

const MODULES = realpathSync(join(ROOT, "node_modules"));

/** The runtime that runs the tests. */
export const runtime: "deno" | "bun" | "node" = "Deno" in globalThis ? "deno" : "Bun" in globalThis ? "bun" : "node";

/** A project in a folder of its own. */
export interface Project extends Disposable {
  /** Path of the folder. */
  readonly path: string;
  /** Writes a file, executes it, and returns what it printed; throws what it printed if it failed. */
  run(source: string): Promise<string>;
  /** Executes a file below the folder and returns how it ended. */
  execute(file: string, args?: readonly string[]): Promise<Exit>;
  /** Links packages of the tests into the project. */
  link(...names: readonly string[]): void;
}

/** The package: a folder, and the tarball made of it, in a temporary folder of its own. */
interface Built {
  readonly dir: TempDir;
  readonly tarball: string;
}

let built: Promise<Built> | undefined;

/** Builds the package on the first call; returns its tarball. */
export async function tarball(): Promise<string> {
  return (await (built ??= build())).tarball;
}

/** Removes the package. */
export async function removePackage(): Promise<void> {
  (await built)?.dir[Symbol.dispose]();
  built = undefined;
}

async function build(): Promise<Built> {
  const dir = tempDir();
  const given = process.env["SLUICE_NPM_PACKAGE"];
  const folder = given ?? join(dir.path, "npm");
  if (given === undefined) buildNpmPackage(folder);
  await command("npm", ["pack", "--silent", "--pack-destination", dir.path, folder], dir.path);
  const name = readdirSync(dir.path).find((file) => file.endsWith(".tgz"));
  if (name === undefined) throw new Error("npm pack has made no tarball");
  return { dir, tarball: join(dir.path, name) };
}

/** Creates a project and installs the package in it. */
export async function project(): Promise<Project> {
  const file = await tarball();
  const dir = tempDir();
  const { path } = dir;
  const dependencies = { "@sluice/sluice": `file:${file}` };
  writeFileSync(join(path, "package.json"), JSON.stringify({ type: "module", private: true, dependencies }));
  if (runtime === "deno") writeFileSync(join(path, "deno.json"), JSON.stringify({ nodeModulesDir: "manual" }));
  // Deno cannot install a tarball.
  if (runtime === "bun") await command(process.execPath, ["install", "--silent"], path);
  else await command("npm", ["install", "--offline", "--no-audit", "--no-fund", "--loglevel=error"], path);
  return {
    path,
    execute,
    async run(source) {
      writeFileSync(join(path, "app.ts"), source);
      const { code, stdout, stderr } = await execute("app.ts");
      if (code !== 0 || stderr !== "") throw new Error(`exit code ${code}\n${stdout}\n${stderr}`);
      return stdout;
    },
    link(...names) {
      for (const name of names) {
        const at = join(path, "node_modules", name);
        mkdirSync(dirname(at), { recursive: true });
        symlinkSync(realpathSync(join(MODULES, name)), at);
      }
    },
    [Symbol.dispose]: () => dir[Symbol.dispose](),
  };

  async function execute(name: string, args: readonly string[] = []): Promise<Exit> {
    await using child = start(path, [name, ...args]);
    return await ended(child);
  }
}

/** Starts a file in a folder, without downloading anything. */
export function start(cwd: string, args: readonly string[]): Child {
  const flags = { deno: ["run", "-A", "--quiet", "--cached-only"], bun: ["--no-install"], node: [] }[runtime];
  // Otherwise Node would map the library's sources for this process, too.
  return spawnExecutable([...flags, ...args], { cwd, env: { NODE_OPTIONS: "" } });
}

/** Executes a program and rejects with what it printed if it fails. No registry can be reached. */
async function command(program: string, args: readonly string[], cwd: string): Promise<void> {
  const registry = "http://127.0.0.1:9/";
  const child = spawn(program, args, {
    cwd,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NODE_OPTIONS: "", BUN_CONFIG_REGISTRY: registry, NPM_CONFIG_REGISTRY: registry },
  });
  let printed = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => void (printed += text));
  }
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${code}\n${printed}`);
}
