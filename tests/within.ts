/**
 * The time limit of waits in tests, in milliseconds. Only hangs exceed it: it does not measure speed, because a slow
 * machine must not fail a test.
 */
export const HANG_MS = 120_000;

/** Waits for an action of another process or a server; throws if it hangs. */
export async function within<T>(what: string, work: PromiseLike<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Hangs: ${what} has not come within ${HANG_MS / 1_000} s`)), HANG_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits until a condition holds, which is checked every few milliseconds; throws if that hangs. */
export async function until(condition: () => boolean | Promise<boolean>, what = String(condition)): Promise<void> {
  for (const deadline = performance.now() + HANG_MS; !await condition();) {
    if (performance.now() > deadline) throw new Error(`Hangs: not within ${HANG_MS / 1_000} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
