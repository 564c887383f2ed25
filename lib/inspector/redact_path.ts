import { didYouMean } from "../definition/nearest.ts";

/** A segment of a path: a name, `*` for any name, or `**` for any number of names. */
export type Segment = { readonly name: string } | "*" | "**";

/** A parsed path. */
export type Pattern = readonly Segment[];

/** The fields of a run that can be hidden; below `true` any name may follow. */
interface Fields {
  readonly [name: string]: Fields | true;
}

const ERROR: Fields = { name: {}, message: {}, code: {}, stack: {}, fields: true, cause: true, errors: true };

const TASK: Fields = {
  output: true,
  error: ERROR,
  reason: {},
  progress: { done: {}, total: {}, message: {} },
  steps: true,
};

const RUN: Fields = {
  input: true,
  key: {},
  tags: { "*": {} },
  reason: {},
  error: ERROR,
  tasks: { "*": TASK },
  limits: { "*": { key: {} } },
};

/**
 * Parses a path such as `input.password`, `tasks.*.output`, `**.token` or `tasks."pay.card".output`: a segment in double
 * quotes is a literal name, with the escapes of JSON.
 *
 * @throws {TypeError} If the text is not a path.
 */
export function parsePath(path: unknown): Pattern {
  const segments: Segment[] = [];
  if (typeof path === "string") {
    let at = 0;
    for (;;) {
      const [text = ""] = SEGMENT.exec(path.slice(at)) ?? [];
      const segment = segmentOf(text);
      at += text.length;
      if (segment === undefined || (at < path.length && path[at] !== ".")) break;
      segments.push(segment);
      if (at === path.length) return segments;
      at++;
    }
  }
  throw new TypeError(
    `Cannot redact ${JSON.stringify(path)}: expected a path such as "input.password", "tasks.*.output", "**.token" ` +
      `or 'tasks."pay.card".output'`,
  );
}

const SEGMENT = /^(?:"(?:[^"\\]|\\.)*"|[^."]+)/s;

function segmentOf(text: string): Segment | undefined {
  if (text === "*" || text === "**") return text;
  if (!text.startsWith('"')) return text === "" ? undefined : { name: text };
  try {
    return { name: String(JSON.parse(text)) };
  } catch {
    return undefined;
  }
}

/** Returns why a path can hide nothing; `undefined` if it can. */
export function whyHidesNothing(pattern: Pattern): string | undefined {
  let fields: Fields = RUN;
  for (const segment of pattern) {
    // What follows is not checked: it may match at several places.
    if (typeof segment === "string" && (segment === "**" || fields["*"] === undefined)) return undefined;
    const name = typeof segment === "string" ? "*" : segment.name;
    const next: Fields | true | undefined = fields["*"] ?? (Object.hasOwn(fields, name) ? fields[name] : undefined);
    if (next === true) return undefined;
    if (next === undefined) {
      const names = Object.keys(fields);
      return names.length === 0
        ? `"${name}" is below a text, which has no fields`
        : `unknown field "${name}" (known: ${names.join(", ")})${didYouMean(name, names)}`;
    }
    fields = next;
  }
  return undefined;
}
