/** Starting runs: options, keys, and what is refused before anything is written. */
import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import {
  type AnyWorkflow,
  createClient,
  createRunner,
  DefinitionError,
  PayloadError,
  type Runner,
  StoreError,
  unchecked,
  UnknownWorkflowError,
  ValidationError,
  workflow,
} from "../../mod.ts";
import { silent } from "../../lib/logger.ts";
import { openStore } from "../../lib/store/open.ts";
import { createFakeClock } from "../../lib/testing/mod.ts";
import { emptyStore } from "../empty_store.ts";
import { test } from "../harness.ts";
import { open } from "./open.ts";

const echo = workflow("echo", { input: unchecked<{ n: number }>() }).task("say", { run: ({ input }) => input.n })
  .returns("say");

test("a workflow is started by value or by name", async () => {
  await using opened = await open([echo]);
  const byValue = await opened.runner.start(echo, { n: 1 });
  const byName = await opened.runner.start("echo", { n: 2 });
  assertEquals([await byValue.result(), await byName.result()], [1, 2]);
});

test("start() resolves when the run is durable", async () => {
  await using opened = await open([echo], { shared: true });
  const run = await opened.runner.start(echo, { n: 1 }, { delay: "1h" });
  const client = await opened.client([]);
  assertEquals((await client.get(run.id).status()).state, "pending");
});

test("a start with an existing key of its workflow returns that run, whatever its input and state", async () => {
  await using opened = await open([echo]);
  const first = await opened.runner.start(echo, { n: 1 }, { key: "2026-11-23" });
  assertEquals(await first.result(), 1);
  const again = await opened.runner.start(echo, { n: 2 }, { key: "2026-11-23" });
  assertEquals([again.id === first.id, await again.result()], [true, 1]);
  const outcome = await opened.runner.execute(echo, { n: 3 }, { key: "2026-11-23" });
  assertEquals([outcome.runId, outcome.status === "completed" && outcome.result], [first.id, 1]);
  assertEquals((await opened.runner.list()).runs.length, 1);
});

test("the same key at the same time is one run", async () => {
  await using opened = await open([echo]);
  const runs = await Promise.all(
    Array.from({ length: 20 }, (_, n) => opened.runner.start(echo, { n }, { key: "one" })),
  );
  assertEquals(new Set(runs.map(({ id }) => id)).size, 1);
});

test("the same key of another workflow is another run", async () => {
  const other = workflow("other").task("go", { run: () => 1 });
  await using opened = await open([echo, other]);
  const a = await opened.runner.start(echo, { n: 1 }, { key: "k" });
  const b = await opened.runner.start(other, undefined, { key: "k" });
  assert(a.id !== b.id);
});

test("`delay` and `startAt` hold a run back until then", async () => {
  await using opened = await open([echo]);
  const at = opened.clock.now() + 120_000;
  const delayed = await opened.runner.start(echo, { n: 1 }, { delay: "1m" });
  const dated = await opened.runner.start(echo, { n: 2 }, { startAt: new Date(at) });
  const stamped = await opened.runner.start(echo, { n: 3 }, { startAt: at });
  assertEquals((await dated.status()).dueAt, at);
  await opened.clock.advance("59s");
  assertEquals((await opened.runner.list({ state: "pending" })).runs.length, 3);
  await opened.clock.advance("1s");
  assertEquals(await delayed.result(), 1);
  await opened.clock.advance("1m");
  assertEquals([await dated.result(), await stamped.result()], [2, 3]);
});

test("a time that has passed is now", async () => {
  await using opened = await open([echo]);
  const run = await opened.runner.start(echo, { n: 1 }, { startAt: 0 });
  assertEquals(await run.result(), 1);
});

test("a run carries its workflow's tags and its own, each once", async () => {
  const tagged = workflow("tagged", { tags: ["nightly", "etl"] }).task("go", { run: () => 1 });
  await using opened = await open([tagged]);
  const run = await opened.runner.start(tagged, undefined, { tags: ["eu", "etl"] });
  assertEquals((await run.status()).tags, ["nightly", "etl", "eu"]);
});

test("startMany() inserts all runs in one commit, and returns them in the order of its inputs", async () => {
  await using opened = await open([echo]);
  const before = (await opened.runner.stats()).store;
  const inputs = Array.from({ length: 3_000 }, (_, n) => ({ n }));
  const runs = await opened.runner.startMany(echo, inputs, { delay: "1h", tags: ["bulk"] });
  const after = (await opened.runner.stats()).store;
  assertEquals([after.commits - before.commits, after.rows - before.rows], [1, 3_000]);
  const { tags } = await runs[2_999]!.status();
  assertEquals([runs.length, new Set(runs.map(({ id }) => id)).size, tags], [3_000, 3_000, ["bulk"]]);
  await opened.clock.advance("1h");
  assertEquals(await Promise.all([runs[0]!.result(), runs[2_999]!.result()]), [0, 2_999]);
});

test("startMany() gives each run its key, and returns existing runs", async () => {
  await using opened = await open([echo]);
  const one = await opened.runner.start(echo, { n: 1 }, { key: "n1" });
  const runs = await opened.runner.startMany(echo, [{ n: 0 }, { n: 1 }, { n: 0 }], {
    key: (input) => `n${(input as { n: number }).n}`,
  });
  assertEquals([runs[1]?.id === one.id, runs[0]?.id === runs[2]?.id], [true, true]);
  assertEquals((await opened.runner.list()).runs.length, 2);
});

test("startMany() with one wrong input writes nothing", async () => {
  await using opened = await open([echo]);
  const inputs = [{ n: 1 }, { n: NaN }];
  await assertRejects(() => opened.runner.startMany(echo, inputs), PayloadError, "input.n");
  assertEquals(await opened.runner.startMany(echo, []), []);
  assertEquals((await opened.runner.list()).runs, []);
});

test("the input is validated by its schema, and tasks receive the output of the schema", async () => {
  const checked = workflow("checked", { input: positive() }).task("say", { run: ({ input }) => input }).returns("say");
  await using opened = await open([checked]);
  assertEquals(await (await opened.runner.start(checked, "5")).result(), 5);
  const error = await assertRejects(
    () => opened.runner.start(checked, "-5"),
    ValidationError,
    'Cannot start workflow "checked"',
  );
  assertEquals(error.issues, ["it must be positive"]);
  await assertRejects(() => opened.runner.execute(checked, "-5"), ValidationError, 'Cannot execute workflow "checked"');
  await assertRejects(() => opened.runner.startMany(checked, ["1", "-5"]), ValidationError, "inputs[1]");
  assertEquals((await opened.runner.list()).runs.length, 1);
});

type Wrong = [
  what: string,
  call: (runner: Runner<AnyWorkflow>) => Promise<unknown>,
  type: typeof Error,
  message: string,
];
const stranger = workflow("stranger").task("go", { run: () => 1 });
const wrong: readonly Wrong[] = [
  ["an unknown name", (r) => r.start("ecko", {}), UnknownWorkflowError as never, 'Cannot start workflow "ecko"'],
  ["a workflow that is not registered", (r) => r.start(stranger), UnknownWorkflowError as never, '"stranger"'],
  ["no workflow at all", (r) => r.start(7 as never, undefined as never), TypeError, "7"],
  ["an unknown option", (r) => r.start("echo", {}, { dealy: 1 } as never), TypeError, '"delay"'],
  ["a wrong delay", (r) => r.start("echo", {}, { delay: "soon" as never }), TypeError, '"soon"'],
  [
    "both delay and startAt",
    (r) => r.start("echo", {}, { delay: 1, startAt: 1 } as never),
    TypeError,
    "exclude each other",
  ],
  ["a key scope without a key", (r) => r.start("echo", {}, { keyScope: "active" } as never), TypeError, "needs a key"],
  ["ifExists without a key", (r) => r.execute("echo", {}, { ifExists: "reject" } as never), TypeError, "needs a key"],
  [
    "debounce beside a key",
    (r) => r.start("echo", {}, { debounce: { key: "d", delay: 1 }, key: "k" } as never),
    TypeError,
    "debounce excludes key",
  ],
  [
    "debounce beside startAt",
    (r) => r.execute("echo", {}, { debounce: { key: "d", delay: 1 }, startAt: 1 } as never),
    TypeError,
    "debounce excludes startAt",
  ],
  ["debounce without a delay", (r) => r.start("echo", {}, { debounce: { key: "d" } as never }), TypeError, "a delay"],
  ["debounce without a key", (r) => r.start("echo", {}, { debounce: { delay: 1 } as never }), TypeError, "a key"],
  ["an empty delay", (r) => r.start("echo", {}, { debounce: { key: "d", delay: 0 } }), TypeError, "longer than zero"],
  [
    "a maxDelay below the delay",
    (r) => r.start("echo", {}, { debounce: { key: "d", delay: "5s", maxDelay: "4s" } }),
    TypeError,
    "at least debounce.delay",
  ],
  [
    "a misspelt member of debounce",
    (r) => r.start("echo", {}, { debounce: { key: "d", delay: 1, maxDely: 2 } as never }),
    TypeError,
    '"maxDelay"',
  ],
  [
    "debounce of many",
    (r) => r.startMany("echo", [1, 2], { debounce: { key: "d", delay: 1 } } as never),
    TypeError,
    "only the last input",
  ],
  ["an unknown key scope", (r) => r.start("echo", {}, { key: "k", keyScope: "activ" as never }), TypeError, '"active"'],
  // @ts-expect-error it does not compile
  ["a key scope without keys", (r) => r.startMany("echo", [1], { keyScope: "active" }), TypeError, "needs a key"],
  ["a wrong startAt", (r) => r.start("echo", {}, { startAt: new Date(NaN) }), TypeError, "startAt"],
  ["a priority out of range", (r) => r.start("echo", {}, { priority: 40_000 }), TypeError, "-32768 to 32767"],
  ["tags that are no list", (r) => r.start("echo", {}, { tags: "eu" as never }), TypeError, "tags"],
  ["an empty key", (r) => r.start("echo", {}, { key: "" }), TypeError, "key"],
  ["a signal that is none", (r) => r.start("echo", {}, { signal: {} as never }), TypeError, "signal"],
  ["a wrong time-out", (r) => r.start("echo", {}, { timeout: -1 }), TypeError, "timeout"],
  ["an input that JSON would corrupt", (r) => r.start("echo", { at: new Date() }), PayloadError as never, "input.at"],
  ["an input that is too large", (r) => r.start("echo", "x".repeat(2_000_000)), PayloadError as never, "1,048,576"],
  ["inputs that are no list", (r) => r.startMany("echo", {} as never), TypeError, "array"],
];
for (const [what, call, type, message] of wrong) {
  test(`${what} is refused at the call, and nothing is written`, async () => {
    await using opened = await open([echo]);
    const before = (await opened.runner.stats()).store.rows;
    const error = await assertRejects(() => call(opened.runner as unknown as Runner<AnyWorkflow>), type);
    assert(error.message.includes(message), error.message);
    assertEquals([(await opened.runner.stats()).store.rows, (await opened.runner.list()).runs], [before, []]);
  });
}

const misopened: readonly [what: string, options: unknown, type: typeof Error, message: string][] = [
  ["an unknown option", { workflows: [echo], concurency: 3 }, TypeError, '"concurrency"'],
  ["no workflows", {}, TypeError, "workflows is missing"],
  ["a concurrency of 0", { workflows: [echo], concurrency: 0 }, TypeError, "concurrency"],
  ["a lease that is too short", { workflows: [echo], lease: 10 }, TypeError, "at least 1 s"],
  ["a wrong durability", { workflows: [echo], durability: "paper" }, TypeError, '"paper"'],
  ["a schema on SQLite", { workflows: [echo], schema: "tenant" }, TypeError, "Postgres"],
  ["a workflow without tasks", { workflows: [workflow("empty")] }, DefinitionError as never, "it has no tasks"],
  [
    "two workflows of one name",
    { workflows: [echo, workflow("echo").task("x", { run: () => 1 })] },
    DefinitionError as never,
    "same name",
  ],
  ["something that is no workflow", { workflows: [{ name: "x" }] }, DefinitionError as never, "workflows[0]"],
];
for (const [what, options, type, message] of misopened) {
  test(`createRunner() refuses ${what}`, async () => {
    // Refused before any store is opened, whichever it is.
    const error = await assertRejects(() => createRunner("sqlite::memory:", options as never), type);
    assert(error.message.includes(message), error.message);
  });
}

test("a URL that names no store is refused, and its password is not repeated", async () => {
  for (const url of ["mysql://me:hunter2@host/db", "app.db", ""]) {
    const error = await assertRejects(() => createClient(url));
    assertInstanceOf(error, StoreError);
    assertEquals(error.message.includes("hunter2"), false);
  }
});

/** A Standard Schema written by hand: text in, a positive number out. */
function positive() {
  return {
    "~standard": {
      version: 1,
      vendor: "test",
      validate: (value: unknown) =>
        Number(value) > 0 ? { value: Number(value) } : { issues: [{ message: "it must be positive" }] },
      types: undefined as unknown as { input: string; output: number },
    },
  } as const;
}

test("a run without a delay is due when it is inserted, though its client takes the store's clock to be ahead", async () => {
  await using place = emptyStore();
  const { store, close } = await openStore(place.url, {
    logger: silent,
    clock: createFakeClock(),
    durability: "process",
    schema: undefined,
    ...place.options,
  });
  const client = await createClient({ ...store, now: () => store.now() + 60_000 }, { workflows: [echo] });
  const one = await client.start(echo, { n: 1 });
  const without = await client.start(echo, { n: 5 }, { delay: 0 });
  const many = await client.startMany(echo, [{ n: 2 }, { n: 3 }]);
  for (const run of [one, without, ...many]) {
    const { dueAt, createdAt } = await run.status();
    assertEquals(dueAt, createdAt);
  }
  const later = await client.start(echo, { n: 4 }, { delay: "1h" });
  const { dueAt, createdAt } = await later.status();
  assertEquals(dueAt, createdAt + 3_660_000);
  await client.stop();
  await close();
});
