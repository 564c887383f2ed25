import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import postgres from "postgres";
import { spawn } from "../child.ts";
import { test } from "../harness.ts";
import { databaseUrl } from "../postgres_server.ts";
import { tempDir } from "../temp_dir.ts";

const SCRIPT = "../examples/fleet.ts";
const RUNS = 120;

// Before any test, so that none of them is held to have left the server behind.
const url = await databaseUrl();

/** Runs a small fleet; checks all that it says and that does not depend on how the work was shared. */
async function fleet(database: string | undefined): Promise<string> {
  const args = [`--runs=${RUNS}`, "--wait=60"];
  await using child = database === undefined
    ? spawn(SCRIPT, args, { DATABASE_URL: "" })
    : spawn(SCRIPT, [database, ...args]);
  const { code, stdout, stderr } = await child.exited;
  assertEquals({ code, stderr }, { code: 0, stderr: "" }, stdout);
  const [, summary = ""] = stdout.split(/^(?=All )/m);
  assertMatch(summary, new RegExp(`^All ${RUNS} runs completed in [0-9.]+ s:\n`));
  const counts = [...summary.matchAll(/^ {2}runner (\d) +(\d+) runs +(\d+) tasks +(\d+) %$/gm)].map((found) =>
    found.slice(1).map(Number)
  );
  assertEquals(counts.map(([runner]) => runner), [1, 2, 3]);
  const sum = (column: number): number => counts.reduce((all, row) => all + row[column]!, 0);
  assertEquals([sum(1), sum(2)], [RUNS, RUNS * 4]);
  // The one that is killed may not have completed a run by then.
  assert(counts.every(([, , tasks]) => tasks! > 0), `each runner has a share:\n${summary}`);
  const taken = /^runner 2 was killed with SIGKILL while it held (\d+) runs, and the others took them over/m.exec(
    summary,
  );
  assert(Number(taken?.[1]) > 0, summary);
  assertMatch(stdout, /^ {2}runner 2 {2}[#.]{30} +\d+ runs +\d+ tasks +\d+ % {2}killed$/m);
  assertMatch(stdout, /^ {2}runner [13] {2}[#.]{30} .*\(\d+ taken over\)$/m);
  const [primes, twins] = primesBelow(RUNS * 1_000);
  assertStringIncludes(summary, `Below ${RUNS * 1_000} there are ${primes} primes, and ${twins} of them have a twin`);
  return stdout;
}

/** By another way than the example's. */
function primesBelow(end: number): [primes: number, twins: number] {
  const isComposite = new Uint8Array(end + 3).fill(1, 0, 2);
  for (let n = 2; n * n < isComposite.length; n++) {
    if (isComposite[n] === 0) { for (let at = n * n; at < isComposite.length; at += n) isComposite[at] = 1; }
  }
  const primes = [...isComposite.keys()].filter((n) => n < end && isComposite[n] === 0);
  return [primes.length, primes.filter((n) => isComposite[n + 2] === 0).length];
}

test("the fleet shares its work on a SQLite file, and outlives a runner that is killed", async () => {
  using dir = tempDir();
  const stdout = await fleet(`sqlite://${join(dir.path, "fleet.db")}`);
  assertStringIncludes(stdout, `${RUNS} runs for 3 runner processes on a SQLite file.\n`);
});

test("the fleet does the same on Postgres, and leaves no schema behind", async () => {
  const stdout = await fleet(url);
  const [, schema = ""] = /runner processes on Postgres, schema "(fleet_[0-9a-f]{8})"\./.exec(stdout) ?? [];
  const sql = postgres(url, { max: 1, max_lifetime: null, fetch_types: false });
  const [left] = await sql`select to_regnamespace(${schema}) is null as gone`;
  await sql.end({ timeout: 1 });
  assertEquals(left?.["gone"], true);
});

test("the fleet brings a Postgres of its own where it is given none", async () => {
  const stdout = await fleet(undefined);
  assertMatch(stdout, /^120 runs for 3 runner processes on a Postgres of its own, schema "fleet_[0-9a-f]{8}"\.$/m);
});

test("the fleet refuses invalid arguments with a sentence and exit code 1", async () => {
  const wrong = [
    {
      args: ["mysql://localhost"],
      message: /^Cannot use the Postgres URL: it is not a Postgres URL; expected "postgres:.*\n$/,
    },
    { args: ["sqlite::memory:", "--runs=many"], message: /^--runs takes a number from 1 on, not "many"\.\n$/ },
    { args: ["sqlite::memory:"], message: /^A database in memory is of one process only: name a file\.\n$/ },
    { args: ["a", "b"], message: /^One database at a time, not a and b\.\n$/ },
  ];
  for (const { args, message } of wrong) {
    await using child = spawn(SCRIPT, args);
    const { code, stderr } = await child.exited;
    assertEquals(code, 1);
    assertMatch(stderr, message);
  }
});
