/**
 * Converts the CSV files of a folder, however many, to JSON.
 *
 *     deno run -A examples/convert.ts reports converted       # converts reports/**.csv to converted/**.json
 *     deno run -A examples/convert.ts reports converted       # again: continues, or shows the outcome
 *     deno run -A examples/convert.ts reports converted --retry   # converts the files that could not be read before
 *
 * With Bun: `bun examples/convert.ts …`. The state is in `.sluice/convert.db` in the current directory, or in the file
 * that `--db=FILE` names. Stop it with Ctrl-C or `kill -9` at any time: the next start converts only what is left.
 */
import { mkdirSync } from "node:fs";
import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { createRunner, NonRetryableError, unchecked, workflow } from "../mod.ts";

const convert = workflow("convert", { input: unchecked<{ readonly source: string; readonly target: string }>() })
  .map("files", {
    over: async ({ input }) => (await readdir(input.source, { recursive: true })).filter(isCsv).sort(),
    concurrency: 32,
    // A failed file does not stop the others; retry() repeats only the failed ones.
    onItemFailure: "finish",
    async run({ item, input, ctx }) {
      const rows = parse(item, await readFile(join(input.source, item), "utf8"));
      const path = join(input.target, item.replace(/\.csv$/i, ".json"));
      await mkdir(dirname(path), { recursive: true });
      // A killed process leaves either a complete file or none.
      await writeFile(`${path}.${ctx.attempt}.part`, JSON.stringify(rows), { signal: ctx.signal });
      await rename(`${path}.${ctx.attempt}.part`, path);
      return rows.length;
    },
  })
  .task("total", { after: ["files"], run: ({ files }) => ({ files: files.length, rows: files.reduce(add, 0) }) })
  .returns("total");

const { values, positionals } = parseArgs({
  options: { db: { type: "string", default: ".sluice/convert.db" }, retry: { type: "boolean", default: false } },
  allowPositionals: true,
});
const [source, target] = positionals;
if (source === undefined || target === undefined) {
  console.error("Usage: convert.ts SOURCE TARGET [--retry] [--db=FILE]");
  process.exit(2);
}
const file = resolve(values.db);
mkdirSync(dirname(file), { recursive: true });
await using runner = await createRunner(`sqlite://${file}`, { workflows: [convert] });
const input = { source: resolve(source), target: resolve(target) };
// One run for these folders: the same key finds it again.
const run = await runner.start(convert, input, { key: `${input.source} > ${input.target}`.slice(-500) });
if (values.retry && (await run.status()).state === "failed") await run.retry();
const timer = setInterval(async () => console.error((await runner.explain(run.id)).summary), 2_000);
const outcome = await run.outcome();
clearInterval(timer);
if (outcome.status === "completed") {
  console.log(`${outcome.result.files} files converted, ${outcome.result.rows} rows`);
} else if (outcome.status === "failed") {
  for (const { item, error } of outcome.failures) if (item !== undefined) console.error(error.message);
  console.error(`${outcome.error.message.split(";")[0]}; correct them and start again with --retry`);
  process.exitCode = 1;
}

function isCsv(path: string): boolean {
  return path.toLowerCase().endsWith(".csv");
}

/** Parses CSV with a header line and without quotes. */
function parse(path: string, text: string): Record<string, string>[] {
  const [head = "", ...lines] = text.trimEnd().split(/\r?\n/);
  const names = head.split(",");
  return lines.map((line, at) => {
    const fields = line.split(",");
    if (fields.length !== names.length) {
      throw new NonRetryableError(`${path}: line ${at + 2} has ${fields.length} fields instead of ${names.length}`);
    }
    return Object.fromEntries(names.map((name, column) => [name, fields[column]!]));
  });
}

function add(a: number, b: number): number {
  return a + b;
}
