/** What is hidden, wherever it is told. */
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { createRedactor } from "../../lib/inspector/redact.ts";
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

test("a text that is cut anywhere shows no more than the whole would", () => {
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
