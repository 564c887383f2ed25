/** Whether two types are the same, down to `readonly` and optional members. */
export type IsEqual<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;

/** Compiles only if the type is `true`. */
export function isTrue<T extends true>(_?: T): void {}
