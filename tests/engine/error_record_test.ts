/** What is recorded of whatever is thrown. */
import { assert, assertEquals, assertInstanceOf, assertMatch } from "@std/assert";
import { fromErrorRecord, thrownText, toErrorRecord } from "../../lib/engine/errors/error_record.ts";
import { decideRetry } from "../../lib/engine/errors/retry_decision.ts";
import type { ErrorRecord } from "../../lib/errors.ts";
import { silent } from "../../lib/logger.ts";
import { isSluiceError, SluiceError } from "../../lib/sluice_error.ts";
import { DeferError, NonRetryableError, RetryAfterError } from "../../mod.ts";
import { test } from "../harness.ts";

function recorded(thrown: unknown): ErrorRecord {
  const record = toErrorRecord(thrown);
  return JSON.parse(JSON.stringify(withoutStack(record)));
}

function withoutStack({ stack: _, cause, errors, ...rest }: ErrorRecord): ErrorRecord {
  return {
    ...rest,
    ...cause && { cause: withoutStack(cause) },
    ...errors && { errors: errors.map(withoutStack) },
  };
}

class CardError extends Error {
  readonly status = 402;
  readonly declined = { reason: "expired", at: new Date(0) };
}

test("own fields, the name of the class, and inner errors are recorded", () => {
  const cyclic: Record<string, unknown> = { name: 7 };
  cyclic["self"] = cyclic;
  const aggregate = new AggregateError([new TypeError("a"), "b"], "all failed", { cause: new Error("c") });
  const suppressed = Object.assign(new Error("disposal failed"), {
    name: "SuppressedError",
    error: new Error("in dispose"),
    suppressed: new RangeError("in body"),
  });
  const cases: readonly [unknown, ErrorRecord][] = [
    [new CardError("no"), {
      name: "CardError",
      message: "no",
      fields: { status: 402, declined: { reason: "expired", at: "1970-01-01T00:00:00.000Z" } },
    }],
    [aggregate, {
      name: "AggregateError",
      message: "all failed",
      cause: { name: "Error", message: "c" },
      errors: [{ name: "TypeError", message: "a" }, { name: "Error", message: "b" }],
    }],
    [suppressed, {
      name: "SuppressedError",
      message: "disposal failed",
      errors: [{ name: "Error", message: "in dispose" }, { name: "RangeError", message: "in body" }],
    }],
    [{ status: 500n }, { name: "Error", message: '{"status":"500"}', fields: { status: "500" } }],
    [cyclic, { name: "Error", message: '{"name":7,"self":"[circular]"}', fields: { name: 7, self: "[circular]" } }],
    [Object.create(null), { name: "Error", message: "{}" }],
    [new Map(), { name: "Map", message: "a Map was thrown" }],
    [[1, 2], { name: "Error", message: "[1,2]", fields: { 0: 1, 1: 2 } }],
    [() => 1, { name: "Error", message: "a function was thrown" }],
    [Object.assign(new Error("gone"), { code: "ENOENT", errno: -2 }), {
      name: "Error",
      message: "gone",
      code: "ENOENT",
      fields: { errno: -2 },
    }],
    [new NonRetryableError("no"), {
      name: "NonRetryableError",
      message: "no",
      code: "non_retryable",
      isSluice: true,
    }],
  ];
  for (const [thrown, record] of cases) assertEquals(recorded(thrown), record);
  const response = recorded(new Response("no", { status: 503, statusText: "Busy" }));
  assertEquals([response.name, response.fields?.["status"], response.fields?.["statusText"]], [
    "Response",
    503,
    "Busy",
  ]);
});

test("fields that throw, and what JSON cannot hold, are left out, and the rest is recorded", () => {
  const thrown = Object.assign(new Error("no"), {
    fn: () => 1,
    sym: Symbol("s"),
    big: 1n,
    nan: NaN,
    nested: new Map(),
  });
  Object.defineProperty(thrown, "bad", { enumerable: true, get: () => fail() });
  assertEquals(recorded(thrown).fields, { big: "1", nan: "NaN", nested: {} });
});

test("however large what is thrown is, its record is bounded", () => {
  const inner = new AggregateError(Array(1_000).fill(new Error("x".repeat(9_000))));
  const wide = new AggregateError(Array(1_000).fill(inner), "y".repeat(1_000_000));
  const deep = Object.assign(new Error("z"), {
    data: "q".repeat(1_000_000),
    list: Array(100_000).fill({ a: [[[[[1]]]]] }),
  });
  for (const thrown of [wide, deep, new Error("a", { cause: wide })]) {
    assert(JSON.stringify(toErrorRecord(thrown)).length < 300_000);
  }
});

test("names, codes and inner errors are recorded within bounds, and binary data by its size", () => {
  const long = "n".repeat(1_000_000);
  let nested = new AggregateError([new Error("leaf")], "leaf");
  for (let level = 0; level < 20; level++) nested = new AggregateError(Array(10).fill(nested), `level ${level}`);
  const named = Object.assign(new Error("x"), { name: long, code: long });
  for (const thrown of [named, { name: long, message: "x" }, nested, new Error("y", { cause: named })]) {
    assert(JSON.stringify(toErrorRecord(thrown)).length < 300_000);
  }
  const { name, code } = toErrorRecord(named);
  assertEquals([name.length, code?.length], [200, 200]);
  const cases: readonly [unknown, ErrorRecord][] = [
    [new Uint8Array(9), { name: "Uint8Array", message: "a Uint8Array was thrown" }],
    [Object.assign(new Error("x"), { body: new Uint8Array(9), text: new String("abc") }), {
      name: "Error",
      message: "x",
      fields: { body: "[9 bytes]", text: "abc" },
    }],
    [new String("abc"), { name: "Error", message: "abc" }],
  ];
  for (const [thrown, expected] of cases) assertEquals(recorded(thrown), expected);
});

test("what can be read of an error is recorded, although reading other members of it throws", () => {
  for (const member of ["cause", "stack", "code", "errors", "name"]) {
    const thrown = Object.assign(new Error("card refused", { cause: new Error("expired") }), { status: 402 });
    Object.defineProperty(thrown, member, { get: () => fail() });
    const { name, message, fields, cause } = recorded(thrown);
    assertEquals([name, message, fields, cause?.message], [
      "Error",
      "card refused",
      { status: 402 },
      member === "cause" ? undefined : "expired",
    ], member);
  }
  const aggregate = new AggregateError([new Proxy(new Error("a"), { getPrototypeOf: () => fail() }), new Error("b")]);
  assertEquals(recorded(new Error("c", { cause: aggregate })).cause?.errors?.map(({ message }) => message), [
    "a value that cannot be converted to text was thrown",
    "b",
  ]);
  const named = Object.defineProperty({ message: "refused" }, "name", { get: () => fail() });
  assertEquals(recorded(named), { name: "Error", message: "refused" });
});

test("a message that is no text is recorded as JSON, and what is boxed as its value", () => {
  assertEquals(recorded(Object.assign(new Error(), { message: { status: 402 } })).message, '{"status":402}');
  assertEquals(recorded(Object.assign(new Error(), { message: undefined })).message, "");
  assertEquals(recorded(new Number(5)).message, "5 was thrown");
});

test("of objects that refer to each other by millions of paths only a few are followed", () => {
  let read = 0;
  let node: object = { text: "x".repeat(900) };
  for (let level = 0; level < 4; level++) node = wide(node);
  const thrown = Object.assign(new Error("x", { cause: Object.assign(new Error("y"), { node }) }), {
    status: 402,
    node,
  });
  const { fields, cause } = recorded(new AggregateError(Array(10).fill(thrown), "z")).errors![0]!;
  assertEquals([fields, cause?.message], [{ status: 402 }, "y"]);
  assert(read < 200_000, `${read} members were read`);

  /** An object with 50 members, each of which is `member`. */
  function wide(member: object): object {
    const object = {};
    const get = (): object => (read++, member);
    for (let at = 0; at < 50; at++) Object.defineProperty(object, `member${at}`, { enumerable: true, get });
    return object;
  }
});

test("nothing that is thrown breaks the record", () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  const hostile = [
    proxy,
    new Proxy(new Error("x"), { get: () => fail() }),
    new Proxy({}, { ownKeys: () => fail(), has: () => fail() }),
    Object.defineProperty(new Error("x"), "name", { get: () => fail() }),
    Object.defineProperty(new Error("x"), "cause", { get: () => fail() }),
    Object.assign(new Error("x"), { toJSON: () => fail() }),
    { message: "x", toString: () => fail() },
    { then: () => fail() },
    { constructor: { name: 5 } },
    { constructor: null, message: 7 },
    Object.assign(new Error("x"), { ["__proto__"]: { polluted: true }, code: {} }),
  ];
  for (const thrown of hostile) {
    const record = toErrorRecord(thrown);
    assertEquals([typeof record.name, typeof record.message], ["string", "string"]);
    JSON.stringify(record);
    assertEquals(typeof thrownText(thrown), "string");
    assertInstanceOf(fromErrorRecord(record), Error);
    assertEquals(isSluiceError(thrown), false);
  }
});

test("an error read back has its fields, inner errors and code, and is of Sluice only if it was", () => {
  const foreign = Object.assign(new AggregateError([new TypeError("a")], "b"), { code: "ENOENT", status: 404 });
  const back = fromErrorRecord(JSON.parse(JSON.stringify(toErrorRecord(foreign))));
  assertInstanceOf(back, AggregateError);
  assertEquals([back.errors[0].name, back.errors[0].message], ["TypeError", "a"]);
  const { code, status } = back as unknown as { code: string; status: number };
  assertEquals([code, status, back instanceof SluiceError, isSluiceError(back)], ["ENOENT", 404, false, false]);
  const own = fromErrorRecord(JSON.parse(JSON.stringify(toErrorRecord(new NonRetryableError("no")))));
  assertEquals([own instanceof SluiceError, isSluiceError(own), own.name], [true, true, "NonRetryableError"]);
});

test("only errors of Sluice, of any copy of it, decide about retries", () => {
  const rule = { attempts: 5, backoff: "fixed", delayMs: 1, maxDelayMs: 1, jitter: false, retryIf: undefined } as const;
  const decided = (thrown: unknown): string => decideRetry(rule, 1, thrown, () => 0, silent).kind;
  for (const code of ["payload_too_large", "non_retryable", "corrupt_row", "deferred", "retry_after"]) {
    assertEquals(decided(Object.assign(new Error("of somebody else"), { code, delayMs: 5 })), "retry", code);
    assertEquals(decided({ code, delayMs: 5 }), "retry", code);
  }
  assertEquals([decided(new NonRetryableError("no")), decided(new DeferError(1))], ["fail", "defer"]);
  class Copy extends Error {
    readonly code = "non_retryable";
  }
  Object.defineProperty(Copy.prototype, Symbol.for("@sluice/sluice/error"), { value: true });
  assertEquals(decided(new Copy()), "fail");
});

test("a negative delay means now", () => {
  assertEquals([
    new RetryAfterError(-1_500).delayMs,
    new DeferError(-1).delayMs,
    new RetryAfterError(-Infinity).delayMs,
  ], [
    0,
    0,
    0,
  ]);
  assertMatch(new RetryAfterError(-5, "429").message, /429/);
});

function fail(): never {
  throw new Error("it threw");
}
