import type { Fact } from "../port.ts";
import { decodeFact } from "../rows.ts";
import type { Session } from "./session.ts";

const INSERT = `insert into events (run, kind, at, detail) values ($1, $2, $3, $4)`;

const SELECT = `select run, kind, at, detail from events where run = $1 order by seq`;

/** Notes a rare fact of a run. */
export function addFact(session: Session, run: number, fact: Fact): void {
  session.run(INSERT, run, fact.kind, fact.at, fact.detail);
}

/** A run's rare facts, oldest first. */
export function readFacts(session: Session, run: number): readonly Fact[] {
  return session.all(SELECT, run).map(decodeFact);
}
