/**
 * A UUID of version 7 (RFC 9562): 48 bits of milliseconds, then a counter that keeps ids of one process in the
 * order they were made, then randomness. Ordered ids keep every index they stand in append-only.
 */
export function uuidv7(nowMs: number): string {
  if (nowMs > lastMs) setTime(nowMs, next16() & 0x7ff);
  // More than the counter holds within one millisecond: borrow the next one.
  else if (++counter > 0xfff) setTime(lastMs + 1, 0);
  const variant = HEX[0x80 | (next16() & 0x3f)]! + HEX[next16() & 0xff]!;
  const tail = hex(next16()) + hex(next16()) + hex(next16());
  return `${prefix}${HEX[counter >> 8]![1]}${HEX[counter & 0xff]}-${variant}-${tail}`;
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

function hex(value: number): string {
  return HEX[value >> 8]! + HEX[value & 0xff]!;
}
