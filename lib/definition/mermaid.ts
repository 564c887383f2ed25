import type { GraphTask } from "./graph_task.ts";

/**
 * A Mermaid flowchart of some tasks: a task with `when` is a diamond, an `on` other than `"success"` stands at its
 * edges. The same tasks in the same order give the same text.
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
  // Ids of users may be words of Mermaid's own, such as "end", so its nodes are numbered.
  const names = new Map(tasks.map((task, i) => [task.id, `t${i}`]));
  const nodes = tasks.map((task, i) =>
    `t${i}${task.when === undefined ? "[" : "{"}"${escape(task.id)}"${task.when === undefined ? "]" : "}"}`
  );
  const edges = tasks.flatMap((task) =>
    task.after.map((id) => `${names.get(id)} ${arrow(task)} ${names.get(task.id)}`)
  );
  return `${["flowchart TD", ...[...nodes, ...edges].map((line) => `  ${line}`)].join("\n")}\n`;
}

function arrow(task: GraphTask): string {
  return task.on === undefined || task.on === "success" ? "-->" : `-->|${task.on}|`;
}

// Mermaid reads HTML, Markdown and entities of its own in a quoted label; `#34;` is its way to write a quote.
function escape(label: string): string {
  return label.replace(/[^\p{L}\p{N} _.:/-]/gu, (char) => `#${char.codePointAt(0)};`);
}
