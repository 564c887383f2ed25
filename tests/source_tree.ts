import { existsSync, readdirSync, readFileSync } from "node:fs";

/** One import or re-export of a source file. */
export interface Import {
  /** What it names, as written. */
  readonly specifier: string;
  /** How it names it. */
  readonly kind: "import" | "re-export" | "dynamic";
  /** Whether it is gone after compiling. */
  readonly typeOnly: boolean;
}

const root = new URL("../", import.meta.url);

/**
 * Paths below a folder of the project, relative to the project and sorted, without those of packages that are installed
 * there; none if there is no such folder.
 */
export function filesBelow(folder: string, suffix = ".ts"): string[] {
  if (!existsSync(new URL(folder, root))) return [];
  return readdirSync(new URL(folder, root), { recursive: true, encoding: "utf8" })
    .map((name) => `${folder}${name.replaceAll("\\", "/")}`)
    .filter((path) => path.endsWith(suffix) && !path.includes("/node_modules/"))
    .sort();
}

/** The text of a file of the project. */
export function read(path: string): string {
  return readFileSync(new URL(path, root), "utf8");
}

/** The lines of a source text that are not comments only. Strings are not looked into: none of ours starts a line so. */
export function codeOf(source: string): string {
  return source.replace(/^ *\/\*[^]*?\*\/$/gm, "").replace(/^ *\/\/.*$/gm, "");
}

// What `deno fmt` makes of an import: it starts a line, and braces hold no braces.
const STATIC = /^(import|export)( type)? (?:(?:\w+, )?\{[^}]*\}|(?:\w+, )?\* as \w+|\*|\w+) from "([^"]+)"/gm;
const BARE = /^import "([^"]+)"/gm;
const DYNAMIC = /\bimport\(\s*(?:"([^"]+)"|([^)]*))/g;

/** Everything that a formatted source text imports. A dynamic import of something computed has `"?"` for its specifier. */
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
