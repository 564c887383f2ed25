/**
 * Inserts child runs under the fence of their parent. The items of a map start child runs that differ only in their id,
 * input and item, so these are inserted sixteen per statement, which binds the shared values once (see groups.ts).
 *
 * @module
 */
import type { NewRun, RunWrite } from "../port/batch.ts";
import type { OwnedChild } from "../port/inserted_child.ts";
import { givenColumns, startValues } from "../shared/columns.ts";
import type { Bindable } from "./driver.ts";
import { faultOf } from "./faults.ts";
import { executeGroup, FIRST_NUMBER, insertRun, PLAIN_COLUMNS, type StartSite } from "./inserts.ts";
import type { Session } from "./session.ts";

const SIZE = 16;

const PARENT = `
select state, owner, closing,
       exists (select 1 from runners as r where r.id = runs.owner and not r.dead) as is_live,
       exists (select 1 from runners as r where r.id <> runs.owner and not r.dead) as has_others
  from runs
 where seq = $1 and epoch = $2 and owner is not null`;

const PAUSE_CHILD = `update runs set state = 'paused', paused_at = $2 where id = $1 and state = 'pending'`;

const OWNED = `select seq, created_at from runs where id = $1 and owner = $2 and epoch = 1`;

// The values that differ between the child runs of a map. A key differs, too, but few have one.
const OWN_NAMES: ReadonlySet<string> = new Set(["id", "parent_item", "input"]);
const OWN = givenColumns(PLAIN_COLUMNS).filter(({ name }) => OWN_NAMES.has(name));
const SHARED = givenColumns(PLAIN_COLUMNS).filter(({ name }) => !OWN_NAMES.has(name));

const INSERT_OWNED = insertSql("owned");
const INSERT_PENDING = insertSql("pending");

const NO_OWNERS: ReadonlySet<number> = new Set();

/** The time of a commit, and the child runs that it has inserted as owned so far. */
export interface ChildSite {
  /** The current time of the store's clock. */
  readonly now: number;
  /** Receives the inserted child runs that their owner owns. */
  readonly children: OwnedChild[];
}

/** Inserts the child runs of a write, unless a cancel of their parent is recorded. */
export function insertChildren(session: Session, write: RunWrite, { now, children: inserted }: ChildSite): void {
  const { seq, epoch, children = [] } = write;
  const parent = session.get(PARENT, seq, epoch);
  if (parent === undefined || parent["closing"] !== null) return;
  const isPaused = parent["state"] === "paused";
  const hasOthers = parent["has_others"] === 1;
  const pending: StartSite = { owners: NO_OWNERS, now };
  const owned = parent["is_live"] === 1 && !isPaused ? { owners: new Set([Number(parent["owner"])]), now } : pending;
  const siteOf = ({ isShared }: NewRun): StartSite => isShared === true && hasOthers ? pending : owned;
  for (let at = 0; at < children.length;) {
    const site = siteOf(children[at]!);
    const group = groupAt(children, at, (child) => siteOf(child) === site);
    if (group === undefined) insertOne(session, children[at]!, { site, inserted });
    else insertGroup(session, group, { site, inserted });
    at += group?.length ?? 1;
  }
  if (isPaused) { for (const { id } of children) session.run(PAUSE_CHILD, id, now); }
}

/** The owners and the time of inserted child runs, and those that are owned so far. */
interface Target {
  readonly site: StartSite;
  readonly inserted: OwnedChild[];
}

function insertOne(session: Session, child: NewRun, { site, inserted }: Target): void {
  const verdict = insertRun(session, child, site);
  if (verdict.kind === "started" && verdict.owned) {
    inserted.push({ id: child.id, seq: verdict.seq, at: verdict.at });
    return;
  }
  if (verdict.kind !== "existing" || verdict.id !== child.id || child.owner === undefined) return;
  const row = session.get(OWNED, child.id, child.owner);
  if (row !== undefined) inserted.push({ id: child.id, seq: Number(row["seq"]), at: Number(row["created_at"]) });
}

/** Returns the child runs from an index on, if they are enough for a group and share the values that a group shares. */
function groupAt(
  children: readonly NewRun[],
  from: number,
  isOfSite: (child: NewRun) => boolean,
): readonly NewRun[] | undefined {
  if (from + SIZE > children.length) return undefined;
  const first = children[from]!;
  const isOwned = first.owner !== undefined;
  const shared = SHARED.map(({ given }) => given(first));
  for (let at = from + 1; at < from + SIZE; at++) {
    const child = children[at]!;
    if ((child.owner !== undefined) !== isOwned || !isOfSite(child)) return undefined;
    for (let index = 0; index < shared.length; index++) {
      if (SHARED[index]!.given(child) !== shared[index]) return undefined;
    }
  }
  return children.slice(from, from + SIZE);
}

function insertGroup(session: Session, group: readonly NewRun[], { site, inserted }: Target): void {
  const first = group[0]!;
  const isOwned = first.owner !== undefined && site.owners.has(first.owner);
  const values: Bindable[] = [isOwned ? first.owner : undefined, site.now];
  for (const { given } of SHARED) values.push(given(first));
  for (const child of group) for (const { given } of OWN) values.push(given(child));
  let lastInsertRowid: number;
  try {
    lastInsertRowid = executeGroup(session, isOwned ? INSERT_OWNED : INSERT_PENDING, values);
  } catch (error) {
    if (faultOf(error) !== "values") throw error;
    // The statement has changed nothing. Some exist already, or are refused.
    for (const child of group) insertOne(session, child, { site, inserted });
    return;
  }
  if (!isOwned) return;
  // A statement assigns consecutive row numbers in the order of its rows.
  for (let at = 0; at < SIZE; at++) {
    inserted.push({ id: group[at]!.id, seq: lastInsertRowid - SIZE + 1 + at, at: site.now });
  }
}

/**
 * An insert of a group without a conflict clause, which takes a third more time and is hardly ever of use: $1 is the owner, $2 the time, the shared values follow, then the own values of each run.
 */
function insertSql(life: "owned" | "pending"): string {
  const rows = Array.from({ length: SIZE }, (_, row) => valuesOf(life, row));
  const numbers = rows.map((_, row) => row === 0 ? FIRST_NUMBER : "null");
  return `insert into runs (seq, ${[...rows[0]!.keys()].join(", ")})
values ${rows.map((values, row) => `(${[numbers[row], ...values.values()].join(", ")})`).join(", ")}`;
}

function valuesOf(life: "owned" | "pending", row: number): Map<string, string> {
  return startValues(PLAIN_COLUMNS, life, {
    owner: "$1",
    now: "$2",
    given({ name }) {
      const shared = SHARED.findIndex((column) => column.name === name);
      if (shared >= 0) return `$${3 + shared}`;
      return `$${3 + SHARED.length + row * OWN.length + OWN.findIndex((column) => column.name === name)}`;
    },
  });
}
