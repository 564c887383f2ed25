/** How far to look: errors may cause each other in a circle. */
const DEEPEST = 5;

/** What was thrown, what that says it was caused by, and so on: whoever catches an error may wrap it. */
export function causesOf(thrown: unknown): readonly unknown[] {
  const causes: unknown[] = [thrown];
  for (let error = thrown; error instanceof Error && error.cause !== undefined && causes.length < DEEPEST;) {
    error = error.cause;
    causes.push(error);
  }
  return causes;
}
