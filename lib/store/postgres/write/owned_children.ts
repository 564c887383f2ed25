import type { Receipt, RunWrite } from "../../port/batch.ts";
import type { OwnedChild } from "../../port/inserted_child.ts";
import type { Row } from "../../shared/decode.ts";
import { items, numbers, texts } from "./arrays.ts";
import type { Role, Session } from "../connect/session.ts";

const OWNED = `
select id, seq, created_at
  from @runs
 where id = any($1::uuid[]) and owner = any($2::bigint[]) and epoch = 1`;

/** The result of the statements that inserted the child runs of writes. */
export interface InsertedChildren {
  /** The rows that they returned. */
  readonly answers: readonly Row[];
  /** Whether an earlier attempt of the same commit may have inserted them. */
  readonly isDoubtful: boolean;
  /** The connection to read with. */
  readonly role: Role;
}

/** Returns the child runs of writes that a commit has inserted as owned. */
export async function ownedChildren(
  session: Session,
  writes: readonly RunWrite[],
  { answers, isDoubtful, role }: InsertedChildren,
): Promise<readonly OwnedChild[]> {
  const owned: OwnedChild[] = [];
  for (const answer of answers) {
    const at = Number(answer["server_now"]);
    const seqs = items(answer["seqs"]);
    for (const [index, id] of items(answer["ids"]).entries()) owned.push({ id, seq: Number(seqs[index]), at });
  }
  if (!isDoubtful || answers.length === 0) return owned;
  const found = new Set(owned.map(({ id }) => id));
  const missing = writes.flatMap(({ children = [] }) => children)
    .filter(({ id, owner }) => owner !== undefined && !found.has(id));
  if (missing.length === 0) return owned;
  const rows = await session.single(role, OWNED, [
    texts(missing.map(({ id }) => id)),
    numbers([...new Set(missing.map(({ owner }) => owner))]),
  ]);
  return [
    ...owned,
    ...rows.map((row) => ({ id: String(row["id"]), seq: Number(row["seq"]), at: Number(row["created_at"]) })),
  ];
}

/** Returns the child runs of two receipts. */
export function childrenOf(one: Receipt, other: Receipt): readonly OwnedChild[] {
  return [...one.children ?? [], ...other.children ?? []];
}
