/** The npm package, as a user installs it in a fresh project of the runtime that runs the tests. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { compilerTest, test } from "../harness.ts";
import { databaseUrl } from "../postgres_server.ts";
import { spawnExecutable } from "../child.ts";
import { type Project, project, removePackage, ROOT, start, tarball } from "./project.ts";

// Before any test, so that none of them is held to have left the server behind.
const url = await databaseUrl();

const PEERS = ["@opentelemetry/api", "croner", "hono", "postgres"];

test("the tarball has modules with types, a command and a manifest, and nothing that only we need", async () => {
  const files = execFileSync("tar", ["-tzf", await tarball()], { encoding: "utf8" }).trim().split("\n")
    .map((file) => file.replace(/^package\//, ""));
  assertEquals(files.filter((file) => !file.startsWith("lib/")).sort(), [
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "bin/sluice.js",
    "mod.d.ts",
    "mod.js",
    "package.json",
  ]);
  const modules = files.filter((file) => file.endsWith(".js") && !file.startsWith("bin/"));
  const types = files.filter((file) => file.endsWith(".ts"));
  assertEquals(types.sort(), modules.map((file) => file.replace(/\.js$/, ".d.ts")).sort());
});

test("the manifest has an entry for each of deno.json, the command, and peers that are optional", async () => {
  using fresh = await project();
  const manifest = JSON.parse(readFileSync(join(fresh.path, "node_modules/@sluice/sluice/package.json"), "utf8"));
  const { exports, version } = JSON.parse(readFileSync(join(ROOT, "deno.json"), "utf8"));
  assertEquals(Object.keys(manifest.exports), [...Object.keys(exports), "./package.json"]);
  assertEquals(manifest.version, version);
  assertEquals(manifest.bin, { sluice: "bin/sluice.js" });
  assertEquals([manifest.private, manifest.dependencies], [undefined, undefined]);
  assertEquals(Object.keys(manifest.peerDependencies), PEERS);
  assertEquals(PEERS.map((name) => manifest.peerDependenciesMeta[name]), PEERS.map(() => ({ optional: true })));
  // Nothing else was installed.
  assertEquals(
    readdirSync(join(fresh.path, "node_modules")).filter((name) => !name.startsWith(".")),
    ["@sluice"],
  );
});

test("the program in the README runs", async () => {
  using fresh = await project();
  const [, program = ""] = /```ts\n([^]*?)```/.exec(readFileSync(join(ROOT, "README.md"), "utf8")) ?? [];
  assertStringIncludes(program, "createRunner");
  assertEquals(await fresh.run(program), "1\n");
});

test("a program on a SQLite file runs, and a part whose package is missing says what to install", async () => {
  using fresh = await project();
  const printed = await fresh.run(`
    import { createRunner, schedule, workflow } from "@sluice/sluice";
    import { transaction } from "@sluice/sluice/sqlite";
    import { createFakeClock } from "@sluice/sluice/testing";

    const flow = workflow("flow").task("a", { run: () => 1 }).task("b", {
      after: ["a"],
      ...transaction,
      run: ({ a, tx }) => (tx.exec("create table t (n integer)"), a + 1),
    }).returns("b");
    {
      await using runner = await createRunner("sqlite://./app.db", { workflows: [flow], clock: createFakeClock() });
      console.log((await runner.execute(flow)).result);
    }
    const daily = schedule({ name: "daily", workflow: flow, cron: "@daily" });
    const failed = (work) => work.then(() => "no error", (error) => error.message);
    console.log(await failed(createRunner("sqlite::memory:", { workflows: [flow], schedules: [daily] })));
    console.log(await failed(createRunner("postgres://localhost/app", { workflows: [flow] })));
    console.log(await failed(import("@sluice/sluice/inspector")));
    console.log(await failed(import("@sluice/sluice/otel")));
  `);
  const [result, ...messages] = printed.trimEnd().split("\n");
  assertEquals(result, "2");
  assertEquals(
    messages.map((message) => /the package "(.+?)" is not installed/.exec(message)?.[1]),
    ["croner", "postgres", "hono", "@opentelemetry/api"],
  );
});

test("a program on Postgres runs, with a transaction and a schedule", async () => {
  using fresh = await project();
  fresh.link("postgres", "croner");
  const schema = `package_${crypto.randomUUID().replaceAll("-", "").slice(0, 12)}`;
  const printed = await fresh.run(`
    import { createRunner, schedule, workflow } from "@sluice/sluice";
    import { removeTenant, transaction } from "@sluice/sluice/postgres";

    const flow = workflow("flow").task("pay", {
      ...transaction,
      run: async ({ tx }) => (await tx\`select 6 * 7 as answer\`)[0].answer,
    }).returns("pay");
    const url = ${JSON.stringify(url)};
    {
      const daily = schedule({ name: "daily", workflow: flow, cron: "@daily" });
      await using runner = await createRunner(url, { schema: "${schema}", workflows: [flow], schedules: [daily] });
      console.log((await runner.execute(flow)).result, (await runner.schedules.list()).length);
    }
    await removeTenant(url, { schema: "${schema}" });
  `);
  assertEquals(printed, "42 1\n");
});

test("the inspector serves pages, and the command line lists runs and serves the inspector", async () => {
  using fresh = await project();
  fresh.link("hono");
  const printed = await fresh.run(`
    import { createRunner, workflow } from "@sluice/sluice";
    import { createInspector } from "@sluice/sluice/inspector";

    const flow = workflow("flow").task("a", { run: () => 1 });
    await using runner = await createRunner("sqlite://./app.db", { workflows: [flow] });
    await runner.execute(flow);
    const { fetch } = createInspector(runner, { authorize: () => true });
    const page = await fetch(new Request("http://localhost/runs", { headers: { accept: "text/html" } }));
    console.log(page.status, (await page.text()).includes("flow"));
  `);
  assertEquals(printed, "200 true\n");

  const bin = realpathSync(join(fresh.path, "node_modules/.bin/sluice"));
  const { code, stdout, stderr } = await fresh.execute(bin, ["runs", "list", "sqlite://./app.db", "--json"]);
  assertEquals([code, stderr], [0, ""]);
  const { runs } = JSON.parse(stdout);
  assertEquals(runs.map(({ workflow, state }: Record<string, string>) => [workflow, state]), [["flow", "completed"]]);
  const wrong = await fresh.execute(bin, ["runs", "lst"]);
  assertEquals(wrong.code, 2);

  await using child = start(fresh.path, [bin, "inspect", "sqlite://./app.db", "--port=0"]);
  const served = /http:\/\/localhost:\d+\//.exec(await child.until("http://"))![0].replace("localhost", "127.0.0.1");
  const listed = await (await fetch(`${served}api/runs`)).json();
  assertEquals(listed.runs.length, 1);
  child.kill("SIGTERM");
  assertEquals((await child.exited).code, 0);
});

// What is exported must have types that a declaration file can name, by what the package exports.
const PROGRAM = `
import { createClient, createRunner, dynamicWorkflow, poll, schedule, task, unchecked, workflow } from "@sluice/sluice";
import { createInspector } from "@sluice/sluice/inspector";
import { createTracing } from "@sluice/sluice/otel";
import { createPostgresPool, transaction } from "@sluice/sluice/postgres";
import { openSqliteStore, transaction as onSqlite } from "@sluice/sluice/sqlite";
import type { Store } from "@sluice/sluice/store";
import { createFakeClock } from "@sluice/sluice/testing";

export const load = task({ retry: 3, run: ({ input }: { input: { id: string } }) => ({ size: input.id.length }) });
export const pay = transaction({ run: async ({ tx, load }: { tx: any; load: number }) => Number(await tx\`\${load}\`) });
export const note = onSqlite({ run: ({ tx }) => (tx.exec("select 1"), 1) });
export const child = workflow("child", { input: unchecked<{ sku: string }>() }).task("quote", { run: () => 1 }).returns("quote");
export const flow = workflow("flow", { input: unchecked<{ id: string; ids: string[] }>() })
  .task("load", load)
  .task("pay", { after: ["load"], ...transaction, run: async ({ tx, load }) => (await tx\`select \${load.size}\`).length })
  .task("note", note)
  .map("each", { over: ({ input }) => input.ids, run: ({ item }) => item.length, onItemFailure: "collect" })
  .map("children", { over: ({ input }) => input.ids, workflow: child, input: ({ item }) => ({ sku: item }) })
  .event("approval", { schema: unchecked<{ by: string }>(), timeout: "1d" })
  .sleep("rest", { after: ["approval"], for: "1s" })
  .subworkflow("ship", { workflow: child, input: ({ input }) => ({ sku: input.id }) })
  .task("end", { after: ["ship", "each"], when: () => true, run: ({ ship, each }) => ({ ship, first: each[0] }) })
  .returns("end");
export const hourly = schedule({ name: "hourly", workflow: flow, every: "1h", input: { id: "a", ids: [] } });
export const mails = poll({ name: "mails", every: "1m", workflow: child, cursor: 0, check: ({ cursor }) => ({ cursor: cursor + 1 }) });
export const untyped = dynamicWorkflow({ name: "untyped", tasks: [{ id: "a", run: () => 1 }] });
export const open = async (store: Store | string) => await createRunner(store, { workflows: [flow, child], tracing: createTracing() });
export const clock = createFakeClock();
export const pool = createPostgresPool("postgres://localhost/app");
export const store = () => openSqliteStore("sqlite::memory:");
export async function use(runner: Awaited<ReturnType<typeof open>>) {
  const client = await createClient(await store(), { workflows: [flow] });
  const run = await runner.start("flow", { id: "a", ids: [] });
  const outcome = await run.outcome();
  // @ts-expect-error a run that failed has no result
  outcome.result;
  return {
    ...{ client, run, outcome, result: await run.result(), status: await run.status(), tasks: await run.tasks() },
    ...{ items: await run.items("each"), history: await run.history(), children: await run.children() },
    ...{ events: run.events(), fork: await run.fork(), list: await runner.list(), stats: await runner.stats() },
    ...{ stranded: await runner.stranded(), blocked: await runner.blocked(), why: await runner.explain(run.id) },
    ...{ schedules: await runner.schedules.list(), inspector: createInspector(runner), input: flow.input, graph: flow.graph },
    ...{ limits: await runner.limits(), schedule: await runner.schedules.get("hourly") },
    ...{ next: await runner.schedules.next("hourly", 1), ticks: await runner.schedules.history("hourly") },
  };
}
`;

// A program with explicit types, as isolated declarations need them, that uses the declarations of the other one.
const USE = `
import type { Runner, RunHandle, RunState } from "@sluice/sluice";
import type { ChildInfo, HistoryEntry, ItemInfo, RunInfo, RunStatus, Stats, TaskInfo } from "@sluice/sluice/types";
import type { flow, use } from "./types/app.js";

type Read = Awaited<ReturnType<typeof use>>;
export const open = async (runner: Runner<typeof flow>): Promise<Read["run"]> =>
  await runner.start("flow", { id: "a", ids: [] });
export const kinds = (read: Read): readonly (readonly [TaskInfo, HistoryEntry, ChildInfo, ItemInfo, RunInfo])[] =>
  read.tasks.map((task, at) => [task, read.history[at]!, read.children[at]!, read.items.items[at]!, read.list.runs[at]!]);
export const counts = ({ stats }: Read): Stats["runs"] => stats.runs;
export const state = ({ status }: { readonly status: RunStatus }): RunState => status.state;
export const result = async (run: RunHandle<{ ship: number }>): Promise<number> => (await run.result()).ship;
// @ts-expect-error a task has no such member
export const wrong = ({ tasks }: Read): string => tasks[0]!.nothing;
`;

const COMPILERS = [[5, "nodenext"], [6, "nodenext"], [7, "nodenext"], [7, "preserve"]] as const;

for (const [major, module] of COMPILERS) {
  compilerTest(
    `a program and its declarations compile with the package's types by TypeScript ${major} with modules as in ${module}`,
    async () => {
      using fresh = await project();
      fresh.link(...PEERS, "@types/node");
      assertEquals(await compile(fresh, major, module, { file: "app.ts", source: PROGRAM }), "");
      const declared = readFileSync(join(fresh.path, "types/app.d.ts"), "utf8");
      assertStringIncludes(declared, 'import("@sluice/sluice/types").TaskInfo');
      assertEquals(declared.match(/import\("(?!@sluice\/sluice)[^"]*"\)/g), null);
      if (module !== "nodenext" || major !== 7) return;
      const options = { isolatedDeclarations: true };
      assertEquals(await compile(fresh, major, module, { file: "use.ts", source: USE, options }), "");
    },
  );
}

interface Source {
  readonly file: string;
  readonly source: string;
  /** Options besides the usual ones. */
  readonly options?: Readonly<Record<string, unknown>>;
}

async function compile({ path }: Project, major: number, module: string, source: Source): Promise<string> {
  writeFileSync(join(path, source.file), source.source);
  const options = {
    declaration: true,
    emitDeclarationOnly: true,
    rootDir: ".",
    outDir: "types",
    strict: true,
    exactOptionalPropertyTypes: true,
    target: "esnext",
  };
  const compilerOptions = { ...options, ...source.options, module, types: ["node"], skipLibCheck: false };
  writeFileSync(join(path, "tsconfig.json"), JSON.stringify({ compilerOptions, files: [source.file] }));
  const modules = join(ROOT, "node_modules/.deno");
  const version = readdirSync(modules).find((name) => name.startsWith(`typescript@${major}.`));
  assert(version !== undefined, `TypeScript ${major} is not installed; run deno install`);
  const tsc = join(modules, version, "node_modules/typescript/lib/tsc.js");
  await using child = spawnExecutable(["run", "-A", tsc, "-p", path]);
  const { stdout, stderr } = await child.exited;
  return stdout + stderr;
}

test("the package is removed", removePackage);
