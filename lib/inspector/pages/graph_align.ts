import { GAP, type Node } from "./graph_nodes.ts";

const STRAIGHTENINGS = 8;

/** Sets the centre of each node. */
export function alignRows(rows: readonly (readonly Node[])[], rowWidth: number): void {
  const packed = rows.map((nodes) => ({ nodes, offsets: offsetsOf(nodes) }));
  const half = Math.max(rowWidth, ...packed.map(({ offsets }) => offsets.at(-1)!)) / 2;
  const downwards = packed.map((row): Row => ({ ...row, most: half - row.offsets.at(-1)!, least: -half }));
  const upwards = downwards.toReversed();
  for (const { nodes, offsets } of downwards) {
    for (const [i, node] of nodes.entries()) node.x = offsets[i]! - offsets.at(-1)! / 2;
  }
  for (let round = 0; round < STRAIGHTENINGS; round++) {
    for (const row of downwards) place(row, true, false);
    for (const row of upwards) place(row, false, true);
  }
  for (const row of downwards) place(row, true, true);
}

interface Row {
  readonly nodes: readonly Node[];
  /** How far each is at least from the first, middle to middle. */
  readonly offsets: readonly number[];
  /** Where the first may stand, at the right. */
  readonly most: number;
  /** Where it may stand, at the left. */
  readonly least: number;
}

/** Moves the nodes of a row as near to their neighbours as possible without changing their order. */
function place({ nodes, offsets, most, least }: Row, isAbove: boolean, isBelow: boolean): void {
  // Groups of nodes at minimum distance; each group is at the mean of the positions that its nodes prefer.
  const runs: { readonly sum: number; readonly weight: number; readonly count: number }[] = [];
  for (const [i, node] of nodes.entries()) {
    let weight = 0;
    let sum = 0;
    for (const others of [isAbove ? node.above : NONE, isBelow ? node.below : NONE]) {
      for (const other of others) {
        // A bent lane is harder to follow than a box that is off-centre.
        const pull = node.isLane && other.isLane ? 8 : node.isLane || other.isLane ? 2 : 1;
        weight += pull;
        sum += other.x * pull;
      }
    }
    if (weight === 0) [weight, sum] = [0.1, node.x * 0.1];
    let run = { sum: sum - offsets[i]! * weight, weight, count: 1 };
    for (let last = runs.at(-1); last && last.sum / last.weight > run.sum / run.weight; last = runs.at(-1)) {
      run = { sum: last.sum + run.sum, weight: last.weight + run.weight, count: last.count + run.count };
      runs.pop();
    }
    runs.push(run);
  }
  let i = 0;
  for (const { sum, weight, count } of runs) {
    for (const end = i + count; i < end; i++) nodes[i]!.x = Math.min(most, Math.max(least, sum / weight)) + offsets[i]!;
  }
}

const NONE: readonly Node[] = [];

function offsetsOf(nodes: readonly Node[]): readonly number[] {
  let offset = 0;
  return nodes.map((node, i) => {
    const last = nodes[i - 1];
    if (last) offset += (last.width + node.width) / 2 + (last.isLane || node.isLane ? GAP * 0.6 : GAP);
    return offset;
  });
}
