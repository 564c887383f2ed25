/**
 * Returns what to do if an import failed because its package is not installed; `undefined` for any other failure.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const failed = new Error('Cannot find package "hono" from "app.ts"');
 * assertEquals(
 *   installHint("hono", failed),
 *   'the package "hono" is not installed; run "npm install hono", "bun add hono" or "deno add npm:hono"',
 * );
 * assertEquals(installHint("hono", new SyntaxError("Unexpected end of input")), undefined);
 * ```
 */
export function installHint(name: string, error: unknown): string | undefined {
  // The text differs between runtimes, but always names the package.
  const isMissing = error instanceof Error &&
    ['"', "'", "`"].some((quote) => error.message.includes(`${quote}${name}${quote}`));
  if (!isMissing) return undefined;
  return `the package "${name}" is not installed; run "npm install ${name}", "bun add ${name}" or "deno add npm:${name}"`;
}
