/**
 * Recorded conversations, which tests/worker/conformance/README.md describes, and their execution against an engine.
 *
 * @module
 */
import { createLines } from "../../lib/worker/lines.ts";
import type { Transport } from "../../lib/worker/mod.ts";
import { isObject } from "../../lib/worker/protocol.ts";
import { within } from "../within.ts";

/** The first line of a conversation. */
export interface Head {
  /** What it shows. */
  readonly about: string;
  /** The kind of store that it needs; absent for either. */
  readonly store?: "postgres";
}

/** One line of a conversation. */
type Step =
  | Head
  | { readonly send: unknown }
  | { readonly sendText: string }
  | { readonly expect: unknown }
  | { readonly expectAll: readonly unknown[] }
  | { readonly close: true }
  | { readonly end: number };

/** The engine of a conversation. */
export interface Engine {
  /** The worker's end of the connection. */
  readonly transport: Transport;
  /** How it ends: 0 if the worker has left, 2 after a fatal error. */
  readonly ended: Promise<number>;
}

/** Values that a conversation names: those of `namesOf()`, and what was bound since. */
export type Names = Map<string, unknown>;

/** Returns the first line of a conversation. */
export function headOf(text: string): Head {
  return JSON.parse(text.slice(0, text.indexOf("\n")));
}

/** Returns the names that each conversation may use. */
export function namesOf(
  { url, options }: { readonly url: string; readonly options: { readonly schema?: string } },
): Names {
  return new Map<string, unknown>([["$url", url], ["$options", options], ["$schema", options.schema]]);
}

/**
 * Sends and expects what a conversation says.
 *
 * @throws {Error} If the engine sends something else; the message names the line and both.
 */
export async function converse(text: string, { transport, ended }: Engine, names: Names): Promise<void> {
  const received = messagesOf(transport);
  for (const [at, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    try {
      await take(JSON.parse(line));
    } catch (error) {
      throw new Error(`line ${at + 1}: ${error instanceof Error ? error.message : error}`, { cause: error });
    }
  }

  async function take(step: Step): Promise<void> {
    if ("send" in step) return await write(JSON.stringify(filled(step.send, names)));
    if ("sendText" in step) return await write(step.sendText);
    if ("close" in step) return transport.close();
    if ("expect" in step) return await expectAll([step.expect]);
    if ("expectAll" in step) return await expectAll(step.expectAll);
    if (!("end" in step)) return;
    const left = await within("the end of the connection", received.next());
    if (left.done !== true) throw new Error(`the engine did not end, but sent ${JSON.stringify(left.value)}`);
    const code = await within("the end of the engine", ended);
    if (code !== step.end) throw new Error(`the engine ended with ${code} instead of ${step.end}`);
  }

  async function write(line: string): Promise<void> {
    await transport.write(new TextEncoder().encode(`${line}\n`));
  }

  /** The next messages match the patterns, in any order. */
  async function expectAll(patterns: readonly unknown[]): Promise<void> {
    const open = [...patterns];
    while (open.length > 0) {
      const { value, done } = await within("a message of the engine", received.next());
      if (done === true) throw new Error(`the engine ended instead of sending ${JSON.stringify(open)}`);
      const found = open.findIndex((pattern) => matches(pattern, value, names));
      if (found < 0) throw new Error(`expected ${JSON.stringify(open)}, received ${JSON.stringify(value)}`);
      open.splice(found, 1);
    }
  }
}

async function* messagesOf(transport: Transport): AsyncGenerator<unknown, void> {
  const lines = createLines();
  for (;;) {
    const bytes = await transport.read();
    if (bytes === undefined) return;
    for (const line of lines.add(bytes)) yield JSON.parse(line);
  }
}

/** Replaces names by their values. */
function filled(value: unknown, names: Names): unknown {
  if (typeof value === "string") return names.has(value) ? names.get(value) : value;
  if (Array.isArray(value)) return value.map((element) => filled(element, names));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, filled(member, names)]));
}

/** Whether a value has what a pattern has; binds names only if all of it matches. */
export function matches(pattern: unknown, value: unknown, names: Names): boolean {
  const bound = new Map(names);
  if (!fits(pattern, value, bound)) return false;
  for (const [name, known] of bound) names.set(name, known);
  return true;
}

function fits(pattern: unknown, value: unknown, names: Names): boolean {
  if (typeof pattern === "string" && pattern.startsWith("$")) return fitsName(pattern, value, names);
  if (Array.isArray(pattern)) {
    return Array.isArray(value) && value.length === pattern.length &&
      pattern.every((element, at) => fits(element, value[at], names));
  }
  if (isObject(pattern) && "$contains" in pattern) {
    return Array.isArray(value) && value.some((element) => matches(pattern["$contains"], element, names));
  }
  if (isObject(pattern)) {
    return isObject(value) && Object.entries(pattern).every(([key, member]) => fits(member, value[key], names));
  }
  return pattern === value;
}

function fitsName(name: string, value: unknown, names: Names): boolean {
  if (name === "$absent") return value === undefined;
  if (name === "$any") return value !== undefined;
  if (name.startsWith("$text:")) return typeof value === "string" && value.includes(name.slice("$text:".length));
  if (names.has(name)) return JSON.stringify(names.get(name)) === JSON.stringify(value);
  if (value === undefined) return false;
  names.set(name, value);
  return true;
}
