import { assert, assertEquals } from "@std/assert";
import { foldTasks } from "../../lib/inspector/pages/graph_fold.ts";
import { type Layout, layOut, type LayoutBox } from "../../lib/inspector/pages/graph_layout.ts";
import { cpuMs } from "../cpu.ts";
import { test } from "../harness.ts";
import { randomOf } from "../random.ts";

const OPTIONS = { boxHeight: 42, rowWidth: 1_000 };

/** A random graph; `reach` is how far back the dependencies of a box may be. */
function randomBoxes(seed: number, count: number, reach: number): readonly LayoutBox[] {
  const { below } = randomOf(seed);
  return Array.from({ length: count }, (_, at) => {
    const wanted = at === 0 ? 0 : below(4);
    const after = Array.from({ length: wanted }, () => Math.max(0, at - 1 - below(Math.min(at, reach))));
    return { width: 60 + below(180), after: [...new Set(after)] };
  });
}

function graphs(): readonly (readonly LayoutBox[])[] {
  return Array.from({ length: 60 }, (_, seed) => randomBoxes(seed, 1 + seed * 2, 1 + (seed * 7) % 40));
}

/** Pairs of boxes that touch each other. */
function overlaps(boxes: readonly LayoutBox[], { boxes: places }: Layout): readonly string[] {
  return places.flatMap((a, i) =>
    places.slice(i + 1).flatMap((b, k) => {
      const j = i + 1 + k;
      const apart = a.x + boxes[i]!.width <= b.x || b.x + boxes[j]!.width <= a.x || Math.abs(a.y - b.y) >= 42;
      return apart ? [] : [`${i} and ${j}`];
    })
  );
}

test("boxes of a graph do not overlap, and stand within its drawing", () => {
  for (const boxes of graphs()) {
    const layout = layOut(boxes, OPTIONS);
    assertEquals(overlaps(boxes, layout), []);
    for (const [i, { x, y }] of layout.boxes.entries()) {
      assert(x >= 0 && y >= 0 && x + boxes[i]!.width <= layout.width && y + 42 <= layout.height);
    }
  }
});

test("every box is below its dependencies", () => {
  for (const boxes of graphs()) {
    const { boxes: places } = layOut(boxes, OPTIONS);
    const wrong = boxes.flatMap(({ after }, i) => after.filter((other) => places[other]!.y + 42 >= places[i]!.y));
    assertEquals(wrong, []);
  }
});

test("lines go down, and none goes through a box", () => {
  for (const boxes of graphs()) {
    const { boxes: places, lines } = layOut(boxes, OPTIONS);
    for (const { x1, y1, x2, y2 } of lines) {
      assert(y2 > y1);
      // Between rows there are no boxes; within a row a line is upright.
      const inRow = places.flatMap(({ x, y }, i) => y1 < y + 42 && y2 > y ? [{ x, width: boxes[i]!.width }] : []);
      assert(inRow.length === 0 || x1 === x2);
      assertEquals(inRow.filter(({ x, width }) => x1 > x && x1 < x + width), []);
    }
  }
});

test("lines lead from each box to each that depends on it", () => {
  for (const boxes of graphs()) {
    const { boxes: places, lines } = layOut(boxes, OPTIONS);
    const next = new Map<string, string[]>();
    for (const { x1, y1, x2, y2 } of lines) {
      next.set(`${x1} ${y1}`, [...next.get(`${x1} ${y1}`) ?? [], `${x2} ${y2}`]);
    }
    const middle = (i: number): number => Math.round(places[i]!.x + boxes[i]!.width / 2);
    for (const [i, { after }] of boxes.entries()) {
      for (const other of after) {
        const seen = new Set([-1, 0, 1].map((d) => `${middle(other) + d} ${places[other]!.y + 42}`));
        for (const point of seen) for (const end of next.get(point) ?? []) seen.add(end);
        assert([-1, 0, 1].some((d) => seen.has(`${middle(i) + d} ${places[i]!.y}`)), `${other} → ${i}`);
      }
    }
  }
});

test("the same graph is laid out the same", () => {
  for (const boxes of graphs().slice(0, 20)) assertEquals(layOut(boxes, OPTIONS), layOut(boxes, OPTIONS));
});

test("a fan that is too wide for a row becomes rows", () => {
  const fan: LayoutBox[] = [
    { width: 150, after: [] },
    ...Array.from({ length: 60 }, () => ({ width: 150, after: [0] })),
    { width: 150, after: Array.from({ length: 60 }, (_, i) => i + 1) },
  ];
  const { width, boxes } = layOut(fan, OPTIONS);
  assert(width < 1_400, `${width}`);
  assertEquals(new Set(boxes.map(({ y }) => y)).size, 2 + Math.ceil(60 / 6));
});

test("a chain is vertical", () => {
  const chain = Array.from({ length: 30 }, (_, i): LayoutBox => ({ width: 100 + i, after: i === 0 ? [] : [i - 1] }));
  const { lines } = layOut(chain, OPTIONS);
  assertEquals(lines.filter(({ x1, x2 }) => Math.abs(x1 - x2) > 1), []);
});

test("of thousands of lines those that others imply are left out", () => {
  const all = Array.from({ length: 100 }, (_, at): LayoutBox => ({
    width: 100,
    after: Array.from({ length: at }, (_, i) => i),
  }));
  const { lines, implied } = layOut(all, OPTIONS);
  assertEquals([lines.length, implied], [99, 4_950 - 99]);
});

test("no boxes give an empty drawing", () => {
  const { boxes, lines, width, height } = layOut([], OPTIONS);
  assertEquals([boxes, lines], [[], []]);
  assert(Number.isFinite(width) && Number.isFinite(height));
});

test("a graph of 300 tasks holds up the process for at most 50 ms of CPU time", () => {
  const boxes = randomBoxes(300, 300, 12);
  const tasks = boxes.map(({ after }, i) => ({ id: `${i}`, after: after.map(String), kind: "task", on: "success" }));
  // The fastest of several rounds: the first ones compile, and others collect garbage.
  const rounds = Array.from(
    { length: 12 },
    () => cpuMs(() => layOut(foldTasks(tasks, 12).map(({ after }) => ({ width: 150, after })), OPTIONS)),
  );
  assert(Math.min(...rounds) <= 50, `${rounds}`);
});

test("of a graph whose lines pass very many rows the longest are left out, and counted", () => {
  const { below } = randomOf(1);
  const shapes: Readonly<Record<string, (at: number) => readonly number[]>> = {
    "two layers": (at) => at < 250 ? [] : Array.from({ length: 250 }, (_, i) => i),
    "two chains with links between them": (at) => at < 2 ? [] : [at - 2, at % 2 === 0 ? at - 2 : below(at)],
    "chain with links far back": (at) => at === 0 ? [] : [at - 1, at >> 1, Math.floor(at / 3), Math.floor(at / 5)],
    "many that look back anywhere": (at) => at < 100 ? [] : Array.from({ length: 4 }, () => below(at - 50)),
  };
  for (const [name, afterOf] of Object.entries(shapes)) {
    const boxes = Array.from({ length: 500 }, (_, at) => ({ width: 150, after: [...new Set(afterOf(at))] }));
    const links = boxes.reduce((sum, { after }) => sum + after.length, 0);
    const rounds = Array.from({ length: 3 }, () => cpuMs(() => layOut(boxes, OPTIONS)));
    const { lines, implied, leftOut } = layOut(boxes, OPTIONS);
    assert(leftOut > 0 && leftOut + implied < links, `${name}: ${leftOut}`);
    assert(lines.length < 8_000, `${name}: ${lines.length} lines`);
    // It took up to 3 s.
    assert(Math.min(...rounds) <= 250, `${name}: ${rounds}`);
  }
});
