import { existsSync, readdirSync, readFileSync } from "node:fs";

/** One import or re-export of a source file. */
export interface Import {
  /** The specifier, as written. */
  readonly specifier: string;
  /** The kind of import. */
  readonly kind: "import" | "re-export" | "dynamic";
  /** Whether it is removed by the compiler. */
  readonly typeOnly: boolean;
}

const root = new URL("../", import.meta.url);

/**
 * Returns the paths below a folder of the project, relative to the project and sorted, without installed packages; none
 * if there is no such folder.
 */
export function filesBelow(folder: string, suffix = ".ts"): string[] {
  if (!existsSync(new URL(folder, root))) return [];
  return readdirSync(new URL(folder, root), { recursive: true, encoding: "utf8" })
    .map((name) => `${folder}${name.replaceAll("\\", "/")}`)
    .filter((path) => path.endsWith(suffix) && !path.includes("/node_modules/"))
    .sort();
}

/** Returns the text of a file of the project. */
export function read(path: string): string {
  return readFileSync(new URL(path, root), "utf8");
}

/** Returns the lines of a source that are not only comments. No string of the project begins a line like a comment. */
export function codeOf(source: string): string {
  return source.replace(/^ *\/\*[^]*?\*\/$/gm, "").replace(/^ *\/\/.*$/gm, "");
}

// An import as formatted by `deno fmt`: it begins a line, and its braces contain no braces.
const STATIC = /^(import|export)( type)? (?:(?:\w+, )?\{[^}]*\}|(?:\w+, )?\* as \w+|\*|\w+) from "([^"]+)"/gm;
const BARE = /^import "([^"]+)"/gm;
const DYNAMIC = /\bimport\(\s*(?:"([^"]+)"|([^)]*))/g;

/** Returns the imports of a formatted source. A dynamic import with a computed specifier has the specifier `"?"`. */
export function importsOf(source: string): Import[] {
  const code = codeOf(source);
  return [
    ...[...code.matchAll(STATIC)].map(([, word, type, specifier]): Import => ({
      specifier: specifier!,
      kind: word === "export" ? "re-export" : "import",
      typeOnly: type !== undefined,
    })),
    ...[...code.matchAll(BARE)].map(([, specifier]): Import => ({
      specifier: specifier!,
      kind: "import",
      typeOnly: false,
    })),
    ...[...code.matchAll(DYNAMIC)].map(([, specifier]): Import => ({
      specifier: specifier ?? "?",
      kind: "dynamic",
      typeOnly: false,
    })),
  ];
}
