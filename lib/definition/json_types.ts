/**
 * What may be stored, decided by the compiler: a type is answered as it is when JSON keeps it, and as a string literal
 * that names the place and the remedy when not. Run-time JSON is in `json.ts`.
 *
 * @module
 */

/** A JSON primitive. */
export type JsonPrimitive = string | number | boolean | null;

/** Any JSON value. */
export type JsonValue = JsonPrimitive | readonly JsonValue[] | { readonly [key: string]: JsonValue | undefined };

/** Whether `T` is `any`. */
export type IsAny<T> = 0 extends 1 & T ? true : false;

/** What JSON loses. */
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
  | { toJSON(): unknown };

/** What to do instead. */
export type Remedy<T> = T extends bigint ? "a bigint - use String(n)"
  : T extends symbol ? "a symbol"
  : T extends (...args: never[]) => unknown ? "a function"
  : T extends Date ? "a Date - use date.toISOString()"
  : T extends RegExp ? "a RegExp - use regexp.source"
  : T extends ReadonlyMap<unknown, unknown> ? "a Map - use Object.fromEntries(map)"
  : T extends ReadonlySet<unknown> ? "a Set - use [...set]"
  : T extends PromiseLike<unknown> ? "a Promise - missing await?"
  : T extends ArrayBuffer | ArrayBufferView ? "binary data - encode it as base64"
  : "an object with toJSON() - convert it yourself";

/**
 * `T` where every member survives a JSON round trip, a string literal saying why where one does not.
 * Structural and lazy: interfaces and recursive types are fine.
 */
export type Json<T> = T extends JsonPrimitive | undefined | void ? T
  : T extends readonly unknown[] ? { [K in keyof T]: JsonElement<T[K]> }
  : T extends Unstorable ? Remedy<T>
  : unknown extends T ? "`unknown` - annotate or validate it, and write `run` before `onSuccess`"
  : { [K in keyof T]: Json<T[K]> };

/** An element of an array, where JSON turns `undefined` into null. */
export type JsonElement<T> = unknown extends T ? Json<T>
  : undefined extends T ? "undefined in an array - use null"
  : Json<T>;

/** Where in `T` the offending member is, and what it is. Only evaluated for a type already known to be bad. */
export type Why<T, Path extends string, Depth extends 0[] = []> = Depth["length"] extends 5 ? never
  : IsAny<T> extends true ? never
  : T extends JsonPrimitive | undefined | void ? never
  : Json<T> extends string ? `${Path} is ${Json<T> & string}`
  : T extends readonly (infer E)[] ? unknown extends E ? `${Path}[] is ${Json<E> & string}`
    : undefined extends E ? `${Path}[] is undefined in an array - use null`
    : Why<E, `${Path}[]`, [...Depth, 0]>
  : { [K in keyof T & string]-?: Why<Exclude<T[K], undefined>, `${Path}.${K}`, [...Depth, 0]> }[keyof T & string];

/**
 * `Ret` if its awaited value is JSON, else a message naming the path and the remedy.
 *
 * It stands in the return position and replaces `Ret` instead of intersecting it: inference still finds `Ret`, and the
 * compiler prints the message alone. Assignability to `JsonValue` is tried first because it creates no types.
 */
export type JsonReturn<Ret, Label extends string = "output"> = IsAny<Awaited<Ret>> extends true
  ? IsAny<Ret> extends true ? never : `${Label} is \`any\` - annotate or validate it`
  : [Awaited<Ret>] extends [JsonValue | undefined | void] ? Ret
  : [Awaited<Ret>] extends [Json<Awaited<Ret>>] ? Ret
  // `infer` puts the walk off until there is a problem: without it every task costs the compiler 300 types.
  : Awaited<Ret> extends infer T ? Why<T, Label>
  : never;
