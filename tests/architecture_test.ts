/** Which files may import which, and other rules of the tree, which CONTRIBUTING.md describes. */
import { assertEquals } from "@std/assert";
import { posix } from "node:path";
import { test } from "./harness.ts";
import { forbiddenWords } from "./plain_english.ts";
import { codeOf, filesBelow, type Import, importsOf, read } from "./source_tree.ts";

type Layer =
  | "leaf"
  | "definition"
  | "port"
  | "store"
  | "backend"
  | "door"
  | "engine"
  | "inspector"
  | "cli"
  | "otel"
  | "testing"
  | "worker"
  | "api";

/** The layers that each layer may import in addition to itself; a backend may import only its own folder. */
const ALLOWED: Record<Layer, readonly Layer[]> = {
  leaf: [],
  definition: ["leaf"],
  port: ["leaf"],
  store: ["port", "leaf"],
  backend: ["store", "port", "leaf"],
  // The module of a backend that users import: it also types the tasks that are transactions on it.
  door: ["definition", "store", "port", "leaf"],
  engine: ["definition", "store", "port", "leaf"],
  inspector: ["engine", "definition", "store", "port", "leaf"],
  cli: ["inspector", "engine", "definition", "store", "port", "leaf"],
  // It follows runs with functions of the engine.
  otel: ["engine", "leaf"],
  testing: ["engine", "definition", "store", "port", "leaf"],
  worker: ["engine", "definition", "store", "port", "leaf"],
  api: ["engine", "definition", "store", "port", "leaf"],
};

/** Folders of the engine with few imports, and the folders of the engine that they may import. */
const ENGINE: Record<string, readonly string[]> = {
  errors: [],
  // The state machine is pure: it uses no store, clock or promise.
  machine: [],
  commit: ["errors"],
};

/** The only file that depends on the set of backends; it imports a backend when a URL requires it. */
const OPENER = "lib/store/open.ts";

/** The files that may import external packages, and these packages. */
const THIRD_PARTY: Record<string, readonly string[]> = {
  // The module of the user, which the command line imports.
  "lib/cli/load_workflows.ts": ["?"],
  "lib/engine/schedules/croner.ts": ["croner"],
  "lib/inspector/hono.ts": ["hono"],
  "lib/otel/api.ts": ["@opentelemetry/api"],
  "lib/otel/metrics.ts": ["@opentelemetry/api"],
  "lib/otel/mod.ts": ["@opentelemetry/api"],
  "lib/store/postgres/connect/driver.ts": ["postgres"],
  // For the types of the transaction that bodies receive.
  "lib/store/postgres/mod.ts": ["postgres"],
};

/** Parts of names that are not descriptive (STYLE: no catch-alls, no invented metaphors). */
const BANNED: ReadonlySet<string> = new Set([
  ...["util", "utils", "helper", "helpers", "misc", "impl", "manager"],
  ...["desk", "hub", "somebody", "nobody", "anybody", "whoever"],
]);

const LONGEST_FILE = 320;

interface Edge extends Import {
  readonly from: string;
  /** The imported file, relative to the project; for a package or a builtin, its specifier. */
  readonly to: string;
}

const library = ["mod.ts", ...filesBelow("lib/")];
const edges: readonly Edge[] = library.flatMap((from) =>
  importsOf(read(from)).map((found) => ({
    ...found,
    from,
    to: found.specifier.startsWith(".") ? posix.join(posix.dirname(from), found.specifier) : found.specifier,
  }))
);
const inner = edges.filter(({ to }) => library.includes(to));

test("imports are found in every spelling", () => {
  const source = [
    'import a, { type B } from "./a.ts";',
    'import type {\n  C,\n} from "./c.ts";',
    'import * as d from "node:d";',
    'import "./e.ts";',
    'export * from "./f.ts";',
    '/**\n * @example\n * ```ts\n * import { no } from "no";\n * ```\n */',
    '// await import("./no.ts")',
    'const g = await import("./g.ts");',
    "const h = await import(name);",
  ].join("\n");
  assertEquals(importsOf(source).map(({ specifier, kind, typeOnly }) => `${kind} ${specifier} ${typeOnly}`), [
    "import ./a.ts false",
    "import ./c.ts true",
    "import node:d false",
    "re-export ./f.ts false",
    "import ./e.ts false",
    "dynamic ./g.ts false",
    "dynamic ? false",
  ]);
});

test("each layer imports only the layers below it", () => {
  const wrong = inner.filter((edge) => !isAllowed(edge));
  assertEquals(wrong.map(show), []);
});

test("the state machine imports only definitions and the port, and the lowest folders of the engine only each other", () => {
  const folderOf = (file: string): string | undefined => /^lib\/engine\/(\w+)\//.exec(file)?.[1];
  const wrong = inner.filter(({ from, to }) => {
    const allowed = ENGINE[folderOf(from) ?? ""];
    if (allowed === undefined || folderOf(to) === folderOf(from)) return false;
    if (layerOf(to) === "engine") return !allowed.includes(folderOf(to) ?? "");
    return folderOf(from) === "machine" && !["definition", "port", "leaf"].includes(layerOf(to));
  });
  assertEquals(wrong.map(show), []);
});

test("one file opens backends, with dynamic imports", () => {
  const doors = inner.filter(({ from, to }) => isBackend(to) && homeOf(from) !== homeOf(to));
  const wrong = doors.filter(({ kind }) => kind !== "dynamic");
  assertEquals(wrong.map(show), []);
  assertEquals([...new Set(doors.map(({ from }) => from))], [OPENER]);
});

test("the library imports only builtins and the external packages that are listed here", () => {
  const outside = edges.filter(({ to }) => !library.includes(to) && !to.startsWith("node:"));
  const wrong = outside.filter(({ from, to }) =>
    // The driver of Bun is a builtin of the runtime that imports it; only the SQLite backend may import it.
    !(to === "bun:sqlite" && from.startsWith("lib/store/sqlite/")) && !THIRD_PARTY[from]?.includes(to)
  );
  assertEquals(wrong.map(show), []);
  const listed = Object.entries(THIRD_PARTY).flatMap(([from, names]) => names.map((to) => `${from} ${to}`));
  assertEquals(listed.filter((one) => !outside.some(({ from, to }) => one === `${from} ${to}`)), []);
});

test("no import of the library is circular", () => {
  assertEquals(cycles(), []);
});

test("only mod.ts files re-export", () => {
  const wrong = edges.filter(({ kind, from }) => kind === "re-export" && posix.basename(from) !== "mod.ts");
  assertEquals(wrong.map(show), []);
});

test("the library neither prints nor ends the process", () => {
  // The worker engine ends with a pending read of standard input, which cannot be cancelled.
  const wrong = library.filter((file) => file !== "lib/worker/mod.ts").filter((file) =>
    /\bconsole\.|\b(process|Deno)\.(exit|abort)\b/.test(codeOf(read(file)))
  );
  assertEquals(wrong, []);
});

test(`no file of the library has more than ${LONGEST_FILE} lines`, () => {
  const lengths = library.map((file) => [file, read(file).split("\n").length - 1] as const);
  const long = lengths.filter(([, lines]) => lines > LONGEST_FILE).map(([file]) => file);
  assertEquals(long, []);
});

test("messages, log lines and pages contain no forbidden words", () => {
  const found = library.flatMap((file) => forbiddenWords(codeOf(read(file))).map((words) => `${file}: ${words}`));
  assertEquals(found, []);
});

test("forbidden words are found, also across lines", () => {
  assertEquals(forbiddenWords("Nobody was\n  told; the run is handed back, and goes on."), [
    "nobody",
    "was told",
    "handed back",
    "goes on",
  ]);
  assertEquals(forbiddenWords("The run is released and continues."), []);
});

test("the engine and the files beside it keep no state in modules", () => {
  const files = library.filter((file) => layerOf(file) === "engine" || layerOf(file) === "leaf");
  const found = files.flatMap((file) => moduleStateOf(codeOf(read(file))).map((name) => `${file}: ${name}`));
  // A module may count resources of the process; the file states the reason.
  assertEquals(found, ["lib/engine/rejections.ts: reporters"]);
});

test("module state is found in every spelling", () => {
  const source = [
    "let a = 0;",
    "export let b: number;",
    "const c = new WeakMap<object, number>();",
    "export const d: Map<string, number> = new Map();",
    'const e: ReadonlySet<string> = new Set(["x"]);',
    "const f: string[] = [];",
    "const g = Array.from([1]);",
    "function h() {\n  let i = 0;\n  const j = new Map();\n}",
  ].join("\n");
  assertEquals(moduleStateOf(source), ["a", "b", "c", "d", "f"]);
});

test("files are in snake case, and an index is called mod.ts", () => {
  const files = [...library, ...filesBelow("tests/"), ...filesBelow("examples/"), ...filesBelow("bench/")];
  const names = files.map((file) => posix.basename(file));
  assertEquals(names.filter((name) => !/^[a-z0-9]+(_[a-z0-9]+)*\.ts$/.test(name) || name === "index.ts"), []);
});

test("names of files and identifiers contain no banned words", () => {
  const files = library.filter((file) => wordsOf(posix.basename(file, ".ts")).some((word) => BANNED.has(word)));
  assertEquals(files, []);
  const found = library.flatMap((file) => identifiersOf(read(file)).map((name) => ({ file, name })))
    .filter(({ name }) => wordsOf(name).some((word) => BANNED.has(word)));
  assertEquals(found.map(({ file, name }) => `${file}: ${name}`), []);
});

test("banned words are found in identifiers, and not in strings and comments", () => {
  const source = [
    "// the hub",
    "/** Desk. */",
    'const hubOf = "a desk";',
    "const text = `the hub ${deskName} of`;",
    "class URLManager {}",
    "let dashboard = 1;",
  ].join("\n");
  const names = identifiersOf(source).filter((name) => wordsOf(name).some((word) => BANNED.has(word)));
  assertEquals(names, ["hubOf", "deskName", "URLManager"]);
});

test("both test runners find every test, and run it in the same way", () => {
  const tests = filesBelow("tests/");
  // Names that only one of the runners recognizes as a test, such as "a.test.ts" or "test.ts".
  const misnamed = [...tests, ...library].filter((file) => /[._](test|spec)\.ts$|\/test\.ts$/.test(file))
    .filter((file) => !file.startsWith("tests/") || !file.endsWith("_test.ts"));
  assertEquals(misnamed, []);
  const hidden = tests.filter((file) => !file.endsWith("_test.ts") && /^test\(/m.test(codeOf(read(file))));
  assertEquals(hidden, []);
  const ofOneRunner = tests.filter((file) =>
    file !== "tests/harness.ts" && (/^Deno\.test\b/m.test(codeOf(read(file))) || importsRunner(file))
  );
  assertEquals(ofOneRunner, []);
});

test("deno.json and package.json agree", () => {
  const published = (file: string): unknown => {
    const { name, version, license, exports } = JSON.parse(read(file));
    return { name, version, license, exports };
  };
  assertEquals(published("package.json"), published("deno.json"));
});

test("the main entry exports the types that programs name, ./types those of results, and no name is in both", () => {
  const [main, types] = [exportedBy("mod.ts"), exportedBy("lib/types/mod.ts")];
  assertEquals(main.length <= 70, true, `mod.ts exports ${main.length} names`);
  // States occur in filters, in arguments of bodies, and in results.
  assertEquals(types.filter((name) => main.includes(name)), ["RunState", "TaskState"]);
});

test("the package contains the library without tests and benchmarks", () => {
  const { include } = JSON.parse(read("deno.json")).publish;
  const { files } = JSON.parse(read("package.json"));
  // npm adds package.json by itself; JSR uses deno.json instead.
  assertEquals(files, include.filter((file: string) => file !== "deno.json"));
  assertEquals(include.filter((file: string) => /^(tests|bench|examples|pictures|scripts|\*)/.test(file)), []);
});

test("CI uses pinned versions and a frozen lock file", () => {
  const commands = read(".ci/run").split("\n").filter((line) => /\bnpx\b/.test(line));
  assertEquals(commands.filter((line) => !/npx -y deno@\d+\.\d+\.\d+ /.test(line)), []);
  assertEquals(commands.length > 0, true);
  assertEquals(/const BUN_VERSION = "\d+\.\d+\.\d+"/.test(read("tests/run.ts")), true);
  assertEquals(JSON.parse(read("deno.json")).lock, { path: "deno.lock", frozen: true });
});

test("a release uses the tested versions", () => {
  const release = read(".github/workflows/release.yml");
  const [, deno] = /npx -y deno@(\S+) /.exec(read(".ci/run")) ?? [];
  const [, node] = /const NODE_VERSION = "(.+)"/.exec(read("tests/node/run.ts")) ?? [];
  assertEquals(/DENO_VERSION: (\S+)/.exec(release)?.[1], deno);
  assertEquals(/NODE_VERSION: (\S+)/.exec(release)?.[1], node);
  const actions = [...release.matchAll(/uses: (\S+)/g)].map(([, action]) => action!);
  assertEquals(actions.filter((action) => !/@v\d+\.\d+\.\d+$/.test(action)), []);
});

test("the version of each package is stated once", () => {
  const { dependencies = {}, devDependencies = {} } = JSON.parse(read("package.json"));
  const { scopes, imports } = JSON.parse(read("deno.json"));
  const named = [dependencies, devDependencies, scopes["./"], imports].flatMap((part) => Object.keys(part));
  assertEquals(named.filter((name, at) => named.indexOf(name) !== at), []);
});

test("a peer dependency on a driver has the tested version", () => {
  const { peerDependencies = {}, peerDependenciesMeta = {} } = JSON.parse(read("package.json"));
  const { scopes } = JSON.parse(read("deno.json"));
  const tested = Object.keys(peerDependencies).map((name) => [name, scopes["./"][name]]);
  assertEquals(Object.entries(peerDependencies).map(([name, range]) => [name, `npm:${name}@${range}`]), tested);
  // SQLite needs no driver.
  assertEquals(Object.keys(peerDependencies).filter((name) => !peerDependenciesMeta[name]?.optional), []);
});

/** Returns the names that a module re-exports. */
function exportedBy(file: string): string[] {
  const lists = codeOf(read(file)).matchAll(/^export (?:type )?\{([^}]*)\} from /gm);
  return [...lists].flatMap(([, list]) => list!.split(",").map((name) => name.trim()).filter((name) => name !== ""))
    .map((name) => name.split(/ as |^type /).at(-1)!);
}

/** Returns the names in the code of a module, each once, without strings and comments, but with substitutions. */
function identifiersOf(source: string): string[] {
  const code = codeOf(source).replace(/"(?:[^"\\\n]|\\.)*"/g, "").replace(/\/\/.*$/gm, "");
  const substitutions = [...code.matchAll(/\$\{([^}]*)\}/g)].map(([, inner]) => inner);
  const plain = code.replace(/`(?:[^`\\]|\\.)*`/g, "");
  return [...new Set([plain, ...substitutions].flatMap((text) => text!.match(/[A-Za-z_$][\w$]*/g) ?? []))]
    .sort((a, b) => code.indexOf(a) - code.indexOf(b));
}

/** Returns the words of a name in snake case or camel case, in lower case. */
function wordsOf(name: string): string[] {
  return (name.match(/[A-Z]?[a-z]+|[A-Z]+(?![a-z])/g) ?? []).map((word) => word.toLowerCase());
}

/** Returns the names of the variables and mutable collections that a module declares at its top level. */
function moduleStateOf(code: string): string[] {
  const declared = code.matchAll(/^(?:export )?(let|var|const) (\w+)(?:: ([^=]*?))?(?: = (.*))?;?$/gm);
  return [...declared].flatMap(([, word, name, type = "", value = ""]) => {
    const isCollection = /^(?:new (?:Weak)?(?:Map|Set)\b|\[\])/.test(value) && !/^Readonly|^readonly /.test(type);
    return word !== "const" || isCollection ? [name!] : [];
  });
}

function layerOf(file: string): Layer {
  const [, folder, ...rest] = file.split("/");
  if (file === "mod.ts" || file === "lib/types/mod.ts") return "api";
  if (rest.length === 0) return "leaf";
  if (folder === "store" && rest[0] === "port") return "port";
  if (folder === "store" && (rest[0] === "sql" || rest[0] === "shared")) return "store";
  if (folder === "store" && rest.length > 1) return rest.at(-1) === "mod.ts" ? "door" : "backend";
  const layer = (["definition", "store", "engine", "inspector", "cli", "otel", "testing", "worker"] as const).find((
    name,
  ) => name === folder);
  if (!layer) throw new Error(`${file} is in no layer: say in this test what it may import`);
  return layer;
}

/** Returns the folder from which a file may import anything. */
function homeOf(file: string): string {
  return isBackend(file) ? file.split("/").slice(0, 3).join("/") : layerOf(file);
}

function isBackend(file: string): boolean {
  return layerOf(file) === "backend" || layerOf(file) === "door";
}

function isAllowed({ from, to }: Edge): boolean {
  if (homeOf(from) === homeOf(to)) return true;
  if (from === OPENER && isBackend(to)) return true;
  return ALLOWED[layerOf(from)].includes(layerOf(to));
}

function importsRunner(file: string): boolean {
  return importsOf(read(file)).some(({ specifier }) => specifier === "node:test" || specifier === "bun:test");
}

/** Returns each cycle once, as the path from its first file back to it. */
function cycles(): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  for (const file of library) visit(file, []);
  return found;

  function visit(file: string, path: readonly string[]): void {
    const at = path.indexOf(file);
    if (at >= 0) {
      found.push([...path.slice(at), file].join(" -> "));
      return;
    }
    if (done.has(file)) return;
    for (const { from, to } of inner) if (from === file) visit(to, [...path, file]);
    done.add(file);
  }
}

function show({ from, specifier, kind }: Edge): string {
  return `${from}: ${kind} "${specifier}"`;
}
