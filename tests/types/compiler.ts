import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type TypeScript from "typescript";

/** The directory of this file, in which sources that exist only in memory seem to stand. */
const HERE = fileURLToPath(new URL(".", import.meta.url));

const ts = loadCompiler();

const OPTIONS: TypeScript.CompilerOptions = {
  strict: true,
  exactOptionalPropertyTypes: true,
  noImplicitOverride: true,
  noUncheckedIndexedAccess: true,
  noEmit: true,
  skipLibCheck: true,
  allowImportingTsExtensions: true,
  target: ts.ScriptTarget.ESNext,
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  lib: ["lib.esnext.d.ts", "lib.dom.d.ts", "lib.dom.iterable.d.ts"],
  types: [],
};

/** Something that the compiler says about a source. */
export interface Complaint {
  /** Counted from 1. */
  readonly line: number;
  /** The message, with its explanation on further lines. */
  readonly message: string;
}

/** What the compiler makes of a module. */
export interface Check {
  /** What it says about it; nothing, if all is right. */
  readonly complaints: readonly Complaint[];
  /** How many types it instantiated: a measure of its effort that is the same on every machine. */
  readonly instantiations: number;
  /** How many types it created, those of its own libraries included. */
  readonly types: number;
}

/** Checks the source of a module beside this one. */
export function checkSource(source: string): Check {
  return check(`${HERE}in_memory.ts`, source);
}

/** Checks a file beside this one. */
export function checkFile(name: string): Check {
  return check(`${HERE}${name}`, undefined);
}

/** Returns what an editor shows of variables of a module beside this one, by name. */
export function hoversOf(source: string, names: readonly string[]): Readonly<Record<string, string>> {
  const path = `${HERE}in_memory.ts`;
  const service = ts.createLanguageService({
    getCompilationSettings: () => OPTIONS,
    getCurrentDirectory: () => HERE,
    getDefaultLibFileName: (options) => ts.getDefaultLibFilePath(options),
    getScriptFileNames: () => [path],
    getScriptVersion: () => "1",
    getScriptSnapshot(name) {
      const text = name === path ? source : ts.sys.readFile(name);
      return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text);
    },
    fileExists: (name) => name === path || ts.sys.fileExists(name),
    readFile: (name) => name === path ? source : ts.sys.readFile(name),
    directoryExists: (name) => ts.sys.directoryExists(name),
  });
  return Object.fromEntries(names.map((name) => {
    const info = service.getQuickInfoAtPosition(path, source.indexOf(`const ${name} `) + "const ".length);
    return [name, ts.displayPartsToString(info?.displayParts)];
  }));
}

function check(path: string, source: string | undefined): Check {
  const host = ts.createCompilerHost(OPTIONS);
  const { getSourceFile, fileExists, readFile } = host;
  if (source !== undefined) {
    host.fileExists = (name) => name === path || fileExists(name);
    host.readFile = (name) => name === path ? source : readFile(name);
    host.getSourceFile = (name, options, ...rest) =>
      name === path ? ts.createSourceFile(name, source, options) : getSourceFile(name, options, ...rest);
  }
  const program = ts.createProgram([path], OPTIONS, host);
  const file = program.getSourceFile(path);
  if (file === undefined) throw new Error(`Cannot type-check "${path}": there is no such file`);
  const diagnostics = [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)];
  const complaints = diagnostics.map((diagnostic) => ({
    line: file.getLineAndCharacterOfPosition(diagnostic.start ?? 0).line + 1,
    message: ts.flattenDiagnosticMessageText(diagnostic.messageText, "\n"),
  }));
  return { complaints, instantiations: program.getInstantiationCount(), types: program.getTypeCount() };
}

/**
 * Loads TypeScript 5. A bare import finds, under Bun, the latest of the installed versions, and version 7 has no such
 * interface.
 */
function loadCompiler(): typeof TypeScript {
  const modules = join(HERE, "../../node_modules/.deno");
  const version = readdirSync(modules).find((name) => name.startsWith("typescript@5."));
  if (version === undefined) throw new Error("TypeScript 5 is not installed; run deno install");
  return createRequire(import.meta.url)(join(modules, version, "node_modules/typescript"));
}
