/**
 * Which runs a runner owns. No index holds the owner of a run: its entries would be the only thing that the end of a run
 * changes in an index (see run_columns.ts), at a third of the server's work. Instead each runner keeps two marks:
 *
 * - `runners.started_after`: all runs that the runner owns since their start have a greater number, or are in a claim.
 * - rows of `claims`: the numbers of the runs that the runner has claimed.
 *
 * A renewal replaces the claims of its runner by one row with all runs that the runner owns at that moment, and raises
 * `started_after` to a number below those of all commits in flight (`StartMarks`). So the runs of a runner are found by a
 * look at the runs of the last seconds, of which 100,000 take the server about 40 ms, and at the claims. A claim of a
 * runner that has no row is without meaning.
 *
 * @module
 */

/** The condition of owned runs; `schema` qualifies the names of tables. */
export function heldSql(schema = "@"): string {
  return `owner is not null and seq = any(array(
         select unnest(c.seqs)
           from ${schema}claims as c
          union all
         select s.seq
           from ${schema}runs as s
          where s.owner is not null and s.seq > (select min(started_after) from ${schema}runners)))`;
}

/**
 * A query for the numbers of all runs that some runners own, and of runs that they owned before; `isOne` returns the
 * condition for the id of a runner.
 */
export function seqsHeldBy(isOne: (id: string) => string): string {
  return `
         select unnest(c.seqs) as seq
           from @claims as c
          where ${isOne("c.runner")}
          union all
         select s.seq
           from @runs as s
          where ${isOne("s.owner")}
            and s.seq > (select min(o.started_after) from @runners as o where ${isOne("o.id")})`;
}

/** The greatest number of a run, which is smaller than the numbers of all runs that are inserted later. */
export const NEWEST = "coalesce((select max(newest.seq) from @runs as newest), 0)";

/** The numbers of runs that commits in flight may insert. */
export interface StartMarks {
  /** Must be called before a commit that inserts runs is sent; the result must be called when the commit has ended. */
  begin(): () => void;
  /** Notes the number of a run that exists. */
  noteExisting(seq: number): void;
  /** Notes the greatest number in the database. */
  noteNewest(seq: number): void;
  /** Returns a number below those of all runs that commits in flight, and later commits, insert. */
  lowest(): number;
}

/** Creates the marks of a store. */
export function createStartMarks(): StartMarks {
  let known = 0;
  const open = new Set<{ mark: number }>();
  return {
    begin() {
      const commit = { mark: known };
      open.add(commit);
      return () => void open.delete(commit);
    },
    noteExisting(seq) {
      known = Math.max(known, seq);
    },
    noteNewest(seq) {
      // After a failover to a server that has lost commits, numbers are used again.
      if (seq < known) {
        known = 0;
        for (const commit of open) commit.mark = 0;
      }
      known = Math.max(known, seq);
    },
    lowest() {
      let lowest = known;
      for (const { mark } of open) lowest = Math.min(lowest, mark);
      return lowest;
    },
  };
}
