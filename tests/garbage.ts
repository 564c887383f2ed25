/** Returns a function that runs a full garbage collection, in Deno and Bun. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

export function collector(): () => void {
  const { Bun: bun } = globalThis as { Bun?: { gc(isSynchronous: boolean): void } };
  if (bun !== undefined) return () => bun.gc(true);
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as () => void;
}
