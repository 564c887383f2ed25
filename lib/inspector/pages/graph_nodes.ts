/** The nodes of a graph while it is laid out. */

/** A box, or a lane: the position in a row through which lines pass. */
export interface Node {
  readonly width: number;
  readonly row: number;
  readonly isLane: boolean;
  readonly above: Node[];
  readonly below: Node[];
  /** Its place in its row. */
  place: number;
  /** Where it would be best, by its neighbours. */
  wish: number;
  /** Its middle. */
  x: number;
}

/** The space between two boxes of a row. */
export const GAP = 18;

/** Creates a node that is not linked or placed yet. */
export function newNode(width: number, row: number, isLane = false): Node {
  return { width, row, isLane, above: [], below: [], place: 0, wish: 0, x: 0 };
}
