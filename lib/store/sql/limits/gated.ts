import { createReader } from "../../shared/decode.ts";
import type { RunLimits } from "../../port/limits.ts";
import { decodeRunLimits } from "../../shared/run_limits.ts";
import type { Dialect, Items } from "../dialect.ts";
import { all, first, type Op } from "../operation.ts";
import { raw, sql } from "../statement.ts";
import { GATED } from "../sources.ts";

/** A run that asks for its slots. */
export interface Gated {
  readonly seq: number;
  readonly id: string;
  readonly workflow: string;
  readonly priority: number;
  /** When it asked. */
  readonly gateAt: number;
  readonly limits: RunLimits;
  /** Whether it is paused: it waits, and is granted nothing. */
  readonly isPaused: boolean;
  /** Whether it is deleted if it finds no slot, as the caller of its start learns of that. */
  readonly mayVanish: boolean;
}

/** The runs that an exchange admits. */
export interface GatedRuns {
  readonly gated: readonly Gated[];
  /** Whether more ask. */
  readonly more: boolean;
  /** When the next run asks; `undefined` if none does. */
  readonly nextAt: number | undefined;
}

const runs = createReader("runs", "seq");

/** Reads when the next run asks for its slots, if it does after that time. */
export function* readNextGate(after = -1): Op<number | undefined> {
  const row = yield* first(sql`
select gate_at
  from @runs indexed by runs_gated
 where ${raw(GATED)} and gate_at > ${after}
 order by gate_at
 limit 1`);
  return row === undefined ? undefined : Number(row["gate_at"]);
}

/** Reads the runs whose time to ask has come, oldest first; those that were just started are among them. */
export function* readGated(
  db: Dialect,
  { now, started, limit }: { readonly now: number; readonly started: readonly string[]; readonly limit: number },
): Op<GatedRuns> {
  const ids: Items = { type: "uuid", items: started };
  const columns = raw("seq, id, workflow, state, priority, gate_at, limits");
  const rows = [
    ...started.length === 0 ? [] : yield* all(sql`
select ${columns}
  from @runs
 where ${db.isIn("id", ids)} and gate_at >= 0 and gate_at <= ${now}
 order by seq${db.forUpdateOfFree}`),
    ...yield* all(sql`
select ${columns}
  from @runs indexed by runs_gated
 where ${raw(GATED)} and gate_at <= ${now} and ended_at is null
 order by gate_at, seq
 limit ${limit}${db.forUpdateOfFree}`),
  ];
  const vanishing = new Set(started);
  const gated = new Map<number, Gated>();
  for (const row of rows) {
    const seq = runs.integer(row, "seq");
    const id = runs.text(row, "id");
    gated.set(seq, {
      seq,
      id,
      workflow: runs.text(row, "workflow"),
      priority: runs.integer(row, "priority"),
      gateAt: runs.integer(row, "gate_at"),
      limits: decodeRunLimits(runs.text(row, "limits")),
      isPaused: row["state"] === "paused",
      mayVanish: vanishing.has(id),
    });
  }
  return {
    gated: [...gated.values()],
    more: rows.length - started.length >= limit || gated.size >= limit,
    nextAt: yield* readNextGate(now),
  };
}
