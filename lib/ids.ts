/**
 * A UUID of version 7 (RFC 9562): 48 bits of milliseconds, then a counter that keeps ids of one process in the
 * order they were made, then randomness. Ordered ids keep every index they stand in append-only.
 */
export function uuidv7(nowMs: number): string {
  if (nowMs > lastMs) {
    lastMs = nowMs;
    counter = next16() & 0x7ff;
  } else if (++counter > 0xfff) {
    // More than the counter holds within one millisecond: borrow the next one.
    lastMs++;
    counter = 0;
  }
  const time = lastMs.toString(16).padStart(12, "0");
  const variant = (0x8000 | (next16() & 0x3fff)).toString(16);
  return `${time.slice(0, 8)}-${time.slice(8)}-7${hex(counter, 3)}-${variant}-${hex(next16(), 4)}${hex(next16(), 4)}${
    hex(next16(), 4)
  }`;
}

let lastMs = 0;
let counter = 0;

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

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}
