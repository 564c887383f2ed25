import type { Fact } from "../port.ts";
import { printable } from "./flush_values.ts";
import type { Run, Session } from "./session.ts";

const INSERT = `insert into @events (run, kind, at, detail) select $2::bigint, $3, @now, $4`;

/** Notes a rare fact of a run, inside of a transaction. */
export async function addFact(
  session: Session,
  run: Run,
  seq: number,
  fact: { readonly kind: Fact["kind"]; readonly detail: string | undefined },
): Promise<void> {
  await run(INSERT, [session.at, String(seq), fact.kind, printable(fact.detail) ?? null]);
}
