/**
 * Assigns boxes to rows, and selects the lines that are drawn.
 *
 * @module
 */
import { GAP } from "./graph_nodes.ts";

/** For each box, the positions in the list of those it depends on. */
export type Links = readonly (readonly number[])[];

// Up to this number every line is drawn, also implied ones: a task reads only the outputs of tasks that it names.
const MOST_LINES = 2_000;

// Bounds the cost of ordering and alignment: a graph of this size took 40 ms.
const MOST_LANES = 2_000;

/** Removes implied dependencies if there are too many lines to read. */
export function withoutImplied(
  after: Links,
): { after: Links; implied: number } {
  const lines = after.reduce((sum, others) => sum + others.length, 0);
  if (lines <= MOST_LINES) return { after, implied: 0 };
  const words = Math.ceil(after.length / 32);
  const ancestors: Uint32Array[] = [];
  const least = after.map((others) => {
    // What dependencies depend on, and then the dependencies themselves.
    const reached = new Uint32Array(words);
    for (const other of others) for (let i = 0; i < words; i++) reached[i]! |= ancestors[other]![i]!;
    const kept = others.filter((other) => (reached[other >> 5]! & (1 << (other & 31))) === 0);
    for (const other of kept) reached[other >> 5]! |= 1 << (other & 31);
    ancestors.push(reached);
    return kept;
  });
  return { after: least, implied: lines - least.reduce((sum, others) => sum + others.length, 0) };
}

/** The row of each box if no row is wrapped: the length of the longest path to it. */
export function levelsOf(after: Links): readonly number[] {
  const levels: number[] = [];
  const lowest: number[] = [];
  for (const [at, others] of after.entries()) {
    levels[at] = others.reduce((level, other) => Math.max(level, levels[other]! + 1), 0);
    for (const other of others) lowest[other] = Math.min(lowest[other] ?? Infinity, levels[at]!);
  }
  // A task without dependencies is placed directly above its first dependent, not at the top.
  return levels.map((level, at) => after[at]!.length > 0 || lowest[at] === undefined ? level : lowest[at]! - 1);
}

/** The row of each box after rows that are too wide have been divided. */
export function wrapRows(
  boxes: readonly { readonly width: number }[],
  levels: readonly number[],
  rowWidth: number,
): readonly number[] {
  const groups: number[][] = [];
  for (const [at, level] of levels.entries()) (groups[level] ??= []).push(at);
  const rowOf: number[] = [];
  let row = 0;
  for (const group of groups) {
    const width = group.reduce((sum, at) => sum + boxes[at]!.width + GAP, -GAP);
    const wraps = Math.ceil(width / rowWidth);
    const perRow = Math.ceil(group.length / wraps);
    for (const [i, at] of group.entries()) rowOf[at] = row + Math.floor(i / perRow);
    row += Math.ceil(group.length / perRow);
  }
  return rowOf;
}

/**
 * Leaves out the longest lines if they are too many, or need too many lanes through the rows they pass. Lines of one box
 * share lanes.
 */
export function withoutLongest(
  after: Links,
  rowOf: readonly number[],
): { readonly after: Links; readonly leftOut: number } {
  const lines = after.flatMap((others, to) => others.map((from) => ({ from, to, span: rowOf[to]! - rowOf[from]! })));
  lines.sort((a, b) => a.span - b.span || a.to - b.to);
  // For each box, how far lanes of its lines reach: down from it, and up from it.
  const [down, up] = [[...rowOf], [...rowOf]];
  const links: number[][] = after.map(() => []);
  let [lanes, kept] = [0, 0];
  for (const { from, to } of lines) {
    const [below, above] = [Math.max(0, rowOf[to]! - 1 - down[from]!), Math.max(0, up[to]! - 1 - rowOf[from]!)];
    const cost = Math.min(below, above);
    if (kept === MOST_LINES || lanes + cost > MOST_LANES) break;
    if (cost === below) down[from] = Math.max(down[from]!, rowOf[to]! - 1);
    else up[to] = Math.min(up[to]!, rowOf[from]! + 1);
    lanes += cost;
    kept++;
    links[to]!.push(from);
  }
  return kept === lines.length ? { after, leftOut: 0 } : { after: links, leftOut: lines.length - kept };
}
