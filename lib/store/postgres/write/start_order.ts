import type { NewRun } from "../../port/batch.ts";

/**
 * Orders by key, or by debounce key, then by parent, as two flushes with the same keys in different orders would deadlock;
 * others keep their order.
 */
export function byKey(a: NewRun, b: NewRun): number {
  const [one, other] = [keyOf(a), keyOf(b)];
  if (one === undefined || other === undefined) {
    return Number(one !== undefined) - Number(other !== undefined) || byParent(a, b);
  }
  return compare(a.workflow, b.workflow) || compare(one, other);
}

/** The key of a run for which an insert may wait for another transaction. */
export function keyOf({ key, debounce }: NewRun): string | undefined {
  return key ?? debounce?.key;
}

function byParent({ parent: a }: NewRun, { parent: b }: NewRun): number {
  if (a === undefined || b === undefined) return Number(a !== undefined) - Number(b !== undefined);
  return a.run - b.run || compare(a.task, b.task) || a.item - b.item;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
