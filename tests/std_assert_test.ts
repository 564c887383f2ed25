/** The results of the replacement for `@std/assert`. */
import { assert, assertEquals, AssertionError, assertNotEquals, assertThrows, equal } from "@std/assert";
import { test } from "./harness.ts";

class Price {
  constructor(readonly cents: number) {}
}

function cycle(name: string): object {
  const one: { name: string; self?: object } = { name };
  one.self = one;
  return one;
}

// Kept in a variable, because the target of a reference may be collected before the test begins.
const TARGETS = [{ a: 1 }, { a: 1 }, { a: 2 }] as const;

const EQUAL: readonly (readonly [unknown, unknown])[] = [
  [NaN, NaN],
  [0, -0],
  [{ a: 1, b: [2, { c: undefined }] }, { b: [2, { c: undefined }], a: 1 }],
  [Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
  [{ [Symbol.for("a")]: 1 }, { [Symbol.for("a")]: 1 }],
  [new Date(5), new Date(5)],
  [new Date(NaN), new Date(NaN)],
  [/a/g, /a/g],
  [new URL("https://example.org/a"), new URL("https://example.org/a")],
  [new Set([1, { a: 1 }, { a: 2 }]), new Set([{ a: 2 }, { a: 1 }, 1])],
  [new Map<unknown, unknown>([["a", 1], [{ k: 1 }, [2]]]), new Map<unknown, unknown>([[{ k: 1 }, [2]], ["a", 1]])],
  [new Uint8Array([1, 2]), new Uint8Array([1, 2])],
  [new Price(1), new Price(1)],
  [new WeakRef(TARGETS[0]), new WeakRef(TARGETS[1])],
  [cycle("a"), cycle("a")],
];

const DIFFERENT: readonly (readonly [unknown, unknown])[] = [
  [1, "1"],
  [null, undefined],
  [null, {}],
  [[], {}],
  [[1, 2], [2, 1]],
  [[1], [1, undefined]],
  [{ a: undefined }, {}],
  [{ a: undefined }, { b: undefined }],
  [{ [Symbol("a")]: 1 }, { [Symbol("a")]: 1 }],
  [new Date(5), new Date(6)],
  [new Date(NaN), new Date(0)],
  [/a/g, /a/i],
  [new URL("https://example.org/a"), new URL("https://example.org/b")],
  [new Set([1, 2]), new Set([1])],
  [new Set([{ a: 1 }]), new Set([{ a: 2 }])],
  [new Map([["a", 1]]), new Map([["a", 2]])],
  [new Map([["a", 1]]), new Map([["b", 1]])],
  [new Map(), new Set()],
  [new Uint8Array([1, 2]), new Uint8Array([2, 1])],
  [new Uint8Array([1]), new Int8Array([1])],
  [new Price(1), { cents: 1 }],
  [new Price(1), new Price(2)],
  [new WeakRef(TARGETS[0]), new WeakRef(TARGETS[2])],
  [new Error("a"), new Error("b")],
  [new Error("a"), new TypeError("a")],
  [cycle("a"), cycle("b")],
];

test("equal() compares by value", () => {
  assertEquals(EQUAL.filter(([a, b]) => !equal(a, b) || !equal(b, a)), []);
  assertEquals(DIFFERENT.filter(([a, b]) => equal(a, b) || equal(b, a)), []);
  assertEquals(TARGETS.length, 3);
});

test("weak collections cannot be compared", () => {
  assertThrows(() => equal(new WeakMap(), new WeakMap()), TypeError, "cannot compare WeakMap instances");
  assertThrows(() => equal(new WeakSet(), new WeakSet()), TypeError, "cannot compare WeakSet instances");
});

test("buffers differ by length and bytes, boxed values by their value, and errors not by their stacks", () => {
  const errors = ["a", "a"].map((message) => new Error(message, { cause: 7 }));
  errors[0]!.stack = "elsewhere";
  assert(equal(errors[0], errors[1]) && !equal(new Error("a", { cause: 7 }), new Error("a", { cause: 8 })));
  assert(equal(new ArrayBuffer(2), new ArrayBuffer(2)) && !equal(new ArrayBuffer(1), new ArrayBuffer(2)));
  assert(!equal(new Uint8Array([1]).buffer, new Uint8Array([2]).buffer));
  assert(!equal(new DataView(new Uint8Array([1]).buffer), new DataView(new Uint8Array([2]).buffer)));
  for (const type of [Number, String]) assert(equal(new type(1), new type(1)) && !equal(new type(1), new type(2)));
});

test("assertEquals() and assertNotEquals() throw according to equal()", () => {
  assertEquals({ a: [1] }, { a: [1] });
  assertNotEquals<unknown>({ a: [1] }, { a: [2] });
  assertThrows(() => assertEquals({ a: [1] }, { a: [2] }), AssertionError);
  assertThrows(() => assertNotEquals({ a: [1] }, { a: [1] }), AssertionError);
});
