/**
 * HTML as a type of its own, so that text can only get into a page escaped.
 *
 * @module
 */

/** A piece of HTML. Only `markup` makes one: data that looks like one is text. */
export interface Html {
  /** Its source. */
  readonly text: string;
}

/** A value of a placeholder in `markup`. Text and numbers are escaped; `undefined` and `false` are empty. */
export type Hole = Html | string | number | undefined | false | readonly Hole[];

class Markup implements Html {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/**
 * HTML from a template. Placeholders are escaped for text and for attributes in double quotes; use them nowhere else.
 *
 * Characters that would be invisible or turn text around (control and bidirectional ones) are shown as `⟨U+202E⟩`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const rows = ["a", "<b>"].map((name) => markup`<li>${name}</li>`);
 * assertEquals(markup`<ul title="${'"'}">${rows}</ul>`.text, '<ul title="&quot;"><li>a</li><li>&lt;b&gt;</li></ul>');
 * ```
 */
export function markup(template: TemplateStringsArray, ...holes: readonly Hole[]): Html {
  return new Markup(template.reduce((source, text, at) => source + sourceOf(holes[at - 1]) + text));
}

/** Marks trusted HTML, such as the text of a style; never use it for data. */
export function trusted(source: string): Html {
  return new Markup(source);
}

/** Escapes text for HTML. */
export function escapeText(text: string): string {
  return text.replace(SPECIAL, (char) => NAMED[char] ?? `⟨U+${codeOf(char)}⟩`);
}

function sourceOf(hole: Hole): string {
  if (hole === undefined || hole === false) return "";
  if (typeof hole === "string") return escapeText(hole);
  if (typeof hole === "number") return `${hole}`;
  if (hole instanceof Markup) return hole.text;
  if (Array.isArray(hole)) return hole.map(sourceOf).join("");
  // Data with the shape of `Html`, from a caller that ignored the types.
  return escapeText(String(hole));
}

const NAMED: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

// Besides what HTML gives a meaning: control characters but tab and line breaks, bidirectional marks, embeddings, overrides
// and isolates, invisible joiners and fillers that hide in names, and halves of surrogate pairs, which UTF-8 has no form
// for.
const SPECIAL = /[&<>"']|(?![\t\n\r])\p{Cc}|\p{Bidi_Control}|[\u200b\u2028\u2029\u2060-\u2064\ufeff]|\p{Cs}/gu;

function codeOf(char: string): string {
  return char.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0");
}
