import type { RunnerRow } from "../port/runners.ts";
import { decodeRunners, RUNNER_COLUMNS } from "../shared/rows.ts";
import type { Dialect } from "./dialect.ts";
import { all, type Op } from "./operation.ts";
import { raw, sql } from "./statement.ts";

/** All runners that can be read. */
export function* readRunners(db: Dialect): Op<readonly RunnerRow[]> {
  return decodeRunners(
    yield* all(sql`
select ${raw(RUNNER_COLUMNS)}, ${db.now()} as server_now
  from @runners
 order by id`),
  );
}
