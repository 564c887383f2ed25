import type { NewRun, StartVerdict } from "../../port/batch.ts";
import { debounceName } from "../../shared/debounce.ts";
import type { Row } from "../../shared/decode.ts";
import { items, numbers, sparse, texts } from "./arrays.ts";
import { refusal } from "../connect/faults.ts";
import { holdersSql } from "./holders.ts";
import type { Role, Session } from "../connect/session.ts";

const THESE = `
select id, seq, owner, epoch, created_at, null as ask
  from @runs
 where id = any($1::uuid[])
 union all
select r.id, r.seq, r.owner, r.epoch, r.created_at, r.n
  from (${holdersSql("$2::text[], $3::text[], $7::text[]")}) as r
 union all
select r.id, r.seq, r.owner, r.epoch, r.created_at, cardinality($2::text[]) + p.n
  from unnest($4::bigint[], $5::text[], $6::integer[]) with ordinality as p (parent, task, item, n)
  join @runs as r on r.parent = p.parent and r.parent_task = p.task and r.parent_item = p.item and r.superseded is null`;

/** Returns the verdicts of runs that were inserted or are found, by their ids. */
export async function startVerdicts(
  session: Session,
  starts: readonly NewRun[],
  answers: readonly Row[],
  role: Role,
): Promise<ReadonlyMap<string, StartVerdict>> {
  const verdicts = new Map<string, StartVerdict>();
  for (const answer of answers) {
    if (answer["names"] !== undefined) {
      addDebounced(verdicts, starts, answer);
      continue;
    }
    const at = Number(answer["server_now"]);
    const seqs = items(answer["seqs"]);
    const owned = items(answer["owned"]);
    for (const [index, id] of items(answer["ids"]).entries()) {
      verdicts.set(id, { kind: "started", seq: Number(seqs[index]), owned: owned[index] === "t", at });
    }
  }
  const firsts = firstOfEach(starts);
  const isFirst = (run: NewRun): boolean => run.debounce === undefined || firsts.get(nameOf(run) ?? "") === run;
  const missing = starts.filter((run) => !verdicts.has(run.id) && isFirst(run));
  if (missing.length > 0) await findStarted(session, missing, verdicts, role);
  for (const run of starts) addTwin(verdicts, run, firsts);
  return verdicts;
}

/** Adds the verdicts of debounced runs that `debouncedResult()` returns; of those with equal keys that of the first, by whose id the statement inserts. */
export function addDebounced(verdicts: Map<string, StartVerdict>, starts: readonly NewRun[], answer: Row): void {
  const firsts = firstOfEach(starts);
  const names: unknown = JSON.parse(String(answer["names"] ?? "[]"));
  if (!Array.isArray(names)) return;
  const [ids, seqs, due] = [items(answer["ids"]), items(answer["seqs"]), items(answer["due"])];
  for (const [at, name] of names.entries()) {
    const run = firsts.get(JSON.stringify(name));
    if (run === undefined) continue;
    verdicts.set(
      run.id,
      run.id === ids[at]
        ? { kind: "started", seq: Number(seqs[at]), owned: false, at: Number(answer["server_now"]) }
        : { kind: "replaced", id: ids[at]!, dueAt: Number(due[at]) },
    );
  }
}

/** Adds the verdict of a debounced run that was merged with an earlier one. */
export function addTwin(verdicts: Map<string, StartVerdict>, run: NewRun, firsts: ReadonlyMap<string, NewRun>): void {
  const first = firsts.get(nameOf(run) ?? "");
  const verdict = first && verdicts.get(first.id);
  if (first === undefined || first === run || verdict === undefined) return;
  const { delayMs = 0 } = run.debounce ?? {};
  verdicts.set(
    run.id,
    verdict.kind === "started" ? { kind: "replaced", id: first.id, dueAt: verdict.at + delayMs } : verdict,
  );
}

/** The first of the debounced runs with each key. */
export function firstOfEach(starts: readonly NewRun[]): ReadonlyMap<string, NewRun> {
  const firsts = new Map<string, NewRun>();
  for (const run of starts) {
    const name = nameOf(run);
    if (name !== undefined && !firsts.has(name)) firsts.set(name, run);
  }
  return firsts;
}

function nameOf({ workflow, debounce }: NewRun): string | undefined {
  return debounce && debounceName(workflow, debounce.key);
}

/** The verdict of a run that was not inserted, although no run is found in its place. */
export function notStartedVerdict(session: Session, run: NewRun): StartVerdict {
  return { kind: "refused", error: refusal(new Error(notStarted(run)), session.name) };
}

/** The message for a run that was not inserted, although no run with its id, key or parent exists. */
export function notStarted({ id, workflow, key }: Pick<NewRun, "id" | "workflow" | "key">): string {
  const named = key === undefined ? `run "${id}" of "${workflow}"` : `run "${id}" of "${workflow}" with key "${key}"`;
  return `${named} was neither started nor found; if its rows were copied, as by logical replication, a sequence is ` +
    "behind: open the store again, which sets it";
}

/** Finds runs that exist already: inserted by an earlier attempt of the same commit, or under the same key or parent. */
async function findStarted(
  session: Session,
  missing: readonly NewRun[],
  verdicts: Map<string, StartVerdict>,
  role: Role,
): Promise<void> {
  const keyed = missing.filter(({ key }) => key !== undefined);
  const children = missing.filter(({ parent }) => parent !== undefined);
  // A separate statement: the snapshot of the first does not contain rows that another process has inserted since.
  const rows = await session.single(role, THESE, [
    texts(missing.map(({ id }) => id)),
    texts(keyed.map(({ workflow }) => workflow)),
    texts(keyed.map(({ key }) => key)),
    numbers(children.map(({ parent }) => parent?.run)),
    texts(children.map(({ parent }) => parent?.task)),
    numbers(children.map(({ parent }) => parent?.item)),
    sparse(keyed.map(({ keyScope }) => keyScope)),
  ]);
  const sought = [...keyed, ...children];
  for (const row of rows) {
    if (row["ask"] !== null) {
      verdicts.set(sought[Number(row["ask"]) - 1]!.id, { kind: "existing", id: String(row["id"]) });
    }
  }
  for (const row of rows) {
    const run = missing.find(({ id }) => id === row["id"]);
    if (run === undefined || row["ask"] !== null) continue;
    verdicts.set(run.id, {
      kind: "started",
      seq: Number(row["seq"]),
      owned: run.owner !== undefined && row["owner"] === run.owner && row["epoch"] === 1,
      at: Number(row["created_at"]),
    });
  }
}
