const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Whether a text can be the id of a run: Postgres refuses to compare ids with other texts. */
export function isUuid(text: string): boolean {
  return UUID.test(text);
}

/** Whether a text can be the beginning of an id. Four digits at least: fewer are more often the beginning of a key. */
export function isIdPrefix(text: string): boolean {
  return text.length >= 4 && text.length <= 36 && /^[0-9a-f]{1,8}(-[0-9a-f]{0,4}){0,3}(-[0-9a-f]{0,12})?$/i.test(text);
}

/** The first or the last id with a prefix, where `digit` is "0" or "f". */
export function padId(prefix: string, digit: string): string {
  return (prefix + "00000000-0000-0000-0000-000000000000".slice(prefix.length).replaceAll("0", digit)).toLowerCase();
}

/** A text that Postgres can hold: without NUL. */
export function printable<T extends string | undefined>(text: T): T {
  return (text?.includes("\0") ? text.replaceAll("\0", "\ufffd") : text) as T;
}

/** Whether Postgres can hold a text: no row has another name. */
export function isStorable(text: string): boolean {
  return !text.includes("\0") && text.isWellFormed();
}
