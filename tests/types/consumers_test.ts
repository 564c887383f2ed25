/**
 * Programs that use Sluice compile and run, with their own compiler and its options, and with no package but those that
 * they use.
 */
import { assert, assertEquals } from "@std/assert";
import { cpSync, mkdirSync, readdirSync, readFileSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ended, type Exit, spawnExecutable } from "../child.ts";
import { compilerTest, test } from "../harness.ts";
import { type TempDir, tempDir } from "../temp_dir.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const modules = realpathSync(join(root, "node_modules"));
const isDeno = "Deno" in globalThis;

/** Uses what needs no package. */
const ON_SQLITE = `
import { createRunner, type RunEvent, unchecked, workflow } from "@sluice/sluice";
import { openSqliteStore, transaction } from "@sluice/sluice/sqlite";
import { createFakeClock, createTestContext } from "@sluice/sluice/testing";
import type { RunStatus } from "@sluice/sluice/types";

const flow = workflow("flow", { input: unchecked<{ id: string }>() })
  .task("size", { run: ({ input }) => input.id.length })
  .task("next", { after: ["size"], ...transaction, run: ({ size }) => size + 1 })
  .returns("next");
const store = await openSqliteStore("sqlite://./app.db");
await using runner = await createRunner(store, { workflows: [flow], clock: createFakeClock() });
const events: RunEvent[] = [];
const run = await runner.start(flow, { id: createTestContext().runId });
for await (const event of run.events()) events.push(event);
const result = (await run.result()).toFixed();
const { state }: RunStatus = await run.status();
console.log(result, events.length, state);
`;

/** Uses every part. */
const WITH_PACKAGES = `
import { createRunner, workflow } from "@sluice/sluice";
import { createInspector } from "@sluice/sluice/inspector";
import { createTracing } from "@sluice/sluice/otel";
import { createPostgresPool, openPostgresStore, transaction } from "@sluice/sluice/postgres";

const flow = workflow("flow").task("pay", {
  ...transaction,
  run: async ({ tx, ctx }) => (await tx\`select \${ctx.runId} as run\`).length,
});
async function open(url: string) {
  await using pool = createPostgresPool(url);
  const store = url === "" ? await pool.store({ schema: "acme" }) : await openPostgresStore(url);
  const runner = await createRunner(store, { workflows: [flow], tracing: createTracing() });
  return { runner, fetch: createInspector(runner).fetch };
}
console.log(typeof open);
`;

const PLAIN = {
  noEmit: true,
  allowImportingTsExtensions: true,
  target: "esnext",
  module: "esnext",
  moduleResolution: "bundler",
  skipLibCheck: true,
};

const OPTIONS: Readonly<Record<string, Readonly<Record<string, boolean>>>> = {
  default: { strict: true },
  loose: { strict: false },
  strictest: {
    strict: true,
    allowUnreachableCode: false,
    allowUnusedLabels: false,
    declaration: true,
    erasableSyntaxOnly: true,
    exactOptionalPropertyTypes: true,
    isolatedDeclarations: true,
    isolatedModules: true,
    noFallthroughCasesInSwitch: true,
    noImplicitOverride: true,
    noImplicitReturns: true,
    noPropertyAccessFromIndexSignature: true,
    noUncheckedIndexedAccess: true,
    noUncheckedSideEffectImports: true,
    noUnusedLocals: true,
    noUnusedParameters: true,
    verbatimModuleSyntax: true,
  },
};

/** Makes a program with Sluice's sources beside it. */
function bare(source: string): TempDir {
  const dir = tempDir();
  for (const part of ["mod.ts", "lib", "deno.json", "package.json"]) {
    cpSync(join(root, part), join(dir.path, "sluice", part), { recursive: true });
  }
  writeFileSync(join(dir.path, "app.ts"), source);
  return dir;
}

/** Creates a project whose `node_modules` has Sluice and the named packages only. */
function consumer(source: string, packages: readonly string[] = []): TempDir {
  const dir = bare(source);
  link(join(dir.path, "sluice"), join(dir.path, "node_modules/@sluice/sluice"));
  for (const name of packages) link(join(modules, name), join(dir.path, "node_modules", name));
  writeFileSync(join(dir.path, "package.json"), '{ "type": "module" }');
  return dir;
}

function link(target: string, path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(target, path);
}

/** Checks the program with a version of the compiler; returns what the compiler printed. */
async function compile({ path }: TempDir, major: number, options: Readonly<Record<string, boolean>>): Promise<string> {
  const config = { compilerOptions: { ...PLAIN, ...options, types: ["node"] }, files: ["app.ts"] };
  writeFileSync(join(path, "tsconfig.json"), JSON.stringify(config));
  const version = readdirSync(join(modules, ".deno")).find((name) => name.startsWith(`typescript@${major}.`));
  assert(version !== undefined, `TypeScript ${major} is not installed; run deno install`);
  const tsc = join(modules, ".deno", version, "node_modules/typescript/lib/tsc.js");
  return printed(await run([...(isDeno ? ["run", "-A"] : []), tsc, "-p", path]));
}

async function run(args: readonly string[], cwd?: string): Promise<Exit> {
  await using child = spawnExecutable(args, { cwd });
  return await ended(child);
}

function printed({ code, stdout, stderr }: Exit): string {
  return `${code === 0 ? "" : `exit code ${code}\n`}${stdout}${stderr}`;
}

const PEERS = ["hono", "postgres", "@opentelemetry/api", "@types/node"];

for (const [name, options] of Object.entries(OPTIONS)) {
  compilerTest(`a program on SQLite compiles with TypeScript 7 and ${name} options, without any package`, async () => {
    using dir = consumer(ON_SQLITE, ["@types/node"]);
    assertEquals(await compile(dir, 7, options), "");
  });
}

compilerTest("a program that uses every part compiles with TypeScript 7 and the strictest options", async () => {
  using dir = consumer(WITH_PACKAGES, PEERS);
  assertEquals(await compile(dir, 7, OPTIONS["strictest"]!), "");
});

for (const major of [5, 6]) {
  compilerTest(
    `a program that uses every part compiles with TypeScript ${major} and the strictest options`,
    async () => {
      using dir = consumer(WITH_PACKAGES, PEERS);
      assertEquals(await compile(dir, major, OPTIONS["strictest"]!), "");
    },
  );
}

if (isDeno) {
  test("Deno checks and runs a program on SQLite, and prints nothing else", async () => {
    using dir = bare(ON_SQLITE);
    const names = ["", "/postgres", "/sqlite", "/testing", "/types"];
    const exports: Record<string, string> = JSON.parse(readFileSync(join(root, "deno.json"), "utf8")).exports;
    const imports = names.map((name) => [`@sluice/sluice${name}`, `./sluice/${exports[`.${name}`]}`]);
    writeFileSync(join(dir.path, "deno.json"), JSON.stringify({ imports: Object.fromEntries(imports) }));
    // What is not there may not be downloaded.
    const check = await run(["check", "--quiet", "--cached-only", "app.ts"], dir.path);
    assertEquals(printed(check), "");
    assertEquals(printed(await run(["run", "-A", "--cached-only", "app.ts"], dir.path)), "9 6 completed\n");
  });

  test("Deno runs a program that links Sluice's sources, and prints nothing else", async () => {
    using dir = bare(ON_SQLITE);
    const name = "jsr:@sluice/sluice@^0.1.0";
    const config = {
      links: ["./sluice"],
      imports: { "@sluice/sluice": name, "@sluice/sluice/": `${name.replace("jsr:", "jsr:/")}/` },
    };
    writeFileSync(join(dir.path, "deno.json"), JSON.stringify(config));
    assertEquals(printed(await run(["run", "-A", "--cached-only", "app.ts"], dir.path)), "9 6 completed\n");
  });
} else {
  test("Bun runs a program on SQLite, and prints nothing else", async () => {
    using dir = consumer(ON_SQLITE);
    assertEquals(printed(await run(["--no-install", "app.ts"], dir.path)), "9 6 completed\n");
  });
}
