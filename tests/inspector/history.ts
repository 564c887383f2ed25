/** A store with a long history, made by SQL: to carry so many runs to their end would take hours. */
import type { Ground, KINDS } from "./ground.ts";

/** Every hundredth run has failed, every thousandth was cancelled, as many wait; the latest are pending. */
export async function fillHistory(
  on: Ground,
  kind: typeof KINDS[number],
  { runs, pending }: { readonly runs: number; readonly pending: number },
): Promise<void> {
  const now = Date.now();
  const isSqlite = kind === "sqlite";
  const numbers = isSqlite
    ? (count: number) =>
      `(with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < ${count})
                           select n from numbers) as numbers`
    : (count: number) => `generate_series(1, ${count}) as n`;
  const id = isSqlite
    ? "substr(printf('%012x', AT), 1, 8) || '-' || substr(printf('%012x', AT), 9) || printf('-7000-8000-%012x', n)"
    : "(lpad(to_hex(AT), 12, '0') || '7000' || '8000' || lpad(to_hex(n), 12, '0'))::uuid";
  const at = `(${now - runs} + n)`;
  const workflow = "'workflow ' || (n % 20)";
  const key = `case when n % 10 = 0 then 'order-' || n end`;
  const tags = `case when n = 7 then '["rare"]' else '["eu","nightly"]' end`;
  const columns = "epoch, state, id, workflow, version, key, tags, priority, due_at, created_at, input";
  const values = `${id.replaceAll("AT", at)}, ${workflow}, 'v' || (n % 3), ${key}, ${tags}, 0`;
  const end = (state: string, where: string): string => `
    insert into runs (${columns}, started_at, ended_at)
    select 1, ${state}, ${values}, ${at}, ${at}, '"xxxxxxxxxx"', ${at}, ${at} + n % 1000
      from ${numbers(runs)}
     where ${where}`;
  await on.run(end(
    "case when n % 100 = 0 then 'failed' when n % 1000 = 1 then 'cancelled' else 'completed' end",
    "n % 1000 <> 2",
  ));
  await on.run(`
    insert into runs (${columns})
    select 1, 'waiting', ${values}, ${now + 3_600_000}, ${at}, '"xxxxxxxxxx"'
      from ${numbers(runs)}
     where n % 1000 = 2`);
  const later = `(${now} + n)`;
  await on.run(`
    insert into runs (${columns})
    select 0, 'pending', ${id.replaceAll("AT", later)}, ${workflow}, 'v1', null, null, 0, ${now} - n, ${now}, '"x"'
      from ${numbers(pending)}`);
  await on.run(`
    insert into tasks (run, task, step, epoch, state, attempts, started_at, ended_at, output)
    select seq, 'task ' || n, '', 1, 'completed', 1, started_at, ended_at, '"y"'
      from runs, ${numbers(3)}
     where ended_at is not null and seq > (select max(seq) from runs) - ${pending + 100_000}`);
  await on.run(`
    insert into workflows (workflow, version, structure, graph, created_at)
    select 'workflow ' || (n % 20), 'v' || (n % 3), 's',
           '{"name":"w","tasks":[{"id":"task 1","kind":"task","after":[],"on":"success","conditional":false,"attempts":3}]}',
           ${now} + n
      from ${numbers(60)}`);
  await on.run(isSqlite ? "pragma wal_checkpoint(truncate)" : "vacuum analyze runs, tasks");
}

/** Requests that look at the history from all sides. */
export const QUESTIONS: readonly string[] = [
  "/api/runs",
  "/api/runs?state=completed",
  "/api/runs?state=failed",
  "/api/runs?state=failed&workflow=none",
  "/api/runs?state=pending",
  "/api/runs?state=waiting",
  "/api/runs?state=running",
  "/api/runs?workflow=workflow+3",
  "/api/runs?workflow=none",
  "/api/runs?tag=rare",
  "/api/runs?tag=nightly&state=completed",
  "/api/runs?until=MIDDLE",
  "/api/runs?since=MIDDLE&until=MIDDLE&workflow=none",
  "/api/runs?q=order-4",
  "/api/runs?q=nowhere",
  "/api/runs?q=0000000",
  "/api/runs/RUN",
  "/api/workflows",
  "/api/workflows/workflow%203",
  "/api/runners",
  "/metrics",
];
