/**
 * A real pipeline on real input: it analyses the history of a git repository.
 *
 *     deno run -A examples/quickstart.ts [REPOSITORY] [--out=FILE] [--state=FOLDER] [--slow[=MS]]
 *     bun examples/quickstart.ts [REPOSITORY] [--out=FILE] [--state=FOLDER] [--slow[=MS]]
 *
 * `npx -y deno run …` works without an installation of Deno. REPOSITORY defaults to the repository of the current
 * directory. The report is written to `sluice-report.md`, or to FILE. The only requirement is git.
 *
 * Kill it at any time (`kill -9`, Ctrl-C, a power failure) and run the same command again: it continues where it
 * stopped, and reports that. `--slow` gives you time to do so: each analysis then takes two seconds (or MS
 * milliseconds), and only two run at once.
 *
 * The state is in `.sluice/` in the current directory, which git ignores, or in FOLDER: an SQLite file and, during a
 * run, the commits that it has read. It may be deleted while the example is not running.
 */
import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { createClient, createRunner, unchecked, workflow } from "../mod.ts";
import { countAuthors, countFiles, countMonths, findOwners, measureChurn } from "./quickstart/analyses.ts";
import { openRepository, type Repository } from "./quickstart/git.ts";
import { showProgress } from "./quickstart/progress.ts";
import { toSummary } from "./quickstart/report.ts";
import { sweep } from "./quickstart/spool.ts";
import { count, plain } from "./quickstart/text.ts";
import { commitsOf, type ReportInput, treeOf, writeHistory, writeReport, writeTree } from "./quickstart/tasks.ts";

/**
 * The pipeline: two tasks read the history and the list of files, five analyses run at once, and a report joins them.
 */
export const gitReport = workflow("git-report", { input: unchecked<ReportInput>() })
  .task("history", { run: writeHistory })
  .task("tree", { run: writeTree })
  .task("authors", { after: ["history"], run: (args) => countAuthors(commitsOf(args)) })
  .task("months", { after: ["history"], run: (args) => countMonths(commitsOf(args)) })
  .task("files", { after: ["history", "tree"], run: async (args) => countFiles(commitsOf(args), await treeOf(args)) })
  .task("churn", { after: ["history", "tree"], run: async (args) => measureChurn(commitsOf(args), await treeOf(args)) })
  .task("owners", { after: ["history", "tree"], run: async (args) => findOwners(commitsOf(args), await treeOf(args)) })
  .task("report", {
    after: ["history", "tree", "authors", "months", "files", "churn", "owners"],
    run: writeReport,
  });

async function main(args: readonly string[]): Promise<number> {
  const begunAt = performance.now();
  const { path, out, state, slowMs } = readArguments(args);
  const repository = await openRepository(path);
  const folder = makeFolder(state, repository);
  const file = join(folder, "runs.db");
  const interrupted = await findInterrupted(urlOf(file));
  if (interrupted) console.log(resuming(interrupted, repository));

  const stranded = Promise.withResolvers<string>();
  const progress = showProgress(process.stdout, gitReport.graph.order, interrupted?.done);
  await using runner = await createRunner(urlOf(file), {
    workflows: [gitReport],
    concurrency: slowMs > 0 ? 2 : 64,
    onEvent: (event) => {
      progress.onEvent(event);
      if (event.type === "run.stranded") stranded.resolve(event.reason);
    },
  });
  using _ = onInterrupt(async () => {
    progress.end();
    await runner.stop({ timeout: 0 });
    console.log("Interrupted. The same command goes on from here.");
  });
  // The key identifies one invocation: with the key of an interrupted one, `start` returns its run.
  const key = interrupted?.key ?? `${repository.head} ${randomUUID()}`;
  const { path: at, name, head, shallow } = repository;
  const run = await runner.start(gitReport, { path: at, name, head, shallow, spools: folder, out, slowMs }, { key });
  // The run may have begun with an older version of the pipeline above, if you have edited it since.
  void stranded.promise.then((reason) => run.cancel(`the pipeline was changed, so it cannot go on: ${reason}`));
  const outcome = await run.outcome();
  progress.end();

  if (outcome.status === "failed") throw new Error(outcome.error.message);
  if (outcome.status === "cancelled") throw new Error(`The run was cancelled: ${outcome.reason ?? "nobody said why"}`);
  const { result } = outcome;
  await sweep(folder, async () => new Set((await runner.list(UNFINISHED)).runs.map(({ id }) => id)));
  console.log(`\n${toSummary(result)}\n`);
  console.log(`Report: ${relative(".", result.report.file)}`);
  console.log(`State:  ${relative(".", file)}`);
  console.log(`Done in ${count(Math.round(performance.now() - begunAt))} ms.`);
  return 0;
}

const UNFINISHED = { workflow: gitReport.name, state: ["pending", "running", "waiting", "paused"] } as const;

interface Interrupted {
  readonly id: string;
  readonly key: string;
  readonly createdAt: number;
  /** Tasks whose results are recorded. */
  readonly done: readonly string[];
}

/**
 * Returns the latest unfinished run of this repository. Called before a runner is open, which would continue the run.
 */
async function findInterrupted(url: string): Promise<Interrupted | undefined> {
  await using client = await createClient(url, { workflows: [gitReport] });
  const { runs: [run] } = await client.list({ ...UNFINISHED, limit: 1 });
  if (run?.key === undefined) return undefined;
  const { id, key, createdAt } = run;
  const tasks = await client.get(id).tasks();
  return { id, key, createdAt, done: tasks.filter(({ state }) => state === "completed").map(({ id }) => id) };
}

function resuming({ id, key, createdAt, done }: Interrupted, { head }: Repository): string {
  const [began = ""] = key.split(" ");
  const at = new Date(createdAt).toISOString().slice(0, 19).replace("T", " ");
  const all = gitReport.graph.order.length;
  const finished = `${done.length} of ${all} tasks were done${done.length > 0 ? ` (${done.join(", ")})` : ""}`;
  const moved = began === head ? "" : ` It looks at ${began.slice(0, 10)}, where the repository was then.`;
  return `Resuming run ${id} of ${at} UTC: ${finished}.${moved}`;
}

/** Returns the folder with the state for this repository. */
function makeFolder(state: string, { name, id }: Repository): string {
  if (!existsSync(state)) {
    mkdirSync(state, { recursive: true });
    // Makes git ignore the folder.
    writeFileSync(join(state, ".gitignore"), "*\n");
  }
  const folder = join(state, `${name.replace(/[^A-Za-z0-9._-]/g, "_")}-${id}`);
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** Hands back unfinished runs on Ctrl-C, so that the next start need not wait for the detection of a dead process. */
function onInterrupt(handBack: () => Promise<void>): Disposable {
  const leave = () => void handBack().finally(() => process.exit(130));
  process.once("SIGINT", leave);
  return { [Symbol.dispose]: () => process.off("SIGINT", leave) };
}

function urlOf(file: string): string {
  return `sqlite://./${relative(".", file).split(sep).map(encodeURIComponent).join("/")}`;
}

function readArguments(args: readonly string[]): { path: string; out: string; state: string; slowMs: number } {
  const { positionals, values } = parseArgs({
    args: args.map((arg) => arg === "--slow" ? "--slow=2000" : arg),
    allowPositionals: true,
    options: {
      out: { type: "string", default: "sluice-report.md" },
      state: { type: "string", default: ".sluice" },
      slow: { type: "string", default: "0" },
    },
  });
  const slowMs = Number(values.slow);
  if (positionals.length > 1) throw new TypeError(`One repository at a time, not ${positionals.join(" and ")}.`);
  if (!(slowMs >= 0)) {
    throw new TypeError(`--slow takes milliseconds, as in --slow=500, not "${values.slow}".`);
  }
  const out = resolve(values.out);
  if (!statSync(dirname(out), { throwIfNoEntry: false })?.isDirectory()) {
    throw new TypeError(`There is no directory "${dirname(out)}" for the report.`);
  }
  if (statSync(out, { throwIfNoEntry: false })?.isDirectory()) {
    throw new TypeError(`--out names a file, but "${out}" is a directory.`);
  }
  return { path: positionals[0] ?? ".", out, state: resolve(values.state), slowMs };
}

if (import.meta.main) {
  process.exitCode = await main(process.argv.slice(2)).catch((error) => {
    console.error(plain(error instanceof Error ? error.message : String(error)));
    return 1;
  });
}
