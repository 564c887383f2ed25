/** Characters of texts that one page may still contain; texts beyond are left out. */
export interface TextBudget {
  /** Whether a text of this length fits; takes its length off the budget if it does. */
  take(length: number): boolean;
}

/** Creates a budget. */
export function textBudget(characters: number): TextBudget {
  let left = characters;
  return {
    take(length) {
      if (length > left) return false;
      left -= length;
      return true;
    },
  };
}

/** A count with its noun in singular and plural. */
export type Count = readonly [count: number, one: string, many: string];

/** Names what is left out, as in `left out: 9,000 tasks, 1 step`; `undefined` if all counts are 0. */
export function leftOutSentence(counts: readonly Count[]): string | undefined {
  const parts = counts.filter(([count]) => count > 0)
    .map(([count, one, many]) => `${count.toLocaleString("en")} ${count === 1 ? one : many}`);
  return parts.length === 0 ? undefined : `left out: ${parts.join(", ")}`;
}
