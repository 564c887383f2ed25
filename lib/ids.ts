import { createHash } from "node:crypto";

/** Makes an id, given the time in milliseconds since the epoch. */
export type NewId = (nowMs: number) => string;

/**
 * Creates a source of UUIDs of version 7 (RFC 9562): 48 bits of milliseconds, then a counter that keeps the ids of one
 * source in the order in which they were made, then 62 random bits. Because ids ascend, each index on them is appended to.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const newId = createIds();
 * const ids = [newId(5), newId(5), newId(4), newId(6)]; // a clock that was set back does not change the order
 * assertEquals(ids.toSorted(), ids);
 * ```
 */
export function createIds(): NewId {
  let lastMs = 0;
  let counter = 0;
  let prefix = "";
  // Random numbers are drawn 1,024 at a time: one call per id would cost more than the rest of it.
  const pool = new Uint16Array(1_024);
  let drawn = pool.length;
  return newId;

  function newId(nowMs: number): string {
    if (nowMs > lastMs) setTime(nowMs, next16() & 0x7ff);
    // The counter of this millisecond is used up: borrow the next millisecond.
    else if (++counter > 0xfff) setTime(lastMs + 1, 0);
    const [a, b, c, d] = [next16(), next16(), next16(), next16()];
    // One template: a part that is put together beforehand would be a string of its own.
    return `${prefix}${HEX[counter >> 8]![1]}${HEX[counter & 0xff]}-${HEX[0x80 | (a >> 8 & 0x3f)]}${HEX[a & 0xff]}-${
      HEX[b >> 8]
    }${HEX[b & 0xff]}${HEX[c >> 8]}${HEX[c & 0xff]}${HEX[d >> 8]}${HEX[d & 0xff]}`;
  }

  function setTime(ms: number, first: number): void {
    lastMs = ms;
    counter = first;
    const time = ms.toString(16).padStart(12, "0");
    prefix = `${time.slice(0, 8)}-${time.slice(8)}-7`;
  }

  function next16(): number {
    if (drawn === pool.length) {
      crypto.getRandomValues(pool);
      drawn = 0;
    }
    return pool[drawn++]!;
  }
}

/** Returns the UUID of version 7 that a text determines: that of `at`, another one, with different random bits. */
export function derivedId(at: string, text: string): string {
  const hash = createHash("sha256").update(text).digest("hex");
  const variant = HEX[0x80 | (parseInt(hash.slice(0, 2), 16) & 0x3f)];
  return `${at.slice(0, 13)}-7${hash.slice(2, 5)}-${variant}${hash.slice(5, 7)}-${hash.slice(7, 19)}`;
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
