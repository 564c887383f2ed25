import type { NewRun } from "../batch.ts";

/**
 * Orders by key, then by parent, as two flushes with the same keys in different orders would deadlock; others keep their
 * order.
 */
export function byKey(a: NewRun, b: NewRun): number {
  if (a.key === undefined || b.key === undefined) {
    return Number(a.key !== undefined) - Number(b.key !== undefined) || byParent(a, b);
  }
  return compare(a.workflow, b.workflow) || compare(a.key, b.key);
}

function byParent({ parent: a }: NewRun, { parent: b }: NewRun): number {
  if (a === undefined || b === undefined) return Number(a !== undefined) - Number(b !== undefined);
  return a.run - b.run || compare(a.task, b.task) || a.item - b.item;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
