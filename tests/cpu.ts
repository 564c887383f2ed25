import process from "node:process";
import { setImmediate } from "node:timers";

// CPU time of this thread, with a resolution of up to 10 ms: other programs, tests in other threads and the threads of
// the garbage collector do not count.

/** Returns the CPU time that `work` takes, in milliseconds. */
export function cpuMs(work: () => unknown): number {
  const before = process.threadCpuUsage();
  work();
  return msSince(before);
}

/** Returns the CPU time that this thread uses until `work` resolves, in milliseconds. */
export async function cpuMsUntil(work: () => Promise<unknown>): Promise<number> {
  const before = process.threadCpuUsage();
  await work();
  return msSince(before);
}

/** Returns the longest turn of the event loop until `work` resolves, in milliseconds of CPU time. */
export async function longestTurn<T>(work: () => Promise<T>): Promise<{ readonly result: T; readonly ms: number }> {
  let ms = 0;
  let isDone = false;
  let before = process.threadCpuUsage();
  const done = work().finally(() => isDone = true);
  while (!isDone) {
    ms = Math.max(ms, msSince(before));
    before = process.threadCpuUsage();
    await new Promise<void>((resolve) => void setImmediate(resolve));
  }
  return { result: await done, ms };
}

function msSince(before: ReturnType<typeof process.threadCpuUsage>): number {
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1_000;
}
