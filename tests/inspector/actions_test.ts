/** Links of users: when they are requested, and which of them get into a page. */
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import type { RunPage } from "../../lib/inspector/run_shape.ts";
import type { Actions, ActionSubject } from "../../lib/inspector/mod.ts";
import { createInspector } from "../../lib/inspector/mod.ts";
import type { Logger } from "../../lib/logger.ts";
import { test } from "../harness.ts";
import { ask, etl, ground, runnerOn } from "./ground.ts";

test("a run, its tasks and its workflow show the links that actions returns for them", async () => {
  await using on = ground("sqlite");
  await using runner = await runnerOn(await on.open());
  const { runId } = await runner.execute(etl, { token: "t" }, { key: "secret-1", tags: ["eu"] });
  const subjects: ActionSubject[] = [];
  const asked = ask(runner, {
    redact: ["key"],
    actions(subject) {
      subjects.push(subject);
      if (subject.kind === "task") {
        return subject.state === "failed" ? [{ label: "Logs", href: `https://logs.example/?q=${subject.taskId}` }] : [];
      }
      return [{ label: `Retry this ${subject.kind}`, href: "/admin/retry?a=1&b=2" }];
    },
  });
  const page: RunPage = await (await asked(`/api/runs/${runId}`)).json();
  assertEquals(page.actions, [{ label: "Retry this run", href: "/admin/retry?a=1&b=2" }]);
  assertEquals(page.tasks.map(({ actions = [] }) => actions.map(({ href }) => href)), [
    [],
    [],
    ["https://logs.example/?q=load"],
    [],
  ]);
  const of = { runId, workflow: "etl" };
  assertEquals(subjects.filter(({ kind }) => kind === "run"), [
    { kind: "run", ...of, version: etl.version, state: "failed", key: "[redacted]", tags: ["eu"] },
  ]);
  assertEquals(subjects.find(({ kind }) => kind === "task"), {
    kind: "task",
    ...of,
    taskId: "extract",
    state: "completed",
  });
  const html = await (await asked(`/runs/${runId}`)).text();
  assertStringIncludes(html, '<a href="/admin/retry?a=1&amp;b=2" rel="noreferrer noopener">Retry this run</a>');
  assertStringIncludes(html, '<a href="https://logs.example/?q=load"');
  assertStringIncludes(await (await asked("/workflows/etl")).text(), ">Retry this workflow</a>");
});

test("links that would run a script, and actions that fail, are left out and logged; the page is shown", async () => {
  await using on = ground("sqlite");
  await using runner = await runnerOn(await on.open());
  const { runId } = await runner.execute(etl, { token: "t" });
  const wrong: readonly (readonly [unknown, string])[] = [
    [() => [{ label: "x", href: "javascript:alert(1)" }], 'the href of "x" must be an http(s) URL or a path'],
    [() => [{ label: "x", href: " https://a.example" }], 'the href of "x" must be an http(s) URL or a path'],
    [() => [{ label: "x", href: "data:text/html,x" }], 'the href of "x" must be an http(s) URL or a path'],
    [() => [{ label: "x" }], "a link needs a label and an href"],
    [() => [null], "a link needs a label and an href"],
    [() => "links", "it must return an array of links"],
    [() => Promise.resolve([]), "it must return an array of links"],
    [() => {
      throw new Error("no tools");
    }, "no tools"],
  ];
  for (const [actions, message] of wrong) {
    const lines: string[] = [];
    const ignore = (): void => {};
    const error: Logger["error"] = (line, fields) => void lines.push(`${line}: ${fields?.["error"]}`);
    const logger: Logger = { debug: ignore, info: ignore, warn: ignore, error };
    const answer = await ask(runner, { actions: actions as Actions, logger })(`/runs/${runId}`);
    const text = await answer.text();
    assertEquals([answer.status, text.includes('class="actions"'), text.includes("alert(1)")], [200, false, false]);
    assertEquals(lines.at(-1), `Cannot show the links of a run: actions failed: ${message}`);
  }
  const many = ask(runner, {
    actions: () => Array.from({ length: 50 }, (_, i) => ({ label: `"><b>${i}`.repeat(100), href: "/x" })),
  });
  const html = await (await many("/workflows/etl")).text();
  assertEquals(html.split('href="/x"').length - 1, 10);
  assert(!html.includes("<b>0"));
  assertThrows(() => createInspector(runner, { actions: 7 as never }), TypeError, "actions");
});
