/** Redaction, wherever a value is shown. */
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { createRedactor } from "../../lib/inspector/redact.ts";
import type { ErrorRecord } from "../../lib/errors.ts";
import { type Logger, silent } from "../../lib/logger.ts";
import { createRunner, workflow } from "../../mod.ts";
import { createInspector } from "../../lib/inspector/mod.ts";
import { test } from "../harness.ts";
import { ask, etl, greet, ground, runnerOn } from "./ground.ts";

const CARD = { user: { name: "Ann", card: [{ no: "1", ok: true }, { no: "2" }] }, note: 'a "quoted" \\ {no: 3}' };

test("paths hide what they lead to, and nothing else", () => {
  const cases: [readonly string[], unknown][] = [
    [["input.note"], { ...CARD, note: "[redacted]" }],
    [["input.user.card.*.no"], {
      ...CARD,
      user: { name: "Ann", card: [{ no: "[redacted]", ok: true }, { no: "[redacted]" }] },
    }],
    [["input.user.card.1"], { ...CARD, user: { name: "Ann", card: [{ no: "1", ok: true }, "[redacted]"] } }],
    [["**.no", "**.name"], {
      ...CARD,
      user: { name: "[redacted]", card: [{ no: "[redacted]", ok: true }, { no: "[redacted]" }] },
    }],
    [["input.**.ok"], { ...CARD, user: { name: "Ann", card: [{ no: "1", ok: "[redacted]" }, { no: "2" }] } }],
    [["input.*"], { user: "[redacted]", note: "[redacted]" }],
    [["input"], "[redacted]"],
    [["**"], "[redacted]"],
    [["output.note", "input.user.car", "note", "tasks.*.output", "input.Note"], CARD],
  ];
  for (const [paths, shown] of cases) {
    const { json } = createRedactor(paths);
    for (const space of [undefined, 2]) {
      assertEquals(JSON.parse(json(["input"], JSON.stringify(CARD, null, space))), shown);
    }
  }
});

test("a text that is cut anywhere shows no more than the complete text", () => {
  const secrets = { a: { token: "hunter2hunter2" }, token: { deep: ["hunter2"] }, "tok\\en": 1, b: "shown" };
  const text = JSON.stringify(secrets);
  const { json } = createRedactor(["**.token"]);
  for (let end = 0; end <= text.length; end++) {
    assertEquals(json(["input"], text.slice(0, end)).includes("hunter"), false, text.slice(0, end));
  }
  assertStringIncludes(json(["input"], text), '"b":"shown"');
});

test("deep and large texts are gone through without a stack, and soon", () => {
  const { json } = createRedactor(["**.secret"]);
  const deep = "[".repeat(200_000) + '{"secret":1}' + "]".repeat(200_000);
  assertEquals(json(["input"], deep).includes('{"secret":"[redacted]"}'), true);
  const wide = JSON.stringify(Array.from({ length: 50_000 }, (_, i) => ({ i, secret: "x".repeat(10) })));
  assertEquals(json(["input"], wide).includes("xxx"), false);
});

test("names that need quotes are compared as they are meant", () => {
  const { json } = createRedactor(["input.a\u0001b", "input.__proto__"]);
  const text = `{"a\\u0001b":1,"__proto__":2,"c":3}`;
  assertEquals(json(["input"], text), `{"a\\u0001b":"[redacted]","__proto__":"[redacted]","c":3}`);
});

test("what is no path is refused", () => {
  for (const path of ["", ".", "a.", "a..b", 7]) assertThrows(() => createRedactor([path as string]), TypeError);
});

test("nothing that is hidden is on any page or in any answer", async () => {
  await using on = ground("sqlite");
  await using runner = await runnerOn(await on.open());
  const hidden = { token: "tok-hunter2" };
  const { runId } = await runner.execute(etl, hidden, { key: "key-hunter2", tags: ["tag-hunter2"] });
  await runner.execute(greet);
  const all = ask(runner);
  const asked = ask(runner, {
    redact: ["input.token", "**.secret", "key", "tags", "error", "tasks.load.error", "tasks.extract.error.cause"],
  });
  let shown = 0;
  for (const path of ["/runs", "/runs?q=key-", "/runs/:id", "/workflows", "/workflows/etl", "/runners"]) {
    for (const at of [path, `/api${path}`].map((each) => each.replace(":id", runId))) {
      const text = await (await asked(at)).text();
      const hits = text.replaceAll("q=key-", "").match(/hunter2|socket hang up/g);
      assertEquals(hits, null, at);
      shown += (await (await all(at)).text()).match(/hunter2|socket hang up/g)?.length ?? 0;
    }
  }
  for (const path of ["input", "tasks/extract/output", "tasks/big/steps/price%20list"]) {
    assertEquals((await (await asked(`/api/runs/${runId}/${path}`)).text()).includes("hunter2"), false);
  }
  // Without it they were there.
  assertEquals(shown > 20, true, `${shown}`);
});

test("a quoted segment matches an id with dots, quotes or stars literally", () => {
  const shown = (path: string, id: string): string => createRedactor([path]).json(["tasks", id, "output"], "1");
  for (const id of ["pay.card", "*", "**", 'say "hi"', "back\\slash", "", "a"]) {
    const path = `tasks.${JSON.stringify(id)}.output`;
    assertEquals([shown(path, id), shown(path, "other")], ['"[redacted]"', "1"], path);
  }
  for (const path of ['"', '"a', 'a."b"c', 'a"b"', '"\\x".a', 'a."b".', 'a.""b']) {
    assertThrows(() => createRedactor([path]), TypeError, "Cannot redact");
  }
});

test("a path that can hide nothing is reported, with what it was probably meant to be", async () => {
  const warningsOf = (path: string): readonly string[] => createRedactor([path]).warnings;
  for (
    const path of [
      "input.a.b",
      "key",
      "tags.0",
      "error.message",
      "error.cause.cause.message",
      "tasks.pay.output.a",
      "tasks.*.steps.a.b",
      "**.token",
      "*.token",
      "tasks.**",
      "tasks.pay.progress.message",
    ]
  ) assertEquals(warningsOf(path), [], path);
  assertEquals(warningsOf("inputs.password"), [
    'The redact path "inputs.password" hides nothing: unknown field "inputs" (known: input, key, tags, reason, error, tasks, ' +
    'limits) (did you mean "input"?)',
  ]);
  for (const path of ["output", "tasks.pay.outputs", "key.a", "tasks.pay.error.msg", "tasks.pay.error.message.a"]) {
    assertEquals(warningsOf(path).length, 1, path);
  }
  const warned: string[] = [];
  const logger: Logger = { ...silent, warn: (message) => void warned.push(message) };
  await using on = ground("sqlite");
  createInspector(await on.open(), { redact: ["tasks.pay.outputs", "input"], logger });
  assertEquals(warned.length, 1);
});

test("the error of a run hides what is hidden of the error of a task", async () => {
  await using on = ground("sqlite");
  const pay = workflow("pay").task("charge", {
    retry: 1,
    run() {
      const cause = Object.assign(new Error("card 4111-1111"), { code: "E4111" });
      throw new Error(`cannot charge: ${cause.message}`, { cause });
    },
  });
  await using runner = await createRunner(await on.open(), { workflows: [pay], logger: silent });
  const { runId } = await runner.execute(pay);
  const secrets = /4111/;
  const pathsOf = ["/runs", `/runs/${runId}`, "/api/runs", `/api/runs/${runId}`];
  for (
    const redact of [
      ["tasks.charge.error"],
      ["tasks.*.error.message", "tasks.*.error.cause"],
      ["tasks.charge.error.cause"],
      ["**.message", "**.code"],
      ["tasks.**.message", "**.cause.code"],
      ["tasks.charge.error.cause.message", "tasks.charge.error.cause.code"],
    ]
  ) {
    for (const path of pathsOf) {
      const text = await (await ask(runner, { redact })(path)).text();
      assertEquals([redact, path, secrets.test(text)], [redact, path, false]);
    }
  }
  assertEquals(secrets.test(await (await ask(runner)(pathsOf[3]!)).text()), true);
  // What is not hidden stays.
  const text = await (await ask(runner, { redact: ["tasks.charge.error.cause"] })(pathsOf[3]!)).text();
  assertStringIncludes(text, "cannot charge: [redacted]");
});

test("what is hidden of an error is hidden wherever the error repeats it, also within JSON", () => {
  const path = ["tasks", "charge", "error"];
  const shown = (redact: string, error: Partial<ErrorRecord>): unknown =>
    createRedactor([redact]).error(path, { name: "Error", message: "", ...error });
  const quoted = 'card "4111"\nrefused';
  const cases: readonly (readonly [unknown, unknown])[] = [
    // As of what is thrown and no error: its message is its fields.
    [shown("tasks.*.error.message", { message: '{"status":4020}', fields: { status: 4020 } }), {
      message: "[redacted]",
      fields: { status: 4020 },
    }],
    [
      shown("tasks.*.error.fields.card", {
        message: '{"card":"4111","status":402}',
        fields: { card: "4111", status: 402 },
      }),
      {
        message: '{"card":"[redacted]","status":402}',
        fields: { card: "[redacted]", status: 402 },
      },
    ],
    [shown("tasks.*.error.fields", { message: `x: ${quoted}`, fields: { a: { b: [quoted] } } }), {
      message: "x: [redacted]",
      fields: {},
    }],
    [shown("tasks.*.error.message", { message: quoted, fields: { detail: quoted, [quoted]: [quoted] } }), {
      message: "[redacted]",
      fields: { detail: "[redacted]", "[redacted]": ["[redacted]"] },
    }],
    [shown("tasks.*.error.message", { message: "4111", fields: { number: 4111, text: "a41110" } }), {
      message: "[redacted]",
      fields: { number: "[redacted]", text: "a[redacted]0" },
    }],
  ];
  for (const [actual, expected] of cases) assertEquals(actual, { name: "Error", ...expected as object });
});

test("what is hidden of fields is in no group of failures and in no search, whose text is the message", async () => {
  await using on = ground("sqlite");
  const pay = workflow("pay").task("charge", {
    retry: 1,
    run() {
      throw { status: 402, token: "hunter2" };
    },
  });
  await using runner = await createRunner(await on.open(), { workflows: [pay], logger: silent });
  const { runId } = await runner.execute(pay);
  for (const redact of [["**.token"], ["tasks.*.error.fields.token"], ["tasks.*.error.fields"]]) {
    for (const path of ["/failures", "/overview", "/runs", `/runs/${runId}`]) {
      for (const prefix of ["", "/api"]) {
        const text = await (await ask(runner, { redact })(prefix + path)).text();
        assertEquals([redact, prefix + path, text.includes("hunter2")], [redact, prefix + path, false]);
      }
    }
  }
  assertEquals((await ask(runner, { redact: ["tasks.*.error.fields.token"] })("/api/runs?error=hunter")).status, 400);
  const { groups } = await (await ask(runner, { redact: ["**.token"] })("/api/failures")).json();
  assertEquals(groups.map(({ error }: { error: string }) => error), ['Error: {"status":402,"token":"[redacted]"}']);
  const open = await (await ask(runner, { redact: ["input"] })("/api/failures")).text();
  assertStringIncludes(open, "hunter2");
});

test("a key or a tag that is hidden cannot be found by search, and an id still can", async () => {
  await using on = ground("sqlite");
  await using runner = await runnerOn(await on.open());
  const { runId } = await runner.execute(etl, { token: "t" }, { key: "order-4711", tags: ["vip"] });
  const asked = ask(runner, { redact: ["key", "tags"] });
  const found = async (query: string): Promise<number> =>
    (await (await asked(`/api/runs?${query}`)).json()).runs.length;
  for (const q of ["o", "order-4", "order-4711", "vip"]) assertEquals(await found(`q=${q}`), 0, q);
  assertEquals(await found(`q=${runId.slice(0, 20)}`), 1);
  assertEquals((await asked("/api/runs?tag=vip")).status, 400);
  const open = ask(runner, { redact: ["input"] });
  for (const query of ["q=order-4", "q=vip", "tag=vip"]) {
    assertEquals((await (await open(`/api/runs?${query}`)).json()).runs.length, 1, query);
  }
});
