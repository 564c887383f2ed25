import type { Fact } from "../port.ts";
import { decodeFact } from "../rows.ts";
import { printable } from "./flush_values.ts";
import type { Run, Session } from "./session.ts";

const INSERT = `insert into @events (run, kind, at, detail) select $2::bigint, $3, @now, $4`;

const SELECT = `select run, kind, at, detail from @events where run = $1::bigint order by seq`;

/** Notes a rare fact of a run, inside of a transaction. */
export async function addFact(
  session: Session,
  run: Run,
  seq: number,
  fact: { readonly kind: Fact["kind"]; readonly detail: string | undefined },
): Promise<void> {
  await run(INSERT, [session.at, String(seq), fact.kind, printable(fact.detail) ?? null]);
}

/** A run's rare facts, oldest first. */
export async function readFacts(session: Session, seq: number): Promise<readonly Fact[]> {
  return (await session.read(SELECT, [String(seq)])).map(decodeFact);
}
