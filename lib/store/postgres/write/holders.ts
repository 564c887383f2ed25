import { holdsKeySql } from "../../sql/sources.ts";

const COLUMNS = "id, seq, owner, epoch, created_at";

/**
 * Returns a query for the runs that hold keys; `arrays` are workflows, keys, and for each `'active'` if the key is one that
 * a run holds until it ends. Each row has the number of its key, from 1, in the column `n`.
 *
 * The limit forces an index search for each key: a plain join would be planned as a single read of the whole index.
 */
export function holdersSql(arrays: string): string {
  return (["ever", "active"] as const).map((scope) => `
select r.*, k.n
  from unnest(${arrays}) with ordinality as k (workflow, key, scope, n)
 cross join lateral (
         select ${COLUMNS}
           from @runs as r
          where ${holdsKeySql({ at: "r.", workflow: "k.workflow", key: "k.key", scope })}
          limit 1) as r
 where (k.scope is null) = ${scope === "ever"}`).join("\n union all");
}
