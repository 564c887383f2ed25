import type { Node } from "./graph_nodes.ts";

const SWEEPS = 12;
const VAIN_SWEEPS = 4;

/** Puts each row in an order with few crossings. */
export function orderRows(rows: Node[][]): void {
  rows.forEach(renumber);
  let best = rows.map((row) => [...row]);
  let fewest = crossingsOf(rows);
  let vain = 0;
  for (let sweep = 0; sweep < SWEEPS && vain < VAIN_SWEEPS && fewest > 0; sweep++) {
    const side = sweep % 2 === 0 ? "above" : "below";
    for (const row of side === "above" ? rows : rows.toReversed()) {
      for (const node of row) node.wish = medianPlace(node[side]) ?? node.place;
      row.sort((a, b) => a.wish - b.wish || a.place - b.place);
      renumber(row);
    }
    const crossings = crossingsOf(rows);
    vain = crossings < fewest ? 0 : vain + 1;
    if (vain > 0) continue;
    fewest = crossings;
    best = rows.map((row) => [...row]);
  }
  for (const [at, row] of best.entries()) {
    rows[at] = row;
    renumber(row);
  }
}

function renumber(row: readonly Node[]): void {
  for (const [place, node] of row.entries()) node.place = place;
}

function medianPlace(nodes: readonly Node[]): number | undefined {
  if (nodes.length === 0) return undefined;
  const places = nodes.map(({ place }) => place).sort((a, b) => a - b);
  const middle = (places.length - 1) / 2;
  return (places[Math.floor(middle)]! + places[Math.ceil(middle)]!) / 2;
}

/** Counts pairs of lines that cross, by a tree of sums over the places of the lower ends. */
function crossingsOf(rows: readonly (readonly Node[])[]): number {
  let crossings = 0;
  for (const [at, row] of rows.entries()) {
    const sums = new Uint32Array((rows[at + 1]?.length ?? 0) + 1);
    let seen = 0;
    for (const { below } of row) {
      for (const { place } of below) {
        let notBeyond = 0;
        for (let i = place + 1; i > 0; i -= i & -i) notBeyond += sums[i]!;
        crossings += seen - notBeyond;
      }
      for (const { place } of below) for (let i = place + 1; i < sums.length; i += i & -i) sums[i]!++;
      seen += below.length;
    }
  }
  return crossings;
}
