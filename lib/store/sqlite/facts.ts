import type { Fact } from "../port/store.ts";
import type { Session } from "./session.ts";

const INSERT = `insert into events (run, kind, at, detail) values ($1, $2, $3, $4)`;

/** Inserts an entry into the history of a run. */
export function addFact(session: Session, run: number, fact: Fact): void {
  session.run(INSERT, run, fact.kind, fact.at, fact.detail);
}
