/** A Postgres schema full of runs, and what a claim or a flush costs there: for the test and the benchmark of full stores. */
import type postgres from "postgres";
import type { Batch, ClaimRequest } from "../../lib/store/port/batch.ts";
import { createHostOrder } from "../../lib/store/postgres/connect/hosts.ts";
import { claimValues } from "../../lib/store/postgres/fleet/claim.ts";
import { CLAIM } from "../../lib/store/postgres/fleet/claim_sql.ts";
import { flushOf } from "../../lib/store/postgres/write/flush_values.ts";
import type { Bindable } from "../../lib/store/postgres/connect/connection.ts";
import { createLine } from "../../lib/store/postgres/connect/line.ts";
import { statementIn } from "../../lib/store/postgres/connect/session.ts";
import { parsePostgresUrl } from "../../lib/store/postgres/connect/url.ts";

/** How many runs of each kind there are to be. */
export interface Backlog {
  /** Due now. */
  readonly pending: number;
  /** Due in a year. */
  readonly delayed: number;
  /** Completed. Their tasks are left out: a claim reads none. */
  readonly finished: number;
}

/** Whose they are. */
export interface Whose {
  /** The workflow. */
  readonly workflow: string;
  /** Its version. */
  readonly version: string;
}

/** Rows as the store writes them, made by the server: to carry millions of runs to their end would take hours. */
export async function fill(sql: postgres.Sql, schema: string, whose: Whose, backlog: Backlog): Promise<void> {
  const { pending, delayed, finished } = backlog;
  const insert = (count: number, state: string, epoch: number, due: string, ended: string): string => `
    insert into "${schema}".runs (id, epoch, state, workflow, version, priority, due_at, created_at, started_at, ended_at,
                                  input)
    select gen_random_uuid(), ${epoch}, '${state}', '${whose.workflow}', '${whose.version}', 0, ${due}, now - n,
           ${ended}, ${ended}, '"xxxxxxxxxx"'
      from generate_series(1, ${count}) as n,
           (select floor(extract(epoch from clock_timestamp()) * 1000)::bigint as now) as clock`;
  await sql.unsafe(insert(finished, "completed", 1, "now - n", "now - n"));
  await sql.unsafe(insert(delayed, "waiting", 1, "now + 31536000000 + n", "null"));
  await sql.unsafe(insert(pending, "pending", 0, "now - n", "null"));
}

/** What the server did for a statement. */
export interface StatementCost {
  /** How tables were read, as `Index Scan runs runs_due`, each way once. */
  readonly ways: readonly string[];
  /** Rows that were read from the tables and their indexes. */
  readonly rowsRead: number;
  /** Pages of 8 KiB that were touched. */
  readonly buffers: number;
  /** Rows that the first change in it would write: those that a claim takes. */
  readonly written: number;
  /** By the server's watch, without planning. */
  readonly ms: number;
}

/** Has the server explain a claim, as a store with or without prepared statements would send it, and takes it back. */
export async function explainClaim(
  url: string,
  schema: string,
  request: ClaimRequest,
  prepare: boolean,
): Promise<StatementCost> {
  return await explain(url, statementIn(schema, CLAIM), claimValues(request, 1, null), prepare);
}

/** The same of all statements of a commit, each by itself. */
export async function explainFlush(
  url: string,
  schema: string,
  part: Batch,
  prepare: boolean,
): Promise<StatementCost> {
  const costs: StatementCost[] = [];
  for (const { sql, values } of flushOf(part, { at: null, news: null, wake: null, isWary: false })) {
    costs.push(await explain(url, statementIn(schema, sql), values, prepare));
  }
  const sum = (of: (cost: StatementCost) => number): number => costs.reduce((all, cost) => all + of(cost), 0);
  return {
    ways: [...new Set(costs.flatMap(({ ways }) => ways))].sort(),
    rowsRead: sum(({ rowsRead }) => rowsRead),
    buffers: sum(({ buffers }) => buffers),
    written: sum(({ written }) => written),
    ms: sum(({ ms }) => ms),
  };
}

async function explain(
  url: string,
  text: string,
  values: readonly Bindable[],
  prepare: boolean,
): Promise<StatementCost> {
  const line = createLine({
    address: parsePostgresUrl(url),
    hosts: createHostOrder(1),
    applicationName: "explain",
    deadlineMs: 600_000,
    prepare,
  });
  const how = "explain (analyze, buffers, format json)";
  // What is explained with bound values is planned for these; only what is prepared by name is planned for all.
  const literals = values.map((value) => value === null ? "null" : `'${value.replaceAll("'", "''")}'`).join(", ");
  const undone = new Error("taken back");
  let cost: StatementCost | undefined;
  try {
    await line.transact(async (query) => {
      if (prepare) await query(`prepare explained as ${text}`, []);
      const [row] = prepare
        ? await query(`${how} execute explained (${literals})`, [])
        : await query(`${how} ${text}`, values);
      const answer = row!["QUERY PLAN"];
      const [explained] = typeof answer === "string" ? JSON.parse(answer) : answer as Explained[];
      cost = costOf(explained);
      throw undone;
    });
  } catch (error) {
    if (error !== undone) throw error;
  } finally {
    await line.close();
  }
  return cost!;
}

interface Explained {
  readonly Plan: PlanNode;
  readonly "Execution Time": number;
}

interface PlanNode {
  readonly "Node Type": string;
  readonly "Relation Name"?: string;
  readonly "Index Name"?: string;
  readonly "Actual Rows": number;
  readonly "Actual Loops": number;
  readonly "Rows Removed by Filter"?: number;
  readonly "Shared Hit Blocks": number;
  readonly "Shared Read Blocks": number;
  readonly Plans?: readonly PlanNode[];
}

function costOf(explained: Explained): StatementCost {
  const root = explained.Plan;
  const nodes = [...every(root)];
  const scans = nodes.filter((node) => node["Node Type"].endsWith("Scan") && "Relation Name" in node);
  return {
    ways: [
      ...new Set(
        scans.map((node) => [node["Node Type"], node["Relation Name"], node["Index Name"]].filter(Boolean).join(" ")),
      ),
    ].sort(),
    rowsRead: scans.reduce(
      (sum, node) => sum + node["Actual Loops"] * (node["Actual Rows"] + (node["Rows Removed by Filter"] ?? 0)),
      0,
    ),
    buffers: root["Shared Hit Blocks"] + root["Shared Read Blocks"],
    written: nodes.find((node) => node["Node Type"] === "ModifyTable")?.["Actual Rows"] ?? 0,
    ms: explained["Execution Time"],
  };
}

function* every(node: PlanNode): Iterable<PlanNode> {
  yield node;
  for (const child of node.Plans ?? []) yield* every(child);
}
