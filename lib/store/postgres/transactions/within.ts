import { StoreError } from "../../../errors.ts";
import type { NewRun, StartVerdict } from "../../port/batch.ts";
import { splitDebounced } from "../../shared/debounce.ts";
import type { Row } from "../../shared/decode.ts";
import { items, sparse, texts } from "../write/arrays.ts";
import { faultOf, isTransient, messageOf, refusal, storeError } from "../connect/faults.ts";
import { holdersSql } from "../write/holders.ts";
import { byKey } from "../write/start_order.ts";
import type { Bindable } from "../connect/connection.ts";
import { addDebounced, addTwin, firstOfEach, notStartedVerdict } from "../write/start_verdicts.ts";
import { notifySql } from "../write/news.ts";
import { ENTER, LEAVE, SAFE_PATH } from "../connect/search_path.ts";
import type { Session } from "../connect/session.ts";
import {
  DEBOUNCED_ARRAYS,
  debouncedArrays,
  debouncedResult,
  debouncedSql,
  pendingSql,
  START_ARRAYS,
  startArrays,
  startRows,
} from "../write/start_sql.ts";

/** The part of the driver's transactions that is used here. */
type Handle = { unsafe(sql: string, values: Bindable[]): PromiseLike<readonly Row[]> };

// All values are bound and returned as text: the caller's driver may have custom types for all others.

// Every name is schema-qualified: if no transaction is open, the search path is the caller's.
const IDENTITY = `
select (select system_identifier from pg_catalog.pg_control_system())::pg_catalog.text as system,
       pg_catalog.current_database()::pg_catalog.text as base,
       pg_catalog.to_regclass('"@schema".runs')::pg_catalog.oid::pg_catalog.text as runs`;

// The settings are local to the transaction: if none is open, they end with the statement.
const PROBE = `${IDENTITY},
       pg_catalog.set_config('sluice.start', $1::pg_catalog.text, true) as token,
       pg_catalog.current_setting('search_path') as path`;

const RUNS = pendingSql();
const TOKEN = `$${START_ARRAYS + 2}::text`;

const CLOCK = "coalesce($1::text::bigint, floor(extract(epoch from clock_timestamp()) * 1000)::bigint)";

const INSERT = `
with started as (
  insert into @runs (${RUNS.columns})
  select ${RUNS.values}
    from ${startRows(2, (type) => `text::${type}[]`)} as s,
         (select ${CLOCK} as now) as c
   where current_setting('sluice.start', true) = ${TOKEN}
   on conflict do nothing
  returning seq, id, created_at
)
select (current_setting('sluice.start', true) is not distinct from ${TOKEN})::text as "open",
       array(select seq from started order by seq)::text as seqs,
       array(select id from started order by seq)::text as ids,
       (select max(created_at) from started)::text as at,
       ${notifySql({ channel: "'sluice_@schema'", payload: `$${START_ARRAYS + 3}::text` })}`;

const DEBOUNCED_TOKEN = `$${DEBOUNCED_ARRAYS + 2}::text`;

const INSERT_DEBOUNCED = `
with started as (${
  debouncedSql({
    first: 2,
    cast: (type) => `text::${type}[]`,
    clock: `(select ${CLOCK} as now) as c`,
    now: CLOCK,
    where: `current_setting('sluice.start', true) = ${DEBOUNCED_TOKEN}`,
  })
}
)
${debouncedResult("(select max(created_at) from started)::text")},
       (current_setting('sluice.start', true) is not distinct from ${DEBOUNCED_TOKEN})::text as "open",
       ${notifySql({ channel: "'sluice_@schema'", payload: `$${DEBOUNCED_ARRAYS + 3}::text` })}`;

const BY_KEY = `
select n::text as ask, id::text as id
  from (${holdersSql("$1::text::text[], $2::text::text[], $3::text::text[]")}) as r`;

/** How often runs are inserted anew whose keys others free at that moment. */
const MOST_TRIES = 100;

/** Inserts runs through the caller's handle, in the transaction that is open on it. */
export async function insertWithin(
  session: Session,
  tx: unknown,
  runs: readonly NewRun[],
): Promise<readonly StartVerdict[]> {
  const { name } = session;
  const handle = handleOf(tx, name);
  const token = crypto.randomUUID();
  const ask = async (sql: string, values: Bindable[]): Promise<readonly Row[]> => {
    // All three are sent together, so that no statement of the caller runs between them. The driver executes them in
    // this order; the last may wait forever on a handle whose transaction is over.
    const send = (text: string, bound: Bindable[]) => handle.unsafe(text, bound).then((rows) => rows);
    const [entered, answer, left] = [send(ENTER, []), send(session.textOf(sql), values), send(LEAVE, [])];
    for (const aside of [entered, left]) aside.then(undefined, () => {});
    try {
      return await answer;
    } catch (error) {
      throw told(error, name);
    }
  };
  const [probe] = await ask(PROBE, [token]);
  if (!await isHere(session, probe)) throw refused(name, `tx is of another database, "${probe?.["base"]}"`);
  if (probe?.["path"] !== SAFE_PATH) throw refused(name, "no transaction is open on tx; begin one first");
  const verdicts = new Map<string, StartVerdict>();
  const insert = async (sql: string, arrays: readonly Bindable[]): Promise<Row> => {
    // The last value differs from the payloads of this store's own notifications, which the store ignores.
    const [answer] = await ask(sql, [session.at, ...arrays, token, "transaction due"]);
    if (answer?.["open"] !== "true") throw refused(name, "no transaction is open on tx; begin one first");
    return answer;
  };
  const { debounced, others } = splitDebounced(runs);
  if (debounced.length > 0) {
    const firsts = firstOfEach(runs);
    addDebounced(verdicts, runs, await insert(INSERT_DEBOUNCED, debouncedArrays(debounced.sort(byKey))));
    for (const run of runs) addTwin(verdicts, run, firsts);
  }
  let missing = others;
  for (let tries = 0; missing.length > 0 && tries < MOST_TRIES; tries++) {
    const answer = await insert(INSERT, startArrays(missing.toSorted(byKey)));
    await addVerdicts(verdicts, missing, answer, ask);
    missing = missing.filter(({ id, keyScope }) => keyScope === "active" && !verdicts.has(id));
  }
  return runs.map((run) => verdicts.get(run.id) ?? notStartedVerdict(session, run));
}

const identities = new WeakMap<Session, Row>();

/** Whether a statement ran in the store's database. The store's identity is read once, and again after a mismatch. */
async function isHere(session: Session, probe: Row | undefined): Promise<boolean> {
  const isSame = (own: Row | undefined): boolean =>
    own !== undefined && ["system", "base", "runs"].every((what) => probe?.[what] === own[what]);
  if (isSame(identities.get(session))) return true;
  const [own] = await session.read(IDENTITY);
  identities.set(session, own!);
  return isSame(own);
}

/** Adds the verdicts of runs that were inserted, or whose keys other runs hold. */
async function addVerdicts(
  verdicts: Map<string, StartVerdict>,
  runs: readonly NewRun[],
  answer: Row,
  ask: (sql: string, values: Bindable[]) => Promise<readonly Row[]>,
): Promise<void> {
  const seqs = items(answer["seqs"]);
  const seqOf = new Map(items(answer["ids"]).map((id, at) => [id, Number(seqs[at])]));
  for (const [id, seq] of seqOf) verdicts.set(id, { kind: "started", seq, owned: false, at: Number(answer["at"]) });
  const missing = runs.filter(({ id }) => !seqOf.has(id));
  if (missing.length === 0) return;
  // A separate statement: the snapshot of the first does not contain rows that another process has inserted since.
  const rows = await ask(BY_KEY, [
    texts(missing.map(({ workflow }) => workflow)),
    texts(missing.map(({ key }) => key)),
    sparse(missing.map(({ keyScope }) => keyScope)),
  ]);
  for (const row of rows) {
    verdicts.set(missing[Number(row["ask"]) - 1]!.id, { kind: "existing", id: String(row["id"]) });
  }
}

function handleOf(tx: unknown, name: string): Handle {
  const { unsafe, begin } = (typeof tx === "function" ? tx : {}) as Partial<Record<string, unknown>>;
  if (typeof unsafe !== "function") {
    throw refused(name, "tx is not a transaction of the driver; pass what sql.begin() gives to its callback");
  }
  // Only a pool can begin a transaction.
  if (typeof begin === "function") {
    throw refused(
      name,
      "tx is a pool of connections, and each statement may go to another; pass what its begin() gives",
    );
  }
  return tx as unknown as Handle;
}

/** Maps an error. The caller retries a conflict with the whole transaction, so a conflict stays the driver's error. */
function told(error: unknown, name: string): unknown {
  const fault = faultOf(error);
  if (fault === "conflict") return error;
  if (fault === "values") return refusal(error, name);
  if (isTransient(fault) || fault === "unknown") return refused(name, messageOf(error), error);
  return storeError(error, name, "write to");
}

function refused(name: string, reason: string, cause?: unknown): StoreError {
  return new StoreError(
    "invalid_transaction",
    `Cannot start runs in Postgres database ${name} within a transaction: ${reason}`,
    cause === undefined ? undefined : { cause },
  );
}
