import { assertEquals } from "@std/assert";
import { dynamicWorkflow } from "../../lib/definition/dynamic.ts";
import { workflow } from "../../lib/definition/workflow.ts";
import { test } from "../harness.ts";

const run = () => 1;

test("a flowchart shows tasks, conditions and triggers", () => {
  const resilient = workflow("resilient")
    .task("fetch", { run })
    .task("cached", { after: ["fetch"], on: "anyFailed", run })
    .task("report", { after: ["fetch", "cached"], on: "settled", when: () => true, run })
    .task("mail", { after: ["report"], run });
  assertEquals(
    resilient.toMermaid(),
    `flowchart TD
  t0["fetch"]
  t1["cached"]
  t2{"report"}
  t3["mail"]
  t0 -->|anyFailed| t1
  t0 -->|settled| t2
  t1 -->|settled| t2
  t2 --> t3
`,
  );
  assertEquals(resilient.graph.toMermaid(), resilient.toMermaid());
});

test("a flowchart marks the tasks and maps that can be undone", () => {
  const trip = workflow("trip")
    .task("book", { run, undo() {} })
    .map("seats", { after: ["book"], over: () => [1], run, undo() {} })
    .task("pay", { after: ["seats"], run });
  assertEquals(
    trip.toMermaid(),
    `flowchart TD
  t0["book"]:::undo
  t1[/"seats"/]:::undo
  t2["pay"]
  t0 --> t1
  t1 --> t2
  classDef undo stroke-dasharray: 5 3
`,
  );
});

test("ids that mean something to Mermaid are only text", () => {
  const ids = ["end", 'a"]; click t0 href "javascript:x', "<b>", "#35;", "`md`", "a\\nb", "größe 1"];
  const chart = dynamicWorkflow({ name: "w", tasks: ids.map((id) => ({ id, run })) }).toMermaid();
  assertEquals(chart.split("\n").slice(1, -1), [
    '  t0["end"]',
    '  t1["a#34;#93;#59; click t0 href #34;javascript:x"]',
    '  t2["#60;b#62;"]',
    '  t3["#35;35#59;"]',
    '  t4["#96;md#96;"]',
    '  t5["a#92;nb"]',
    '  t6["größe 1"]',
  ]);
});
