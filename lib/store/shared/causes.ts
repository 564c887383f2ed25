/** The maximum length of the chain: causes can form a cycle. */
const DEEPEST = 5;

/** Returns a thrown value and the chain of its causes: user code can wrap an error that it catches. */
export function causesOf(thrown: unknown): readonly unknown[] {
  const causes: unknown[] = [thrown];
  for (let error = thrown; error instanceof Error && error.cause !== undefined && causes.length < DEEPEST;) {
    error = error.cause;
    causes.push(error);
  }
  return causes;
}
