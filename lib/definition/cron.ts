/**
 * The syntax of cron expressions, so that a wrong one is refused where it is written. The package `croner` computes the
 * times and refuses the rest.
 *
 * @module
 */

/** A cron expression whose fields are within their ranges. */
export interface CronExpression {
  /** Five fields, or six with seconds first; a nickname is replaced by its fields. */
  readonly fields: string;
  /**
   * Whether seconds, minutes and hours are fixed numbers, lists or ranges of them, without `*`, `?` and steps: a time of
   * day, and not an interval.
   */
  readonly isTimeOfDay: boolean;
}

interface Field {
  readonly name: string;
  readonly least: number;
  readonly most: number;
  /** Names of values, the first for `least`. */
  readonly names: readonly string[];
  /** Further forms of an entry, such as `L` for the last day of the month. */
  readonly forms: RegExp | undefined;
}

const MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
const DAY = `(?:[0-7]|${DAYS.join("|")})`;

const FIELDS: readonly Field[] = [
  { name: "second", least: 0, most: 59, names: [], forms: undefined },
  { name: "minute", least: 0, most: 59, names: [], forms: undefined },
  { name: "hour", least: 0, most: 23, names: [], forms: undefined },
  { name: "day of month", least: 1, most: 31, names: [], forms: /^(?:\?|L|LW|\d+W)$/ },
  { name: "month", least: 1, most: 12, names: MONTHS, forms: undefined },
  { name: "day of week", least: 0, most: 7, names: DAYS, forms: new RegExp(`^(?:\\?|L|${DAY}L|${DAY}#(?:[1-5]|L))$`) },
];

const NICKNAMES: Readonly<Record<string, string>> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *",
};

/**
 * Reads a cron expression; calls `report` with each problem.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const problems: string[] = [];
 * readCron("0 24 * * *", (problem) => problems.push(problem));
 * assertEquals(problems, ['its hour "24" is not from 0 to 23']);
 * ```
 */
export function readCron(text: string, report: (problem: string) => void): CronExpression {
  const nickname = NICKNAMES[text.trim().toLowerCase()];
  const given = (nickname ?? text).trim().toUpperCase().split(/\s+/);
  const expression: CronExpression = {
    fields: given.join(" "),
    isTimeOfDay: given.slice(0, given.length - 3).every((field) => !/[*?/]/.test(field)),
  };
  if (text.trim().startsWith("@") && nickname === undefined) {
    report(`"${text.trim()}" is not one of ${Object.keys(NICKNAMES).join(", ")}`);
  } else if (given.length !== 5 && given.length !== 6) {
    report(
      `it has ${given.length === 1 ? "one field" : `${given.length} fields`} and not five, or six with seconds first`,
    );
  } else {
    for (const [at, field] of FIELDS.slice(6 - given.length).entries()) checkField(given[at]!, field, report);
  }
  return expression;
}

function checkField(text: string, field: Field, report: (problem: string) => void): void {
  for (const entry of text.split(",")) {
    if (field.forms?.test(entry)) continue;
    const [, from, to, step] = /^(\*|\w+)(?:-(\w+))?(?:\/(\d+))?$/.exec(entry) ?? [];
    if (from === undefined || (from === "*" && to !== undefined)) {
      report(`its ${field.name} "${entry}" is not a number, a range such as 1-5, or *, each with a step such as */2`);
      continue;
    }
    if (step !== undefined && from !== "*" && to === undefined) {
      report(
        `its ${field.name} "${entry}" has a step without a range; use */${step} or a range such as ${from}-${field.most}/${step}`,
      );
    } else if (step !== undefined && (Number(step) < 1 || Number(step) > field.most)) {
      report(`its ${field.name} "${entry}" has a step that is not from 1 to ${field.most}`);
    }
    const [low, high] = [valueOf(from, field), to === undefined ? undefined : valueOf(to, field)];
    for (const [value, number] of [[from, low], [to, high]] as const) {
      if (value === undefined || value === "*" || number !== undefined) continue;
      report(`its ${field.name} "${value}" is not from ${field.least} to ${field.most}`);
    }
    if (low !== undefined && high !== undefined && low > high) {
      report(`its ${field.name} "${entry}" is a range that ends before it begins`);
    }
  }
}

function valueOf(text: string, { least, most, names }: Field): number | undefined {
  const named = names.indexOf(text);
  if (named >= 0) return least + named;
  const value = /^\d+$/.test(text) ? Number(text) : NaN;
  return value >= least && value <= most ? value : undefined;
}
