import { StoreError } from "../../errors.ts";

/** The elements of a JSON array as texts. */
export interface Elements {
  /** The number of elements. */
  readonly length: number;
  /** Returns an element as JSON text. */
  at(index: number): string;
}

const QUOTE = 34;
const COMMA = 44;
const BACKSLASH = 92;
const OPEN_BRACKET = 91;
const CLOSE_BRACKET = 93;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;

/**
 * Splits the text of a JSON array, as `JSON.stringify` writes it, into its elements. The array is not decoded as a whole:
 * each item of a map receives a copy of its own of its element, and a million decoded elements would need much more memory
 * than their text. The text is scanned as far as elements are read, so that the work is spread over the items.
 */
export function elementsOf(text: string, length: number): Elements {
  // The index after each element that was found.
  const ends = new Uint32Array(length);
  let found = 0;
  return { length, at };

  function at(index: number): string {
    while (found <= index) {
      ends[found] = endOf(text, startOf(found));
      found++;
    }
    return text.slice(startOf(index), ends[index]);
  }

  function startOf(index: number): number {
    return index === 0 ? 1 : ends[index - 1]! + 1;
  }
}

/** Returns the index after the JSON value that begins at `start`. */
function endOf(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case QUOTE:
        at = endOfString(text, at);
        break;
      case OPEN_BRACKET:
      case OPEN_BRACE:
        depth++;
        break;
      case CLOSE_BRACKET:
      case CLOSE_BRACE:
        if (depth-- === 0) return at;
        break;
      case COMMA:
        if (depth === 0) return at;
    }
  }
  throw new StoreError("corrupt_row", "Cannot read the items of a task: their JSON is not what Sluice wrote");
}

/** Returns the index of the quote that ends a string. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === BACKSLASH) at++;
    else if (code === QUOTE) return at;
  }
  return text.length;
}
