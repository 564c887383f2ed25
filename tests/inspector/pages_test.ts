import { assert, assertEquals } from "@std/assert";
import { createHash } from "node:crypto";
import { contentSecurityPolicy } from "../../lib/inspector/pages/page.ts";
import { failuresPage } from "../../lib/inspector/pages/failures_page.ts";
import { itemsPage } from "../../lib/inspector/pages/items_page.ts";
import { overviewPage } from "../../lib/inspector/pages/overview_page.ts";
import { problemPage } from "../../lib/inspector/pages/problem_page.ts";
import { runPage } from "../../lib/inspector/pages/run_page.ts";
import { runnersPage } from "../../lib/inspector/pages/runners_page.ts";
import { runsPage } from "../../lib/inspector/pages/runs_page.ts";
import { schedulesPage } from "../../lib/inspector/pages/schedules_page.ts";
import { SCRIPT } from "../../lib/inspector/pages/script.ts";
import { STYLE } from "../../lib/inspector/pages/style.ts";
import { workflowPage } from "../../lib/inspector/pages/workflow_page.ts";
import { workflowsPage } from "../../lib/inspector/pages/workflows_page.ts";
import { test } from "../harness.ts";
import { attemptOf, nodeOf, NOW, pagesOf, runOf, runsOf, summaryOf, taskOf, viewOf } from "./page_fixtures.ts";

/** The source of every page, with `text` wherever text of users may stand; without the style and script of ours. */
function everyPage(text: string): Readonly<Record<string, string>> {
  const data = pagesOf(text);
  const view = viewOf(text);
  const pages = {
    runs: runsPage(data.runs, view),
    overview: overviewPage(data.overview, view),
    failures: failuresPage(data.failures, view),
    run: runPage(data.run, view),
    items: itemsPage(data.items, view),
    workflows: workflowsPage(data.workflows, view),
    workflow: workflowPage(data.workflow, view),
    schedules: schedulesPage(data.schedules, view),
    runners: runnersPage(data.runners, view),
    problem: problemPage(data.problem, view),
  };
  return Object.fromEntries(
    Object.entries(pages).map(([name, { text }]) => [name, text.replace(STYLE, "").replace(SCRIPT, "")]),
  );
}

test("no text of users becomes markup, on any page", () => {
  for (
    const hostile of [`"><img src=x onerror=alert(1)>`, `'onload='x`, "</style></script><b>", "\u202e\u0000\u2066"]
  ) {
    for (const [name, source] of Object.entries(everyPage(hostile))) {
      assert(source.includes("img src=x") === hostile.includes("img"), name);
      assertEquals(
        ["<img", "'onload", "</style></script>", "\u202e", "\0", "\u2066"].filter((raw) => source.includes(raw)),
        [],
      );
      assertEquals(source.match(/<\/?script>/g), ["<script>", "</script>"], name);
    }
  }
});

test("what is opened is closed, on every page", () => {
  const empty = new Set(["meta", "link", "input", "br", "!doctype"]);
  for (const [name, source] of Object.entries(everyPage("<i>"))) {
    const open: string[] = [];
    for (const [, end, tag, selfEnd] of source.matchAll(/<(\/?)(!?[a-z][a-z0-9]*)(?:[^>"]|"[^"]*")*?(\/?)>/g)) {
      if (selfEnd || (empty.has(tag!) && !end)) continue;
      if (!end) open.push(tag!);
      else assertEquals(open.pop(), tag, name);
    }
    assertEquals(open, [], name);
  }
});

test("an id occurs once in a page, and each reference finds it", () => {
  for (const [name, source] of Object.entries(everyPage('a "quoted" id'))) {
    const ids = [...source.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id!);
    assertEquals(ids.filter((id, at) => ids.indexOf(id) !== at), [], name);
    const wanted = [...source.matchAll(/ (?:href="#|aria-labelledby=")([^"]+)"/g)].map(([, id]) => id!);
    assertEquals(wanted.filter((id) => !ids.includes(id)), [], name);
  }
});

test("a page needs nothing from elsewhere, and its policy allows just its own style and script", () => {
  const hashOf = (text: string): string => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
  for (const [name, source] of Object.entries(everyPage("x"))) {
    assertEquals(source.match(/ style=| on[a-z]+=|(?:href|src|action)="(?:https?:)?\/\/|@import|url\(/g), null, name);
  }
  assert(contentSecurityPolicy.includes(`style-src ${hashOf(STYLE)};`));
  assert(contentSecurityPolicy.includes(`script-src ${hashOf(SCRIPT)};`));
  assert(contentSecurityPolicy.startsWith("default-src 'none';"));
  assert(!contentSecurityPolicy.includes("unsafe"));
});

test("every link of a page stays under the base path", () => {
  for (const [name, source] of Object.entries(everyPage("x"))) {
    const hrefs = [...source.matchAll(/ (?:href|action)="([^"]*)"/g)].map(([, href]) => href!);
    const wrong = hrefs.filter((href) => !/^(#|\/ops\/|data:image\/svg)/.test(href));
    assertEquals(wrong, [], name);
  }
});

test("megabytes of text are cut on pages", () => {
  const [message, stack, reason] = [..."msr"].map((char) => char.repeat(5_000_000)) as [string, string, string];
  const error = { name: "Error", message: message!, stack: stack! };
  const tasks = [taskOf("a", { state: "failed", error, reason: reason!, progress: { done: 1, total: 2, message } })];
  const run = runOf([nodeOf("a")], tasks, { error, reason });
  const events = [{ at: NOW, kind: "task.failed", taskId: "a", attempt: 1, detail: message }];
  assert(runPage({ ...run, events }, viewOf()).text.length < 100_000);
  assert(runsPage(runsOf({ runs: [summaryOf({ failure: message, reason })] }), viewOf()).text.length < 60_000);
  const { items } = pagesOf("x");
  const long = { ...items.items[0]!, error, reason, progress: { done: 1, total: 2, message } };
  assert(itemsPage({ ...items, items: [long] }, viewOf()).text.length < 60_000);
});

test("the filter of the runs keeps the request", () => {
  const filter = {
    workflow: "gone",
    states: ["failed"],
    tags: ["a", "b"],
    since: NOW,
    until: undefined,
    q: "x",
    error: "no rows",
    isParked: true,
  } as const;
  const { text } = runsPage(runsOf({ filter }), viewOf());
  assert(text.includes(`<option value="gone" selected>gone</option>`));
  assert(text.includes(`<input type="hidden" name="state" value="failed">`));
  assertEquals([...text.matchAll(/name="tag" value="([^"]*)"/g)].map(([, tag]) => tag), ["a", "b", ""]);
  assert(text.includes(`name="since" value="2026-11-23T12:00"`));
  // Another state, and nothing else changed.
  assert(
    text.includes(
      `/ops/runs?workflow=gone&amp;state=paused&amp;tag=a&amp;tag=b&amp;since=${NOW}&amp;q=x&amp;error=no+rows&amp;parked=true"`,
    ),
  );
});

test("a run in the list says where it is and how long it took", () => {
  const rows = [
    summaryOf({ id: "a", state: "completed", endedAt: NOW - 8_760 }),
    summaryOf({ id: "b", state: "running" }),
    summaryOf({ id: "c", state: "pending", startedAt: undefined, dueAt: NOW + 7_200_000 }),
    summaryOf({ id: "d", state: "failed", endedAt: NOW, failure: "TypeError: rows is undefined", crashes: 1 }),
  ];
  const { text } = runsPage(runsOf({ runs: rows }), viewOf());
  const words = text.slice(text.indexOf("<tbody")).replace(/<[^>]*>/g, "").replace(/\s+/g, " ");
  assert(words.includes("completed etl a 12 s ago 1.24 s"), words);
  assert(words.includes("running etl b 12 s ago 10 s so far"), words);
  assert(words.includes("pending etl c 12 s ago due in 2 h"), words);
  assert(words.includes("failed etl d1 runner crashed: TypeError: rows is undefined 12 s ago"), words);
});

test("a run's graph, time line and details name each task with its state", () => {
  const nodes = [nodeOf("extract"), nodeOf("load", ["extract"]), nodeOf("report", ["load"], { isConditional: true })];
  const tasks = [
    taskOf("extract", {
      attempts: 2,
      history: [attemptOf(1, "failed", NOW - 10_000, NOW - 9_800), attemptOf(2, "completed", NOW - 9_500, NOW - 9_000)],
    }),
    taskOf("load", {
      state: "running",
      endedAt: undefined,
      startedAt: NOW - 9_000,
      history: [attemptOf(1, "running", NOW - 9_000)],
    }),
    taskOf("report", { state: "pending", attempts: 0, startedAt: undefined, endedAt: undefined, history: [] }),
  ];
  const { text } = runPage(runOf(nodes, tasks), viewOf());
  assert(text.includes(`<title>extract, completed, 1 s, 2 attempts</title>`), text);
  assert(text.includes(`<title>load, running, running 9 s</title>`));
  assert(text.includes(`<span class="visually-hidden">pending: </span><code>report</code>`));
  assertEquals([...text.matchAll(/<rect class="s-(\w+)" x="([\d.]+)%"/g)].map(([, state, x]) => `${state} at ${x}`), [
    "failed at 0",
    "completed at 5",
    "running at 10",
  ]);
  assertEquals([...text.matchAll(/class="wait (\w+)" x1="([\d.]+)%" x2="([\d.]+)%"/g)].map(([, ...wait]) => wait), [
    ["retry", "2", "5"],
  ]);
});

test("a task that is being undone is drawn as compensating, with the progress of its undo", () => {
  const undo = { state: "running", attempts: 1, reason: undefined, history: [], error: undefined } as const;
  const times = { startedAt: NOW - 1_000, endedAt: undefined, dueAt: undefined };
  const progress = { done: 1, total: 4 };
  const nodes = [nodeOf("book", [], { mayUndo: true }), nodeOf("pay", ["book"])];
  const tasks = [taskOf("book", { undo: { ...undo, ...times, progress } }), taskOf("pay", { state: "failed" })];
  const { text } = runPage(runOf(nodes, tasks), viewOf());
  assert(text.includes(`class="box s-compensating"><title>book, compensating, undo running</title>`), text);
  assert(text.includes(`aria-label="Progress of the undo of book"`), text);
  assert(/<rect class="done" x="\d+" y="\d+" width="\d+"/.test(text), text);
});

test("a hundred tasks that stand alike are one box that says how they do, and a link to the first that failed", () => {
  const ids = Array.from({ length: 100 }, (_, i) => `resize-${i}`);
  const nodes = [nodeOf("list"), ...ids.map((id) => nodeOf(id, ["list"])), nodeOf("sheet", ids)];
  const tasks = nodes.map(({ id }, i) => taskOf(id, i % 40 === 8 ? { state: "failed" } : {}));
  const { text } = runPage(runOf(nodes, tasks), viewOf());
  assert(
    text.includes(`href="#task-resize-7" class="box s-failed"><title>resize-… × 100, 3 failed, 97 completed</title>`),
  );
  assertEquals(text.match(/<details class="task /g)?.length, 102);
});

test("words on the ground of their state, and on the page, can be read in both colour schemes", () => {
  const pairs = [...STYLE.matchAll(/--(ink|ground|bar|page|panel|text|muted|link): light-dark\((#\w+), (#\w+)\)/g)];
  const colours = pairs.map(([, name, light, dark]) => ({ name: name!, schemes: [light!, dark!] as const }));
  const named = (name: string): typeof colours => colours.filter((colour) => colour.name === name);
  assertEquals(named("ink").length, 8);
  for (const scheme of [0, 1] as const) {
    const panels = [...named("page"), ...named("panel")];
    const texts = [...named("text"), ...named("muted"), ...named("link")];
    for (const { schemes } of texts) for (const ground of panels) least(4.5, schemes[scheme], ground.schemes[scheme]);
    for (const [i, { schemes }] of named("ink").entries()) {
      least(4.5, schemes[scheme], named("ground")[i]!.schemes[scheme]);
      for (const ground of panels) least(3, named("bar")[i]!.schemes[scheme], ground.schemes[scheme]);
    }
  }

  function least(wanted: number, one: string, other: string): void {
    const [high, low] = [luminance(one), luminance(other)].sort((a, b) => b - a);
    assert((high! + 0.05) / (low! + 0.05) >= wanted, `${one} on ${other}`);
  }
});

/** Relative luminance as WCAG 2 defines it. */
function luminance(colour: string): number {
  const parts = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16) / 255);
  const [red, green, blue] = parts.map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
}

test("payloads that are nested deeply are not indented to a multiple of their size", () => {
  const nested = `${"[".repeat(1_000)}${"]".repeat(1_000)}`;
  const tasks = Array.from(
    { length: 150 },
    (_, i) =>
      taskOf(`t${i}`, { output: { text: nested, bytes: nested.length, isTruncated: false, href: "/ops/api/x" } }),
  );
  const page = runPage(runOf(tasks.map(({ id }) => nodeOf(id)), tasks), viewOf()).text;
  assert(page.length < 1_500_000, `${page.length} characters`);
  assert(page.includes(`">${nested}</pre>`));
  // What is nested as payloads usually are is indented.
  const output = { text: `{"a":[1,{"b":[]}]}`, bytes: 18, isTruncated: false, href: "/ops/api/x" };
  const { text } = runPage(runOf([nodeOf("a")], [taskOf("a", { output })]), viewOf());
  assert(text.includes(">{\n  &quot;a&quot;: [\n    1,\n    {\n      &quot;b&quot;: []\n    }\n  ]\n}</pre>"), text);
});

test("the page of a completed run shows its result, and that of another run none", () => {
  const outputOf = (text: string) => ({ text, bytes: text.length, isTruncated: false, href: "/ops/api/x" });
  const tasks = [taskOf("load", { output: outputOf(`"rows"`) }), taskOf("report", { output: outputOf(`"sent"`) })];
  const nodes = [nodeOf("load"), nodeOf("report", ["load"])];
  const resultOf = (data: ReturnType<typeof runOf>): string | undefined =>
    /<section id="result-part".*?<\/section>/s.exec(runPage(data, viewOf()).text)?.[0].replaceAll(/<[^>]*>|\s+/g, " ")
      .replaceAll(/ +/g, " ").trim();
  const data = runOf(nodes, tasks, { state: "completed", endedAt: NOW });
  const returned = { ...data, graph: { ...data.graph, result: "report" } };
  assertEquals(resultOf(returned), "Result report &quot;sent&quot; Result of report as JSON");
  assertEquals(
    resultOf(data),
    "Result load &quot;rows&quot; Result of load as JSON report &quot;sent&quot; Result of report as JSON",
  );
  assertEquals(resultOf({ ...returned, tasks: [taskOf("report")] }), "Result The run completed without an output.");
  assertEquals(resultOf(runOf(nodes, tasks, { state: "failed", endedAt: NOW })), undefined);
});

test("many tasks and many steps are folded", () => {
  const ids = Array.from({ length: 300 }, (_, i) => `t${i}`);
  const output = { text: "1", bytes: 1, isTruncated: false, href: "/ops/api/x" };
  const steps = Array.from({ length: 50 }, (_, i) => ({ name: `step ${i}`, endedAt: NOW, output }));
  const tasks = ids.map((id) => taskOf(id, id === "t0" ? { steps } : {}));
  const { text } = runPage(runOf(ids.map((id) => nodeOf(id)), tasks), viewOf());
  for (const words of ["200 more tasks", "40 more steps"]) assert(text.includes(`<summary>${words}</summary>`), words);
  // The output of each step is folded, too.
  assertEquals(text.match(/<details><summary><code>step \d+</g)?.length, 50);
});

test("a list without runs says whether the store is empty or nothing matches", () => {
  const wordsOf = (more: Parameters<typeof runsOf>[0]): string | undefined =>
    /<p class="empty">([^<]*)/.exec(runsPage(runsOf({ runs: [], ...more }), viewOf()).text)?.[1];
  const { filter } = runsOf();
  assertEquals(wordsOf({}), "No runs yet.");
  assertEquals(wordsOf({ filter: { ...filter, states: ["failed"] } }), "No matching runs.");
  assertEquals(wordsOf({ filter: { ...filter, q: "x" }, searchedBackTo: NOW }), "No matching runs so far.");
  assertEquals(wordsOf({ isContinued: true }), "No older runs.");
});

test("an error is shown with its code apart from its name, its fields and its inner errors", () => {
  const error = {
    name: "NonRetryableError",
    code: "non_retryable",
    message: "402",
    fields: { status: 402 },
    errors: [{ name: "TypeError", message: "inner" }],
  };
  const words = runPage(runOf([], [], { error }), viewOf()).text.replaceAll(/<[^>]*>/g, "").replaceAll(/\s+/g, " ");
  assert(words.includes("NonRetryableError non_retryable: 402 {&quot;status&quot;:402}"), words);
  assert(words.includes("with 1 inner error TypeError: inner"), words);
});
