import { assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { type DynamicBody, dynamicWorkflow } from "../../lib/definition/dynamic.ts";
import { workflow } from "../../lib/definition/workflow.ts";
import { cpuMs } from "../cpu.ts";
import { test } from "../harness.ts";

const one = () => 1;
const two = () => 2;
const isOk = () => true;

function base() {
  return workflow("w", { description: "d", tags: ["x", "y"], timeout: "1h" })
    .task("a", { run: one })
    .task("b", { run: one })
    .task("c", { after: ["a", "b"], run: one });
}

test("a version is 16 hex digits, and so is a structure", () => {
  assertMatch(base().version, /^[0-9a-f]{16}$/);
  assertMatch(base().structure, /^[0-9a-f]{16}$/);
  assertNotEquals(base().version, base().structure);
});

test("a structure is the same in every process and on every runtime", () => {
  assertEquals(base().structure, "7c69b9456b9d7bee");
  assertEquals(workflow("w", { version: "1" }).task("a", { run: one }).version, "618527f71da07e24");
});

test("equal definitions have equal versions in any order of tasks, dependencies and tags", () => {
  const other = workflow("w", { tags: ["y", "x"], timeout: 3_600_000, description: "d" })
    .task("b", { run: one })
    .task("a", { run: one })
    .task("c", { run: one, after: ["b", "a"] });
  const generated = dynamicWorkflow({
    name: "w",
    description: "d",
    tags: ["x", "y"],
    timeout: "60m",
    tasks: [{ id: "c", after: ["a", "b"], run: one }, { id: "b", run: one }, { id: "a", run: one }],
  });
  assertEquals([other.version, generated.version], [base().version, base().version]);
});

test("whether a default is written out makes no difference", () => {
  const written = workflow("w").task("a", {
    after: [],
    on: "success",
    retry: { attempts: 3, backoff: "exponential", delay: 1000, maxDelay: "30s", jitter: true },
    run: one,
  });
  const counted = workflow("w", { tags: [] }).task("a", { retry: 3, run: one });
  assertEquals(written.version, counted.version);
});

test("a task that leaves retry to the defaults of its runner has another version than one that states it", () => {
  const stated = workflow("w").task("a", { retry: 3, run: one });
  assertNotEquals(workflow("w").task("a", { run: one }).version, stated.version);
});

test("every change of behaviour changes the version, and the structure unless it is code", () => {
  const task = (options: Omit<DynamicBody, "id">) => {
    const others = base().tasks.map(({ id, after }) => ({ id, after, run: one }));
    const settings = { name: "w", description: "d", tags: ["x", "y"], timeout: "1h" } as const;
    return dynamicWorkflow({ ...settings, tasks: [...others, { id: "d", ...options }] });
  };
  const plain = task({ retry: 3, run: one });
  const structural = [
    workflow("v").task("a", { run: one }),
    base().returns("a"),
    base().returns("b"),
    workflow("w", { description: "e", tags: ["x", "y"], timeout: "1h" }).task("a", { run: one }),
    workflow("w", { description: "d", tags: ["x"], timeout: "1h" }).task("a", { run: one }),
    workflow("w", { description: "d", tags: ["x", "y"], timeout: "2h" }).task("a", { run: one }),
    task({ run: one }),
    task({ after: ["a"], run: one }),
    task({ after: ["a"], on: "settled", run: one }),
    task({ after: ["c"], run: one }),
    task({ after: ["c"], reads: ["a"], run: one }),
    task({ timeout: "1s", run: one }),
    task({ retry: 4, run: one }),
    task({ retry: { backoff: "linear" }, run: one }),
    task({ retry: { delay: "2s" }, run: one }),
    task({ retry: { maxDelay: "10s" }, run: one }),
    task({ retry: { jitter: false }, run: one }),
    plain,
  ];
  const inCode = [
    task({ retry: 3, run: two }),
    task({ retry: 3, when: isOk, run: one }),
    task({ retry: { retryIf: isOk }, run: one }),
    task({ retry: 3, run: one, onSuccess: one }),
    task({ retry: 3, run: one, onFailure: one }),
    task({ retry: 3, run: one, version: "2" }),
  ];
  const versions = [...structural, ...inCode].map((w) => w.version);
  assertEquals(new Set(versions).size, versions.length);
  assertEquals(new Set(structural.map((w) => w.structure)).size, structural.length);
  for (const w of inCode) assertEquals(w.structure, plain.structure);
});

test("a version stated by a task replaces its code", () => {
  const stated = (run: () => number, version: string) => workflow("w").task("a", { run, version }).version;
  assertEquals(stated(one, "1"), stated(two, "1"));
  assertNotEquals(stated(one, "1"), stated(one, "2"));
  assertNotEquals(stated(one, one.toString()), workflow("w").task("a", { run: one }).version);
});

test("a version stated by the workflow replaces the code of all its tasks, but not their stated versions", () => {
  const stated = (run: () => number, version: string, own?: string) =>
    workflow("w", { version }).task("a", { run }).task("b", { run, ...(own !== undefined && { version: own }) })
      .version;
  assertEquals(stated(one, "1"), stated(two, "1"));
  assertNotEquals(stated(one, "1"), stated(one, "2"));
  assertNotEquals(stated(one, "1"), stated(one, "1", "1"));
  assertNotEquals(stated(one, "1", "1"), stated(one, "1", "2"));
});

test("ids cannot be arranged so that different graphs look the same", () => {
  const versionOf = (after: readonly string[]) =>
    dynamicWorkflow({
      name: "w",
      tasks: [...["a", "b", 'a","b', "a,b"].map((id) => ({ id, run: one })), { id: "z", after, run: one }],
    }).structure;
  assertEquals(new Set([["a", "b"], ['a","b'], ["a,b"], []].map(versionOf)).size, 4);
});

test("building a chain of 1,000 tasks takes at most 50 ms of CPU time, as nothing is hashed before it is read", () => {
  const builtMs = Array.from({ length: 3 }, () => {
    let chain: Chain = workflow("chain") as unknown as Chain;
    const ms = cpuMs(() => {
      for (let i = 0; i < 1_000; i++) chain = chain.task(`t${i}`, { after: i === 0 ? [] : [`t${i - 1}`], run: one });
    });
    assertEquals(chain.tasks.length, 1_000);
    assertMatch(chain.version, /^[0-9a-f]{16}$/);
    return ms;
  });
  // Some milliseconds; a version at each step would take seconds.
  assertEquals(Math.min(...builtMs) < 50, true, `${builtMs} ms`);
});

/** A workflow as one builds it in a loop. */
interface Chain {
  task(id: string, options: { readonly after: readonly string[]; readonly run: () => number }): Chain;
  readonly tasks: readonly unknown[];
  readonly version: string;
}
