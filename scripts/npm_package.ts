/**
 * Builds the npm package from the sources: a JavaScript module and its types for each file of the library, the
 * command `sluice`, and a manifest. Node compiles no TypeScript below `node_modules`; Deno and Bun run the same files.
 *
 * @module
 */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative, sep } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type TypeScript from "typescript";

const ROOT = fileURLToPath(new URL("../", import.meta.url));

/** The release of Node that first has `node:sqlite` without a flag, `await using` and `import.meta.main`. */
const NODE_RANGE = ">=24.2";

const COMMAND = `#!/usr/bin/env node
import process from "node:process";
import { main } from "../lib/cli/mod.js";

process.exitCode = await main(process.argv.slice(2));
`;

/** Options of the package. */
export interface PackageOptions {
  /** The URL of the repository, to which npm resolves the links of the README. @default {undefined} none is stated */
  readonly repository?: string | undefined;
}

/** The parts of package.json and deno.json that the package's manifest is made of. */
interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly description: string;
  readonly keywords: readonly string[];
  readonly exports: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta: Readonly<Record<string, { readonly optional: boolean }>>;
}

/**
 * Writes the package into a folder, which is emptied first.
 *
 * @throws {Error} If the sources do not compile; the message has the compiler's diagnostics.
 */
export function buildNpmPackage(folder: string, { repository }: PackageOptions = {}): void {
  const manifest: Manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  rmSync(folder, { recursive: true, force: true });
  compile(Object.values(manifest.exports), folder);
  for (const name of ["LICENSE", "README.md", "CHANGELOG.md"]) cpSync(join(ROOT, name), join(folder, name));
  write(join(folder, "bin/sluice.js"), COMMAND);
  write(join(folder, "package.json"), `${JSON.stringify(published(manifest, repository), undefined, 2)}\n`);
}

/** Loads TypeScript 5: a bare import finds the latest installed version under Bun, and version 7 has no such interface. */
function loadCompiler(): typeof TypeScript {
  const modules = join(ROOT, "node_modules/.deno");
  const version = readdirSync(modules).find((name) => name.startsWith("typescript@5."));
  if (version === undefined) throw new Error("TypeScript 5 is not installed; run deno install");
  return createRequire(import.meta.url)(join(modules, version, "node_modules/typescript"));
}

function compile(entries: readonly string[], folder: string): void {
  const ts = loadCompiler();
  const options: TypeScript.CompilerOptions = {
    rootDir: ROOT,
    outDir: folder,
    declaration: true,
    rewriteRelativeImportExtensions: true,
    module: ts.ModuleKind.NodeNext,
    target: ts.ScriptTarget.ESNext,
    lib: ["lib.esnext.d.ts", "lib.dom.d.ts", "lib.dom.iterable.d.ts", "lib.dom.asynciterable.d.ts"],
    types: ["node"],
    typeRoots: [join(ROOT, "node_modules/@types")],
    strict: true,
    erasableSyntaxOnly: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noEmitOnError: true,
    skipLibCheck: true,
  };
  const program = ts.createProgram(entries.map((entry) => join(ROOT, entry)), options);
  const emitted = program.emit(undefined, (path, text) => write(path, path.endsWith(".d.ts") ? typesOf(text) : text));
  const diagnostics = [...ts.getPreEmitDiagnostics(program), ...emitted.diagnostics];
  if (diagnostics.length === 0) return;
  throw new Error(`Cannot compile the package:\n${
    ts.formatDiagnostics(diagnostics, {
      getCurrentDirectory: () => ROOT,
      getCanonicalFileName: (name) => name,
      getNewLine: () => "\n",
    })
  }`);
}

/** The compiler rewrites imports of `.ts` files in modules, but not in types. */
function typesOf(text: string): string {
  return text.replaceAll(/(\bfrom |\bimport\()"(\.[^"]*)\.ts"/g, '$1"$2.js"');
}

function published(manifest: Manifest, repository: string | undefined): unknown {
  const { name, version, license, description, keywords, peerDependencies, peerDependenciesMeta } = manifest;
  const exports = Object.entries(manifest.exports).map(([entry, file]) => {
    const path = file.replace(/\.ts$/, "");
    return [entry, { types: `${path}.d.ts`, default: `${path}.js` }];
  });
  return {
    ...{ name, version, description, keywords, license },
    ...(repository === undefined ? {} : { repository: { type: "git", url: `git+${repository}.git` } }),
    type: "module",
    main: "./mod.js",
    types: "./mod.d.ts",
    exports: { ...Object.fromEntries(exports), "./package.json": "./package.json" },
    bin: { sluice: "bin/sluice.js" },
    files: ["CHANGELOG.md", "bin", "lib", "mod.d.ts", "mod.js"],
    engines: { node: NODE_RANGE },
    peerDependencies,
    peerDependenciesMeta,
    publishConfig: { access: "public" },
  };
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text, path.endsWith(`${sep}sluice.js`) ? { mode: 0o755 } : {});
}

if (import.meta.main) {
  const folder = join(ROOT, "dist/npm");
  const repository = process.env["SLUICE_REPOSITORY"];
  buildNpmPackage(folder, { repository });
  process.stdout.write(`Built ${relative(process.cwd(), folder)}; "npm pack" and "npm publish" take it from there\n`);
}
