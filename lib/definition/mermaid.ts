import type { GraphTask } from "./graph_task.ts";

/**
 * Returns a Mermaid flowchart of tasks. The shape of a node shows its kind, and a task with `when` is a diamond; edges show
 * an `on` other than `"success"`, and dotted edges `reads`. Tasks with an `undo` have a dashed border. The same tasks in the same order give the same text.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const tasks = [{ id: "fetch", after: [] }, { id: "cached", after: ["fetch"], on: "anyFailed" }];
 * assertEquals(
 *   toMermaid(tasks),
 *   ["flowchart TD", '  t0["fetch"]', '  t1["cached"]', "  t0 -->|anyFailed| t1", ""].join("\n"),
 * );
 * ```
 */
export function toMermaid(tasks: readonly GraphTask[]): string {
  // Ids of users may be keywords of Mermaid, such as "end", so nodes are numbered.
  const names = new Map(tasks.map((task, i) => [task.id, `t${i}`]));
  const nodes = tasks.map((task, i) => {
    const [open, close] = shapeOf(task);
    return `t${i}${open}"${escape(task.id)}"${close}${hasUndo(task) ? ":::undo" : ""}`;
  });
  const edges = tasks.flatMap((task) => [
    ...task.after.map((id) => `${names.get(id)} ${arrow(task)} ${names.get(task.id)}`),
    // A subgraph may lack an ancestor only if it lacks the task that reads it.
    ...(task.reads ?? []).map((id) => `${names.get(id)} -.-> ${names.get(task.id)}`),
  ]);
  const classes = tasks.some(hasUndo) ? ["classDef undo stroke-dasharray: 5 3"] : [];
  return `${["flowchart TD", ...[...nodes, ...edges, ...classes].map((line) => `  ${line}`)].join("\n")}\n`;
}

function hasUndo({ undo, each }: GraphTask): boolean {
  return undo !== undefined || each?.undo !== undefined;
}

/** The brackets of a node. */
function shapeOf(task: GraphTask): readonly [open: string, close: string] {
  if (task.when !== undefined) return ["{", "}"];
  switch (task.kind) {
    case "map":
      return ["[/", "/]"];
    case "subworkflow":
      return ["[[", "]]"];
    case "event":
      return [">", "]"];
    case "sleep":
      return ["([", "])"];
    default:
      return ["[", "]"];
  }
}

function arrow(task: GraphTask): string {
  return task.on === undefined || task.on === "success" ? "-->" : `-->|${task.on}|`;
}

// In a quoted label, Mermaid interprets HTML, Markdown and entities; `#34;` is its notation of a quote.
function escape(label: string): string {
  return label.replace(/[^\p{L}\p{N} _.:/-]/gu, (char) => `#${char.codePointAt(0)};`);
}
