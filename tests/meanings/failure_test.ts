/** Whatever a body throws or returns, only its own attempt fails. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { type OutcomeOf, unchecked, workflow } from "../../mod.ts";
import { spawn } from "../child.ts";
import { test } from "../harness.ts";
import { open } from "./open.ts";

const thrown: readonly [what: string, value: unknown, name: string, message: string][] = [
  ["an error", new RangeError("too far"), "RangeError", "too far"],
  ["a string", "just text", "Error", "just text"],
  ["undefined", undefined, "Error", "undefined was thrown"],
  ["null", null, "Error", "null was thrown"],
  ["a number", 42, "Error", "42 was thrown"],
  ["a plain object", { message: "of sorts", name: "Sort" }, "Sort", "of sorts"],
  ["an object without a message", { status: 503 }, "Error", '{"status":503}'],
  ["a symbol", Symbol("odd"), "Error", "Symbol(odd) was thrown"],
  ["a revoked proxy", revoked(), "Error", "a value that cannot be converted to text was thrown"],
  ["an error whose message throws", hostile(), "Error", "a value that cannot be converted to text was thrown"],
];
for (const [what, value, name, message] of thrown) {
  test(`a body that throws ${what} fails its attempt, now or later`, async () => {
    const bad = workflow("bad")
      .task("now", {
        retry: 1,
        run: () => {
          throw value;
        },
      })
      .task("later", { retry: 1, run: () => Promise.reject(value) });
    await using opened = await open([bad]);
    const outcome = await opened.runner.execute(bad);
    assert(outcome.status === "failed");
    const said = outcome.failures.map(({ taskId, error }) => [taskId, error.name, error.message]);
    assertEquals(said, [["now", name, message], ["later", name, message]]);
  });
}

test("a cause is kept, and a code, and where it was thrown", async () => {
  const cause = Object.assign(new TypeError("socket closed"), { code: "ECONNRESET" });
  const bad = workflow("bad").task("call", {
    retry: 1,
    run: () => {
      throw new Error("cannot fetch", { cause });
    },
  });
  await using opened = await open([bad]);
  const outcome = await opened.runner.execute(bad);
  assert(outcome.status === "failed");
  const error = outcome.failures[0]?.error;
  assertEquals([error?.cause?.name, error?.cause?.message, error?.cause?.code], [
    "TypeError",
    "socket closed",
    "ECONNRESET",
  ]);
  assert(error?.stack?.includes("failure_test.ts"));
  assertEquals((outcome.error.cause as Error).message, "socket closed");
});

test("an error that is its own cause is described to a depth", async () => {
  const circular = new Error("round");
  circular.cause = circular;
  const bad = workflow("bad").task("call", { retry: 1, run: () => Promise.reject(circular) });
  await using opened = await open([bad]);
  assertEquals((await opened.runner.execute(bad)).status, "failed");
});

test("an enormous error is cut, and fits", async () => {
  const bad = workflow("bad").task("call", { retry: 1, run: () => Promise.reject(new Error("x".repeat(5_000_000))) });
  await using opened = await open([bad]);
  const outcome = await opened.runner.execute(bad);
  assert(outcome.status === "failed");
  assert(outcome.error.message.length < 10_000);
});

const cyclic: { self?: unknown } = {};
cyclic.self = cyclic;
const unstorable: readonly [what: string, value: unknown, path: string][] = [
  ["a bigint", { total: 1n }, "output.total"],
  ["a cycle", cyclic, "output.self"],
  ["a function", { f: () => 1 }, "output.f"],
  ["a Date", [new Date(0)], "output[0]"],
  ["NaN", { n: NaN }, "output.n"],
  ["a Map", new Map(), "output"],
];
for (const [what, value, path] of unstorable) {
  test(`an output with ${what} fails its own task, once, and names the place`, async () => {
    const bad = workflow("bad")
      // The compiler refuses such outputs where it can see them.
      .task("bad", { retry: 5, run: () => value as null })
      .task("good", { run: () => "fine" });
    await using opened = await open([bad]);
    const outcome = await opened.runner.execute(bad);
    assert(outcome.status === "failed");
    assertEquals(outcome.outputs, { good: "fine" });
    assertEquals(outcome.failures.map(({ error }) => [error.name, error.code]), [[
      "PayloadError",
      "unstorable_payload",
    ]]);
    assert(outcome.error.message.includes(path), outcome.error.message);
  });
}

test("text with a NUL character is stored as it is", async () => {
  const odd = workflow("odd").task("nul", { retry: 1, run: () => "a\0b" }).task("good", { run: () => "fine" });
  await using opened = await open([odd]);
  const outcome: OutcomeOf<typeof odd> = await opened.runner.execute(odd);
  assertEquals([outcome.status, outcome.outputs], ["completed", { nul: "a\0b", good: "fine" }]);
});

test("an output that is too large fails its own task and no other in the same commit", async () => {
  const sized = workflow("sized", { input: unchecked<number>() })
    .task("make", { retry: 5, run: ({ input }) => "x".repeat(input) });
  await using opened = await open([sized], { maxPayloadBytes: 1_000 });
  const runs = await opened.runner.startMany(sized, [10, 2_000, 10]);
  const outcomes = await Promise.all(runs.map((run) => run.outcome()));
  assertEquals(outcomes.map(({ status }) => status), ["completed", "failed", "completed"]);
  const [, failed] = outcomes;
  assert(failed?.status === "failed");
  assertEquals(failed.failures.map(({ error }) => error.code), ["payload_too_large"]);
  assert(failed.error.message.includes("2,002 bytes"), failed.error.message);
});

test("a body cannot change what another sees", async () => {
  const shared = workflow("shared")
    .task("list", { run: () => ({ rows: [1, 2] }) })
    .task("a", { after: ["list"], run: ({ list }) => (list.rows.push(99), list.rows.length) })
    .task("b", { after: ["list", "a"], run: ({ list }) => list.rows.length });
  await using opened = await open([shared]);
  const run = await opened.runner.start(shared);
  assertEquals(await run.result(), { list: { rows: [1, 2] }, a: 3, b: 2 });
});

test("a body that keeps its output and changes it afterwards changes nothing", async () => {
  const kept: number[] = [1];
  const keeping = workflow("keeping")
    .task("make", { run: () => kept })
    .task("read", { after: ["make"], run: ({ make }) => (kept.push(2), make.length) });
  await using opened = await open([keeping]);
  const run = await opened.runner.start(keeping);
  assertEquals(await run.result(), { make: [1], read: 1 });
});

test("the caller's input is a copy, too", async () => {
  const input = { rows: [1] };
  const reading = workflow("reading", { input: unchecked<{ rows: number[] }>() })
    .task("a", { run: ({ input }) => input.rows.push(5) })
    .task("b", { after: ["a"], run: ({ input }) => input.rows.length });
  await using opened = await open([reading]);
  const run = await opened.runner.start(reading, input);
  input.rows.push(2, 3);
  assertEquals(await run.result(), { a: 2, b: 1 });
});

test("a thenable that settles twice or throws ends its attempt once", async () => {
  const odd = workflow("odd").task("go", {
    retry: 1,
    run: () =>
      ({
        then(resolve: (value: string) => void, reject: (error: Error) => void) {
          resolve("first");
          reject(new Error("second"));
          throw new Error("third");
        },
      }) as unknown as Promise<string>,
  });
  await using opened = await open([odd]);
  const run = await opened.runner.start(odd);
  assertEquals(await run.result(), { go: "first" });
});

test("an unhandled rejection is a warning of the process if there is no logger", async () => {
  await using child = spawn("fixtures/unheard_rejection.ts");
  const { code, stdout, stderr } = await child.exited;
  assertEquals([code, stdout], [0, "completed\n"], stderr);
  assertStringIncludes(stderr, "Unhandled promise rejection: Error: left behind");
});

test("an unhandled rejection is logged, and every other run continues", async () => {
  await using child = spawn("fixtures/unhandled_rejection.ts");
  const { code, stdout, stderr } = await child.exited;
  assertEquals([code, stdout], [0, "completed\nlogged: Unhandled promise rejection\n"], stderr);
});

function revoked(): unknown {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

function hostile(): Error {
  return Object.defineProperty(new Error(), "message", {
    get: () => {
      throw new Error("from the getter");
    },
  });
}
