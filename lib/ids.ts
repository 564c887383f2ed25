/**
 * A UUID of version 7 (RFC 9562): 48 bits of milliseconds, then a counter that keeps ids of one process in the
 * order they were made, then randomness. Ordered ids keep every index they stand in append-only.
 */
export function uuidv7(nowMs: number): string {
  if (nowMs > lastMs) setTime(nowMs, next16() & 0x7ff);
  // More than the counter holds within one millisecond: borrow the next one.
  else if (++counter > 0xfff) setTime(lastMs + 1, 0);
  const [a, b, c, d] = [next16(), next16(), next16(), next16()];
  // In one piece: each part that is put together beforehand would be a string of its own.
  return `${prefix}${HEX[counter >> 8]![1]}${HEX[counter & 0xff]}-${HEX[0x80 | (a >> 8 & 0x3f)]}${HEX[a & 0xff]}-${
    HEX[b >> 8]
  }${HEX[b & 0xff]}${HEX[c >> 8]}${HEX[c & 0xff]}${HEX[d >> 8]}${HEX[d & 0xff]}`;
}

let lastMs = 0;
let counter = 0;
let prefix = "";

function setTime(ms: number, first: number): void {
  lastMs = ms;
  counter = first;
  const time = ms.toString(16).padStart(12, "0");
  prefix = `${time.slice(0, 8)}-${time.slice(8)}-7`;
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

// Random numbers are drawn by the thousand: one call for each id would cost more than the rest of it.
const pool = new Uint16Array(1024);
let drawn = pool.length;

function next16(): number {
  if (drawn === pool.length) {
    crypto.getRandomValues(pool);
    drawn = 0;
  }
  return pool[drawn++]!;
}
