import type { Line, Results } from "../results.ts";

/** The runtimes that have a column. */
export const RUNTIMES = ["deno", "bun"] as const;

/** One of them. */
export type Runtime = (typeof RUNTIMES)[number];

/** A row of a table: what is measured, how its line is found and shown, and what is to be reached. */
export interface Row {
  /** What is measured. */
  readonly what: string;
  /** The parameters of its line. */
  readonly where: Line;
  /** Its figures. */
  readonly show: (line: Line) => string;
  /** What DESIGN wants of it. */
  readonly wanted?: string;
  /** The program that measures it, as a failure of it names it. */
  readonly program: string;
}

/** What a row says in the column of a runtime; why, if there is nothing to say. */
export function cellOf({ results }: Results, { where, show, program }: Row, runtime: Runtime): string {
  const ours = results.filter((line) => String(line["runtime"]).startsWith(runtime));
  const line = ours.find((line) => matches(line, where));
  if (line !== undefined) return line["ran"] === false ? notRun(line["why"]) : show(line);
  const failure = ours.find((line) => line["ran"] === false && line["bench"] === program);
  return notRun(failure?.["why"] ?? "no result");
}

/** The text for a missing figure. */
export function notRun(why: unknown): string {
  return `not run: ${String(why).replaceAll("|", "/").replaceAll(/\s+/g, " ")}`;
}

/** Whether a result has these parameters. */
export function matches(line: Line, where: Line): boolean {
  return Object.entries(where).every(([name, value]) => line[name] === value);
}
