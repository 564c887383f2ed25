/** Runs with a key that begins with a text, by the indexes of keys. Both databases compare keys as bytes of UTF-8. */
import { type Dialect, texts } from "./dialect.ts";
import { all, type Op } from "./operation.ts";
import { HAS_ACTIVE_KEY, HAS_KEY } from "./sources.ts";
import { and, raw, type Sql, sql } from "./statement.ts";

const INDEXES = [
  { index: "runs_key", where: HAS_KEY },
  { index: "runs_active_key", where: HAS_ACTIVE_KEY },
] as const;

/**
 * Returns the rows of runs whose key begins with a text, each after `from`. The indexes begin with the workflow, so
 * without one those that have keys are read first, by a search for each.
 */
export function* keyedRows(db: Dialect, workflow: string | undefined, keyPrefix: string): Op<readonly Sql[]> {
  const sources: Sql[] = [];
  for (const { index, where } of INDEXES) {
    const workflows = workflow === undefined ? yield* workflowsIn(db, index, where) : [workflow];
    const bounds = [raw(where), db.isIn("workflow", texts(workflows)), ...boundsOf(keyPrefix)];
    if (workflows.length > 0) sources.push(sql`@runs indexed by ${raw(index)} where ${and(bounds)}`);
  }
  return sources;
}

function* workflowsIn(db: Dialect, index: string, where: string): Op<readonly string[]> {
  const rows = yield* all(sql`
with recursive ${db.walk({ name: "keyed", index, columns: ["workflow"], where: raw(where) })}
select of_workflow as workflow from keyed`);
  return rows.map((row) => String(row["workflow"]));
}

function boundsOf(keyPrefix: string): readonly Sql[] {
  const end = endOf(keyPrefix);
  return [sql`key >= ${keyPrefix}`, ...end === undefined ? [] : [sql`key < ${end}`]];
}

/**
 * Returns the first text behind all texts that begin with `prefix`, in the order of code points, which is that of UTF-8;
 * `undefined` if there is none.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(endOf("order-"), "order.");
 * assertEquals([endOf("a\u{10ffff}"), endOf("\u{10ffff}")], ["b", undefined]);
 * ```
 */
export function endOf(prefix: string): string | undefined {
  const points = [...prefix];
  while (points.length > 0) {
    const last = points.pop()!.codePointAt(0)!;
    if (last === 0x10ffff) continue;
    // No text contains surrogates.
    return points.join("") + String.fromCodePoint(last === 0xd7ff ? 0xe000 : last + 1);
  }
  return undefined;
}
