import { installHint } from "../../optional_package.ts";

/**
 * The next time after another one that matches a cron expression; `undefined` if there is none. Both are local times of
 * no zone: milliseconds since the epoch, as if the zone were UTC.
 */
export type NextWall = (wall: number) => number | undefined;

/** Compiles a cron expression of five or six fields. Throws an error that says what is wrong with it. */
export type CompileCron = (fields: string) => NextWall;

/**
 * Loads `croner`, an optional package, which computes what a cron expression matches. Its timers and its zones are not
 * used; zone.ts has those.
 *
 * @throws {Error} If the package is not installed; the message names the remedy.
 */
export async function loadCron(): Promise<CompileCron> {
  try {
    // @ts-ignore: without the package there are no types for it
    const { Cron } = await import("croner");
    return (fields) => {
      // With a zone, "UTC" included, each call took 30 to 120 µs; with an offset it takes 2 to 11 (Deno and Bun, 10,000 calls).
      const cron = new Cron(fields, { utcOffset: 0, paused: true, mode: "5-or-6-parts" });
      return (wall) => cron.nextRun(new Date(wall))?.getTime();
    };
  } catch (error) {
    const hint = installHint("croner", error);
    throw hint === undefined ? error : new Error(`Cannot use schedules with cron: ${hint}`, { cause: error });
  }
}
