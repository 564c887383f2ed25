import { assertEquals, assertInstanceOf, assertStringIncludes, assertThrows } from "@std/assert";
import { PayloadError } from "../../lib/errors.ts";
import { decodeJson, encodeJson } from "../../lib/definition/json.ts";
import { cpuMs } from "../cpu.ts";
import { test } from "../harness.ts";

const MIB = 1024 * 1024;
const encode = (value: unknown) => encodeJson(value, "output", MIB);

class Price {
  currency = "EUR";
  #cents = 5;
  constructor(readonly amount: number) {}
  inCents(): number {
    return this.amount * 100 + this.#cents;
  }
}

function refusalOf(value: unknown, maxBytes = MIB): PayloadError {
  return assertThrows(() => encodeJson(value, "output", maxBytes), PayloadError);
}

test("encodeJson() writes what JSON holds, and decodeJson() reads it back", () => {
  const values = [
    null,
    true,
    false,
    0,
    -1.5,
    1e300,
    "",
    'a "quoted" word\nand a line',
    "\u0000 \ud83d\ude00 \ud800",
    [],
    {},
    [[], [{}]],
    { a: 1, b: [1, "2", null, { c: false }] },
    JSON.parse('{"__proto__":{"x":1},"constructor":2,"toString":3}'),
    { then: 1, toJSON: "a word" },
  ];
  for (const value of values) assertEquals(decodeJson(encode(value)), value);
});

test("undefined has no text, and no text is undefined", () => {
  assertEquals(encode(undefined), undefined);
  assertEquals(decodeJson(undefined), undefined);
});

test("undefined members and members under a symbol are left out", () => {
  assertEquals(encode({ a: undefined, b: 1, [Symbol("c")]: new Date() }), '{"b":1}');
  assertEquals(encode({ deep: { a: undefined } }), '{"deep":{}}');
});

test("an instance of a class is stored as the plain data it holds", () => {
  assertEquals(decodeJson(encode({ price: new Price(2) })), { price: { amount: 2, currency: "EUR" } });
  assertEquals(encode(Object.create({ inherited: new Date() }, { own: { value: 1, enumerable: true } })), '{"own":1}');
  assertEquals(encode(Object.assign(Object.create(null), { a: 1 })), '{"a":1}');
});

test("a negative zero is stored as zero, and an array as its elements only", () => {
  assertEquals(encode([-0, { n: -0 }]), '[0,{"n":0}]');
  const match = /(?<word>b)/.exec("abc");
  assertEquals([match?.index, match?.groups?.["word"]], [1, "b"]);
  assertEquals(encode(match), '["b","b"]');
  assertEquals(encode({ found: [Object.assign(["a"], { total: 7, at: new Date() })] }), '{"found":[["a"]]}');
});

test("one object in several places is stored in each", () => {
  const shared = new Price(1);
  assertEquals(decodeJson(encode([shared, { shared }])), [{ ...shared }, { shared: { ...shared } }]);
});

test("everything that JSON would change or lose is refused with its remedy", () => {
  const refusals: [unknown, string][] = [
    [new Date(), "it is a Date - use date.toISOString()"],
    [new Map(), "it is a Map - use Object.fromEntries(map)"],
    [new Set(), "it is a Set - use [...set]"],
    [/x/, "it is a RegExp - use regexp.source"],
    [new TypeError("x"), "it is an Error - use error.message"],
    [new DOMException("x"), "it is an Error - use error.message"],
    [Promise.resolve(), "it is a Promise - missing await?"],
    [{ then() {} }, "it is a Promise - missing await?"],
    [new Uint8Array(1), "it is binary data - encode it as base64"],
    [new DataView(new ArrayBuffer(1)), "it is binary data - encode it as base64"],
    [new ArrayBuffer(1), "it is binary data - encode it as base64"],
    [new URL("https://example.org"), "it is a URL - use url.href"],
    [new String("x"), "it is a String object - use its valueOf()"],
    [new Number(1), "it is a Number object - use its valueOf()"],
    [new Boolean(false), "it is a Boolean object - use its valueOf()"],
    [Object(1n), "it is a BigInt object - use String(n)"],
    [1n, "it is a bigint - use String(n)"],
    [Symbol("x"), "it is a symbol"],
    [() => 1, "it is a function"],
    [class {}, "it is a function"],
    [NaN, "it is NaN - use null"],
    [-Infinity, "it is -Infinity - use null"],
    [{ toJSON: () => 1 }, "it is an object with toJSON() - convert it yourself"],
    [Object.defineProperty({}, "toJSON", { value: () => 1 }), "it is an object with toJSON() - convert it yourself"],
    [new WeakMap(), "it is a WeakMap - take what you need out of it"],
    [new Response(null), "it is a Response - take what you need out of it"],
    [[].values(), "it is a Array Iterator - take what you need out of it"],
  ];
  for (const [value, reason] of refusals) {
    assertEquals(refusalOf(value).message, `Cannot store output: ${reason}`);
    assertEquals(refusalOf({ a: [value] }).message, `Cannot store output.a[0]: ${reason}`);
    assertEquals(refusalOf([new Price(1), { a: value }]).code, "unstorable_payload");
  }
});

test("a refusal names the place as one would write it", () => {
  const error = refusalOf({ "due at": 1, rows: [{}, { "due at": { at: new Date(0) } }] });
  assertEquals(error.path, 'output.rows[1]["due at"].at');
  assertEquals(error.message, 'Cannot store output.rows[1]["due at"].at: it is a Date - use date.toISOString()');
});

test("undefined and holes in an array are refused: JSON would make null of them", () => {
  assertEquals(refusalOf([1, undefined]).message, "Cannot store output[1]: it is undefined in an array - use null");
  const holed = [1, 2];
  delete holed[1];
  assertEquals(refusalOf({ holed }).message, "Cannot store output.holed[1]: it is a hole in an array - use null");
});

test("a cycle is refused with both its ends", () => {
  const parent: { children: unknown[] } = { children: [] };
  parent.children.push({ parent });
  assertEquals(
    refusalOf({ parent }).message,
    "Cannot store output.parent.children[0].parent: it is a cycle: it refers back to output.parent",
  );
});

test("a value of 1,000 levels is stored, and a deeper one refused instead of overflowing the stack", () => {
  const nested = (levels: number) => {
    let value: unknown = 1;
    for (let i = 0; i < levels; i++) value = i % 2 ? [value] : { value };
    return value;
  };
  assertEquals(decodeJson(encode(nested(1_000))), nested(1_000));
  assertEquals(refusalOf(nested(1_002)).message, "Cannot store output: it is nested deeper than 1,000 levels");
  assertEquals(refusalOf(nested(1_000_000)).message, "Cannot store output: it is nested deeper than 1,000 levels");
});

test("a getter that throws is a refusal of its member", () => {
  const value = {
    rows: [{
      get at() {
        throw new Error("no database");
      },
    }],
  };
  assertEquals(refusalOf(value).message, 'Cannot store output.rows[0].at: reading it threw "no database"');
});

test("hostile values are refused, whatever they do", () => {
  const traps: ProxyHandler<object>[] = ["get", "ownKeys", "getPrototypeOf", "getOwnPropertyDescriptor", "has"].map(
    (trap) => ({
      ownKeys: () => ["a"],
      getOwnPropertyDescriptor: () => ({ value: 1, enumerable: true, configurable: true }),
      [trap]: () => {
        throw { toString: null };
      },
    }),
  );
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  const changing = (prototype: object) => {
    let reads = 0;
    return Object.create(prototype, { a: { enumerable: true, get: () => (reads++ === 0 ? 1 : 1n) } });
  };
  const hostile = [
    ...traps.slice(0, 2).map((trap) => new Proxy({ a: 1 }, trap)),
    revoked.proxy,
    changing(Object.prototype),
    changing({}),
  ];
  for (const value of hostile) assertInstanceOf(refusalOf([{ value }]), PayloadError);
  for (const trap of traps) {
    try {
      encode(new Proxy({ a: 1 }, trap));
    } catch (error) {
      assertInstanceOf(error, PayloadError);
    }
  }
});

test("the limit is in bytes of UTF-8, and the refusal names both sizes", () => {
  assertEquals(encodeJson("ää", "output", 6), '"ää"');
  assertEquals(
    refusalOf("ääx", 6).message,
    "Cannot store output: it is 7 bytes as JSON, and the limit is 6 (maxPayloadBytes)",
  );
  assertEquals(refusalOf({ rows: ["x".repeat(2_000_000)] }).message.replace(/\D+/g, " ").trim(), "2 000 013 1 048 576");
  const error = refusalOf(12345, 4);
  assertEquals([error.code, error.path], ["payload_too_large", "output"]);
});

test("an object that repeats itself into more text than memory holds is refused at once", () => {
  let value: unknown = { text: "x".repeat(100) };
  for (let i = 0; i < 60; i++) value = [value, value];
  const error = refusalOf(value);
  assertEquals(error.code, "payload_too_large");
  assertStringIncludes(error.message, "more than 16,777,");
});

test("encoding costs little more than JSON.stringify()", () => {
  const row = { id: 7, name: "a name of some length", price: 1.5, tags: ["a", "b"], at: "2026-11-23T00:00:00Z" };
  const value = { rows: Array.from({ length: 20 }, () => row), total: 20, next: undefined };
  const timeOf = (body: () => unknown) =>
    cpuMs(() => {
      for (let i = 0; i < 2_000; i++) body();
    });
  const ratios = Array.from({ length: 5 }, () => {
    const bare = timeOf(() => JSON.stringify(value));
    return timeOf(() => encode(value)) / bare;
  });
  // About 1.5; a walk with paths would be 5 and more.
  assertEquals(Math.min(...ratios) < 3, true, `${ratios}`);
});
