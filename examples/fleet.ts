/**
 * Three runner processes on one database share the work. One of them is killed in the middle, and the others take over
 * its runs.
 *
 *     deno run -A examples/fleet.ts [URL] [--runs=600] [--runners=3] [--wait=200]
 *     bun examples/fleet.ts [URL] [--runs=600] [--runners=3] [--wait=200]
 *
 * `npx -y deno run …` works without an installation of Deno. URL is postgres://… or sqlite://./fleet.db; the code is
 * the same. The default is `DATABASE_URL`; if that is not set either, a Postgres server is started for the duration of
 * the example (run `deno install` once, which installs its binaries). On Postgres the example uses a separate schema, a
 * tenant, which is removed at the end.
 *
 * There is no leader. Each runner claims runs whenever it has free capacity (`maxRuns`); runs of a dead process can be
 * claimed again. --wait is the time in milliseconds for which the first task of each run waits for a simulated remote
 * service.
 *
 * See also `fleet/survey.ts` (the workflow), `fleet/runner.ts` (a runner process, as you would deploy it) and
 * `fleet/database.ts` (creates and removes a tenant). `fleet/crew.ts` starts the processes, `fleet/view.ts` shows
 * progress.
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { createClient } from "../mod.ts";
import { type Member, startMember } from "./fleet/crew.ts";
import { openDatabase } from "./fleet/database.ts";
import { type Range, surveyBy } from "./fleet/survey.ts";
import { column, showCrew } from "./fleet/view.ts";

/** How many numbers a run examines. */
const SPAN = 1_000;
/** The part of the runs after which one runner is killed. */
const KILL_AT = 0.4;

async function main(args: readonly string[]): Promise<number> {
  const { url, runs, runners, waitMs } = readArguments(args);
  await using database = await openDatabase(url);
  const { schema } = database;
  console.log(`${runs} runs for ${runners} runner processes on ${database.what}.`);

  const crew: Member[] = [];
  try {
    const survey = surveyBy("client");
    await using client = await createClient(database.url, {
      workflows: [survey],
      ...(schema === undefined ? {} : { schema }),
    });
    for (let n = 1; n <= runners; n++) crew.push(startMember(`runner ${n}`, database.url, schema));
    await Promise.all(crew.map(({ ready }) => ready));

    const begunAt = performance.now();
    const handles = await client.startMany(survey, rangesOf(runs, waitMs));
    const view = showCrew(crew, runs);
    const killing = killOne(crew, runs);
    const outcomes = await Promise.all(handles.map((handle) => handle.outcome()));
    const tookMs = performance.now() - begunAt;
    const victim = killing.end();
    await Promise.all(crew.map((member) => member.stop()));
    view.end();

    const results = outcomes.flatMap((outcome) => outcome.status === "completed" ? [outcome.result] : []);
    console.log(toSummary(crew, victim, runs, results, tookMs));
    return results.length === runs ? 0 : 1;
  } finally {
    await Promise.all(crew.map((member) => member.stop()));
  }
}

/** Kills the second runner once enough runs have ended; `end()` returns the killed one. */
function killOne(crew: readonly Member[], runs: number): { end(): Member | undefined } {
  const victim = crew[1];
  const timer = setInterval(() => {
    const done = crew.reduce((sum, { report }) => sum + report.runs, 0);
    if (victim === undefined || done < runs * KILL_AT) return;
    victim.kill();
    clearInterval(timer);
  }, 10);
  return {
    end() {
      clearInterval(timer);
      return victim?.isKilled ? victim : undefined;
    },
  };
}

interface Result {
  readonly primes: number;
  readonly twins: number;
  /** The runner that executed each task. */
  readonly by: readonly string[];
}

/** Counts the recorded results, because the last report of a killed runner may be too low. */
function toSummary(
  crew: readonly Member[],
  victim: Member | undefined,
  runs: number,
  results: readonly Result[],
  tookMs: number,
): string {
  const sum = (value: (result: Result) => number): number => results.reduce((all, result) => all + value(result), 0);
  const lines = crew.map(({ name }) => {
    const ended = sum(({ by }) => by.at(-1) === name ? 1 : 0);
    const tasks = sum(({ by }) => by.filter((one) => one === name).length);
    return `  ${name}  ${column(ended)} runs  ${column(tasks)} tasks  ${column(Math.round(100 * ended / runs), 3)} %`;
  });
  const recovered = crew.reduce((all, { report }) => all + report.recovered, 0);
  const shared = sum(({ by }) => new Set(by).size > 1 ? 1 : 0);
  const killed = victim === undefined
    ? "No runner was killed: all was done before."
    : `${victim.name} was killed with SIGKILL while it held ${recovered} runs, and the others took them over: ${shared} of ` +
      "them had begun, and kept what was done.";
  const all = results.length === runs ? `All ${runs} runs completed` : `${results.length} of ${runs} runs completed`;
  return [
    `${all} in ${(tookMs / 1_000).toFixed(1)} s:`,
    ...lines,
    killed,
    `Below ${runs * SPAN} there are ${sum(({ primes }) => primes)} primes, ` +
    `and ${sum(({ twins }) => twins)} of them have a twin above.`,
  ].join("\n");
}

/** Services respond at different speeds: from 0.5 to 1.5 times the given time. */
function rangesOf(runs: number, waitMs: number): readonly Range[] {
  return Array.from({ length: runs }, (_, n) => ({
    from: n * SPAN,
    to: (n + 1) * SPAN,
    waitMs: Math.round(waitMs * (0.5 + (n * 37 % 100) / 100)),
  }));
}

function readArguments(
  args: readonly string[],
): { url: string | undefined; runs: number; runners: number; waitMs: number } {
  const { positionals, values } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      runs: { type: "string", default: "600" },
      runners: { type: "string", default: "3" },
      wait: { type: "string", default: "200" },
    },
  });
  const number = (name: "runs" | "runners" | "wait", least: number): number => {
    const value = Number(values[name]);
    if (Number.isSafeInteger(value) && value >= least) return value;
    throw new TypeError(`--${name} takes a number from ${least} on, not "${values[name]}".`);
  };
  if (positionals.length > 1) throw new TypeError(`One database at a time, not ${positionals.join(" and ")}.`);
  return { url: positionals[0], runs: number("runs", 1), runners: number("runners", 1), waitMs: number("wait", 0) };
}

if (import.meta.main) {
  process.exitCode = await main(process.argv.slice(2)).catch((error) => {
    console.error(error instanceof Error ? error.message : String(error));
    return 1;
  });
}
