import process from "node:process";

/**
 * Returns the CPU time that this thread spends in `work`, in milliseconds. Other programs and the tests that run in
 * other threads do not count.
 */
export function cpuMs(work: () => unknown): number {
  const before = process.threadCpuUsage();
  work();
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1_000;
}
