/** Lets time pass, where it is time that a test is about. */
export function passes(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
