import type { Pattern } from "./redact_path.ts";

/** The progress of matching: for each pattern the positions that may match next. */
type Places = readonly (readonly number[])[];

interface Frame {
  readonly isArray: boolean;
  readonly places: Places;
  /** The index or the name of the member that is being read. */
  member: string | number;
  /** Whether a name comes next. */
  isNameDue: boolean;
}

/**
 * Replaces what patterns hide in the JSON text at `path`. The text is never parsed, so it may be large, deep or
 * truncated: a text that is cut within a hidden value ends with the replacement.
 */
export function redactJson(
  text: string,
  patterns: readonly Pattern[],
  path: readonly string[],
  replacement: string,
): string {
  let places: Places = patterns.map((pattern) => reach(pattern, [0]));
  for (const name of path) {
    if (isHidden(patterns, places)) return replacement;
    places = step(patterns, places, name);
  }
  const frames: Frame[] = [];
  let copied = "";
  let from = 0;
  let at = 0;
  while (at < text.length) {
    const frame = frames.at(-1);
    const letter = text[at]!;
    if (letter === "," && frame !== undefined) {
      if (frame.isArray) frame.member = Number(frame.member) + 1;
      else frame.isNameDue = true;
      at++;
    } else if (letter === "}" || letter === "]") {
      frames.pop();
      at++;
    } else if (letter === ":" || /\s/.test(letter)) at++;
    else if (frame?.isNameDue) {
      const end = endOfString(text, at);
      frame.member = nameOf(text.slice(at, end));
      frame.isNameDue = false;
      at = end;
    } else {
      const here = frame === undefined ? places : step(patterns, frame.places, String(frame.member));
      if (isHidden(patterns, here)) {
        copied += text.slice(from, at) + replacement;
        from = at = endOfValue(text, at);
      } else if (letter === "{" || letter === "[") {
        frames.push({ isArray: letter === "[", places: here, member: 0, isNameDue: letter === "{" });
        at++;
      } else at = endOfValue(text, at);
    }
  }
  return copied + text.slice(from);
}

/** Advances the patterns by one name. */
function step(patterns: readonly Pattern[], places: Places, name: string): Places {
  return patterns.map((pattern, i) => {
    const here = places[i]!;
    if (here.length === 0) return here;
    return reach(
      pattern,
      here.flatMap((place) => {
        const wanted = pattern[place];
        if (wanted === "**") return [place];
        return wanted === "*" || (wanted !== undefined && wanted.name === name) ? [place + 1] : [];
      }),
    );
  });
}

/** `**` may match no name, so what follows it may match next as well. */
function reach(pattern: Pattern, places: readonly number[]): readonly number[] {
  const all = new Set(places);
  for (const place of all) if (pattern[place] === "**") all.add(place + 1);
  return [...all];
}

/** The rest of the patterns below `path`, in which `undefined` matches any name. */
export function remainders(patterns: readonly Pattern[], path: readonly (string | undefined)[]): readonly Pattern[] {
  return patterns.flatMap((pattern) => {
    let rests: readonly Pattern[] = [pattern];
    for (const name of path) rests = rests.flatMap((rest) => afterName(rest, name));
    return rests;
  });
}

function afterName(pattern: Pattern, name: string | undefined): readonly Pattern[] {
  const [first, ...rest] = pattern;
  if (first === undefined) return [];
  if (first === "**") return [pattern, ...afterName(rest, name)];
  return first === "*" || name === undefined || first.name === name ? [rest] : [];
}

function isHidden(patterns: readonly Pattern[], places: Places): boolean {
  return places.some((here, i) => here.includes(patterns[i]!.length));
}

function endOfValue(text: string, start: number): number {
  if (text[start] === '"') return endOfString(text, start);
  if (text[start] !== "{" && text[start] !== "[") {
    let at = start + 1;
    while (at < text.length && !/[,\]}\s]/.test(text[at]!)) at++;
    return at;
  }
  let depth = 0;
  for (let at = start; at < text.length;) {
    const letter = text[at];
    if (letter === '"') {
      at = endOfString(text, at);
      continue;
    }
    if (letter === "{" || letter === "[") depth++;
    if ((letter === "}" || letter === "]") && --depth === 0) return at + 1;
    at++;
  }
  return text.length;
}

/** The index after the closing quote, or the end of a truncated text. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1;;) {
    const quote = text.indexOf('"', at);
    if (quote < 0) return text.length;
    let slashes = 0;
    while (text[quote - 1 - slashes] === "\\") slashes++;
    if (slashes % 2 === 0) return quote + 1;
    at = quote + 1;
  }
}

function nameOf(quoted: string): string {
  try {
    return String(JSON.parse(quoted));
  } catch {
    // Truncated within a value: nothing follows.
    return "";
  }
}
