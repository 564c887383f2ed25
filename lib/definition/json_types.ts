/**
 * Compile-time checks of what can be stored: a type that survives a JSON round trip is returned as it is, any other one
 * as a string literal that names the place and the remedy. Run-time JSON is in `json.ts`.
 *
 * @module
 */
import type { JsonPrimitive, JsonValue } from "../json_value.ts";

/** Whether `T` is a union. */
export type IsUnion<T, U = T> = T extends U ? [U] extends [T] ? false : true : never;

/** Whether `T` is `any`. */
export type IsAny<T> = 0 extends 1 & T ? true : false;

/**
 * The default of a type parameter that is inferred from the result of a function: a type that the compiler has not
 * inferred. It is accepted everywhere, so that a mistake elsewhere in the same options is the only message.
 */
export interface NotYet {
  /** No value has this member. */
  readonly "~notYet": never;
}

/** Types that JSON does not preserve. */
export type Unstorable =
  | bigint
  | symbol
  | ((...args: never[]) => unknown)
  | Date
  | RegExp
  | ReadonlyMap<unknown, unknown>
  | ReadonlySet<unknown>
  | PromiseLike<unknown>
  | ArrayBuffer
  | ArrayBufferView
  | HttpMessage
  | { toJSON(): unknown };

/** A `Response` or `Request`, whether or not the program's types declare them. */
export interface HttpMessage {
  /** A member of both. */
  readonly bodyUsed: boolean;
  /** A member of both. */
  readonly headers: { forEach(callback: never): unknown };
}

/** A description of an unstorable type, with its remedy. */
export type Remedy<T> = T extends bigint ? "a bigint - use String(n)"
  : T extends symbol ? "a symbol"
  : T extends (...args: never[]) => unknown ? "a function"
  : T extends Date ? "a Date - use date.toISOString()"
  : T extends RegExp ? "a RegExp - use regexp.source"
  : T extends ReadonlyMap<unknown, unknown> ? "a Map - use Object.fromEntries(map)"
  : T extends ReadonlySet<unknown> ? "a Set - use [...set]"
  : T extends PromiseLike<unknown> ? "a Promise - missing await?"
  : T extends ArrayBuffer | ArrayBufferView ? "binary data - encode it as base64"
  : T extends HttpMessage ? "a Response or Request - read its body, validate and return that"
  : "an object with toJSON() - convert it yourself";

/**
 * `T`, with each member that does not survive a JSON round trip replaced by a string literal that says why.
 * Structural and lazy: interfaces and recursive types are supported.
 */
export type Json<T> = T extends JsonValue | undefined | void ? T
  : T extends readonly unknown[] ? { [K in keyof T]: JsonElement<T[K]> }
  : T extends Unstorable ? Remedy<T>
  : unknown extends T ? "`unknown` - annotate or validate it"
  // Private members are missing in the copy, which is then not a `T`.
  : Pick<T, keyof T> extends T ? { [K in keyof T]: Json<T[K]> }
  : "an instance of a class with private fields - return its data";

/** An element of an array, where JSON turns `undefined` into null. */
export type JsonElement<T> = unknown extends T ? Json<T>
  : undefined extends T ? "undefined in an array - use null"
  : Json<T>;

/** The path in `T` of the first unstorable member, with its description. Evaluated only for an unstorable type. */
export type Why<T, Path extends string, Depth extends 0[] = []> = Depth["length"] extends 5 ? never
  : IsAny<T> extends true ? never
  : T extends JsonPrimitive | undefined | void ? never
  : Json<T> extends string ? `${Path} is ${Json<T> & string}`
  : T extends readonly (infer E)[] ? unknown extends E ? `${Path}[] is ${Json<E> & string}`
    : undefined extends E ? `${Path}[] is undefined in an array - use null`
    : Why<E, `${Path}[]`, [...Depth, 0]>
  : T extends Error ? `${Path} is an Error - throw it, or return its message`
  : true extends IsUnion<Methods<T>> ? `${Path} is an object with methods - return its data`
  : { [K in keyof T & string]-?: Why<Exclude<T[K], undefined>, `${Path}.${K}`, [...Depth, 0]> }[keyof T & string];

/** Names of the members of `T` that are functions. */
export type Methods<T> = {
  [K in keyof T & string]-?: T[K] extends (...args: never[]) => unknown ? K : never;
}[keyof T & string];

/**
 * `Ret` if its awaited value can be stored, otherwise a message with the path and the remedy.
 *
 * It replaces `Ret` in the return position instead of being intersected with it: the compiler still infers `Ret` and
 * prints the message alone. Assignability to `JsonValue` is tried first because it creates no types.
 */
export type JsonReturn<Ret, Label extends string = "output"> = IsAny<Awaited<Ret>> extends true
  ? IsAny<Ret> extends true ? never : `${Label} is \`any\` - annotate or validate it`
  : [Awaited<Ret>] extends [JsonValue | undefined | void] ? Ret
  : [Awaited<Ret>] extends [Json<Awaited<Ret>>] ? Ret
  // `infer` defers the walk until there is a problem: without it every task costs the compiler 300 types.
  : Awaited<Ret> extends infer T ? Why<T, Label>
  : never;

/**
 * The same where `Ret` may depend on a type parameter, as in a generic function that returns bodies: `Safe` is inferred
 * beside `Ret` and carries the parameter with its bound, which the compiler accepts without resolving the conditional
 * type. `any` is accepted here and rejected where the body is added to a workflow.
 */
export type GenericReturn<Ret, Safe> = [Ret] extends [Safe | PromiseLike<Safe>] ? Safe | PromiseLike<Safe>
  : JsonReturn<Ret>;
