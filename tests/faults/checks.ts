import { JOURNAL } from "../../lib/store/shared/last_result.ts";
import type { AnyWorkflow, Client } from "../../mod.ts";
import type { Row } from "../../lib/store/shared/decode.ts";
import type { Exit } from "../child.ts";
import { HANG_MS } from "../within.ts";
import { type Effect, wrongIn } from "../crash/effects.ts";
import { expected, needsOf } from "../crash/workflows.ts";

/** The data that is checked after a test. */
export interface Evidence {
  /** The schema. */
  readonly schema: string;
  /** A client of it. */
  readonly client: Client<AnyWorkflow>;
  /** Executes a statement without the store. */
  readonly ask: (sql: string) => Promise<readonly Row[]>;
  /** The effects of bodies. */
  readonly effects: readonly Effect[];
  /** The exits of the workers. */
  readonly exits: readonly Exit[];
  /** Runs that workers reported as durable. */
  readonly durable: readonly string[];
  /** Ids of live processes whose runs others took over. */
  readonly givenUp: readonly number[];
}

/** With fewer runs a test proves nothing. */
export const FEWEST_RUNS = 50;

/** Statements that make the database record changes of final rows: results, ends of runs. */
export function auditOf(schema: string): readonly string[] {
  const watch = (table: string, isFinal: string): string => `
    create trigger audit after update or delete on "${schema}".${table}
      for each row when (${isFinal}) execute function "${schema}".note()`;
  return [
    `create table "${schema}".touched (was text not null, becomes text)`,
    `create function "${schema}".note() returns trigger language plpgsql as $$
       begin
         insert into "${schema}".touched values (old::text, case when tg_op = 'UPDATE' then new::text end);
         return null;
       end $$`,
    watch("tasks", "old.state in ('completed', 'failed', 'skipped')"),
    watch("runs", "old.ended_at is not null"),
  ];
}

/** Checks that each run exists and ended as its workflow must, without superfluous attempts. */
export async function wrongRuns({ ask, client, durable }: Evidence): Promise<string[]> {
  const rows = await ask("select id, workflow, input from @runs");
  const there = new Set(rows.map(({ id }) => String(id)));
  const wrong = durable.filter((id) => !there.has(id)).map((id) => `run ${id} was durable, and is not there`);
  if (rows.length < FEWEST_RUNS) wrong.push(`there are only ${rows.length} runs`);
  await Promise.all(rows.map(async ({ id, workflow, input }) => {
    const outcome = await (await client.get(String(id))).outcome();
    const { status } = outcome;
    const actual = status === "completed" ? { status, result: outcome.result } : { status };
    const wanted = expected(String(workflow), JSON.parse(String(input)).n);
    if (JSON.stringify(actual) !== JSON.stringify(wanted)) {
      wrong.push(`run ${id} of ${workflow} is ${JSON.stringify(outcome)}, not ${JSON.stringify(wanted)}`);
    }
  }));
  const burned = await ask(`
    select id, task, attempts
      from @runs join ${JOURNAL} as journal on seq = run
     where step = '' and journal.state <> 'skipped' and attempts <> case task when 'third_time' then 3 else 1 end`);
  for (const { id, task, attempts } of burned) wrong.push(`task ${task} of run ${id} took ${attempts} attempts`);
  return wrong;
}

/** Returns descriptions of unexpected rows. */
export async function wrongRows({ ask }: Evidence): Promise<string[]> {
  const wrong = (await ask("select was, becomes from @touched")).map(({ was, becomes }) =>
    `what was final was touched: ${was} becomes ${becomes}`
  );
  for (const { id, owner } of await ask("select id, owner from @runs where owner is not null")) {
    wrong.push(`run ${id} belongs to runner ${owner}`);
  }
  for (const { id } of await ask("select id from @runners")) wrong.push(`runner ${id} is left over`);
  const open = await ask(`
    select id, task, journal.state
      from ${JOURNAL} as journal join @runs on run = seq
     where journal.state not in ('completed', 'failed', 'skipped')`);
  for (const { id, task, state } of open) wrong.push(`task ${task} of run ${id}, which has ended, is ${state}`);
  const orphans = await ask("select run, task from @tasks where run not in (select seq from @runs)");
  for (const { run, task } of orphans) wrong.push(`task ${task} belongs to row ${run}, which is not there`);
  return wrong;
}

/** Returns descriptions of unexpected effects of bodies. */
export async function wrongEffects({ ask, effects, givenUp }: Evidence): Promise<string[]> {
  const workflows = new Map((await ask("select id, workflow from @runs")).map((row) => [row["id"], row["workflow"]]));
  const needs = new Map<string, readonly string[]>();
  const wrong = wrongIn(effects, (runId, unit) => {
    const workflow = String(workflows.get(runId));
    const key = `${workflow} ${unit}`;
    if (!needs.has(key)) needs.set(key, needsOf(workflow, unit));
    return needs.get(key)!;
  });
  // Work in progress continues until the runner learns that its runs were taken over, which cannot be prevented: bodies
  // end late, and bodies of runs that had just been claimed begin late, and may begin again in the next owner.
  const late = givenUp.map((pid) =>
    new RegExp(
      ` by ${pid}: (it belongs to \\d+ by now|its owner \\d+ lives|its result is committed|the same process did it before)$` +
        `| by \\d+: it belongs to ${pid} by now$`,
    )
  );
  return wrong.filter((line) => !late.some((pattern) => pattern.test(line)));
}

/** Returns the errors in the output of workers. */
export function wrongWords({ exits }: Evidence): string[] {
  return exits.flatMap(({ stdout, stderr }) =>
    `${stdout}\n${stderr}`.split("\n").filter((line) => /^error|uncaught|unhandled/i.test(line))
  );
}

/** Returns leftover connections of the library: all if there are more than `most`, and those in a transaction. */
export async function wrongConnections({ ask, schema }: Evidence, most: number): Promise<string[]> {
  const look = `
    select application_name as name, state
      from pg_stat_activity
     where application_name like 'sluice%${schema}'`;
  // A server process ends shortly after its client.
  for (const deadline = performance.now() + HANG_MS;;) {
    const rows = await ask(look);
    if (rows.length <= most && rows.every(({ state }) => state === "idle")) return [];
    if (performance.now() > deadline) return rows.map(({ name, state }) => `connection ${name} is left, ${state}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
