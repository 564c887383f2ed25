/** The results, as Markdown and as a summary for the terminal. */
import type { Author, countAuthors, countFiles, findOwners, measureChurn, Month, Totals } from "./analyses.ts";
import { bar, count, counted, day, fit, percent, plain, shorten, shortenPath, sparkline } from "./text.ts";

/** The outputs of the tasks that the report joins. */
export interface Findings {
  /** The repository and its totals. */
  readonly history: Totals & { readonly name: string; readonly head: string; readonly shallow: boolean };
  /** The current files. */
  readonly tree: { readonly files: number };
  /** The authors. */
  readonly authors: Awaited<ReturnType<typeof countAuthors>>;
  /** The activity over time. */
  readonly months: readonly Month[];
  /** The most frequently changed files. */
  readonly files: Awaited<ReturnType<typeof countFiles>>;
  /** The most frequently rewritten files. */
  readonly churn: Awaited<ReturnType<typeof measureChurn>>;
  /** The ownership of the code. */
  readonly owners: Awaited<ReturnType<typeof findOwners>>;
}

/** Returns the report as Markdown. */
export function toMarkdown(findings: Findings): string {
  const { history, authors, months, files, churn, owners } = findings;
  return [
    `# ${escape(history.name)} in ${counted(history.commits, "commit")}`,
    headline(findings).map(escape).join("\n"),
    "## Authors",
    table(
      ["Author", "Commits", "Added", "Deleted", "First", "Last"],
      authors.top.map((it) => [it.name, it.commits, it.added, it.deleted, day(it.first), day(it.last)]),
      authors.count,
    ),
    "## Months",
    table(
      ["Month", "Commits", "Authors", "Added", "Deleted"],
      months.map((it) => [it.month, it.commits, it.authors, it.added, it.deleted]),
    ),
    "## Most changed files",
    table(
      ["File", "Commits", "Authors", "Lines added and deleted"],
      files.top.map((it) => [it.path + (it.present ? "" : " (deleted)"), it.commits, it.authors, it.lines]),
      files.count,
    ),
    "## Churn",
    `Lines added and deleted for each line there is today. The whole: ${rate(churn.churn, churn.lines)}.`,
    churn.top.length === 0 ? "No file of ten lines or more was changed after it was added." : table(
      ["File", "Lines", "Churn", "Factor"],
      churn.top.map((it) => [it.path, it.lines, it.churn, it.factor.toFixed(1)]),
    ),
    "## Ownership",
    `By lines ever added to files that still exist. ${busFactor(owners.busFactor)} ` +
    `${counted(owners.single, "file")} of ${count(findings.tree.files)} ${
      owners.single === 1 ? "has" : "have"
    } one author only.`,
    table(OWNERSHIP, owners.directories.map(ownership)),
    "### Largest files",
    table(OWNERSHIP, owners.files.map(ownership)),
  ].join("\n\n") + "\n";
}

/** Returns the summary that the terminal shows at the end. */
export function toSummary(findings: Findings): string {
  const { authors, months, files, churn, owners } = findings;
  const busiest = [...months].sort((a, b) => b.commits - a.commits).slice(0, 6);
  const most = (rows: readonly { readonly commits: number }[]) => rows[0]?.commits ?? 0;
  const row = (name: string, value: string, rest: string) =>
    `  ${fit(name, 32)} ${value.padStart(8)}  ${rest}`.trimEnd();
  const author = (it: Author) => (
    row(
      plain(it.name),
      count(it.commits),
      fit(bar(it.commits, most(authors.top), 20), 20) + `  +${count(it.added)} −${count(it.deleted)}`,
    )
  );
  return [
    ...headline(findings),
    "",
    `Authors, by commits (${count(authors.count)})`,
    ...authors.top.slice(0, 5).map(author),
    "",
    `Busiest months  ${sparkline(everyMonth(months), 48)}`,
    ...busiest.map((it) => row(it.month, count(it.commits), bar(it.commits, most(busiest), 20))),
    "",
    `Hot files, by commits (${count(files.count)})`,
    ...files.top.slice(0, 5).map((it) => (
      row(
        shortenPath(plain(it.path), 32),
        count(it.commits),
        `${counted(it.authors, "author")}${it.present ? "" : ", deleted"}`,
      )
    )),
    "",
    `Churn: ${rate(churn.churn, churn.lines)}`,
    ...churn.top.slice(0, 3).map((it) =>
      row(shortenPath(plain(it.path), 32), `× ${it.factor.toFixed(1)}`, counted(it.lines, "line"))
    ),
    "",
    `Ownership: ${busFactor(owners.busFactor)}`,
    ...owners.directories.slice(0, 5).map((it) => (
      row(
        shortenPath(plain(it.path), 32),
        percent(it.share),
        `${shorten(plain(it.owner), 24)}, of ${counted(it.authors, "author")}`,
      )
    )),
  ].join("\n");
}

function headline({ history, tree, authors }: Findings): string[] {
  const { name, head, shallow, commits, merges, added, deleted } = history;
  const [first, last] = [day(history.first), day(history.last)];
  return [
    `${plain(name)} at ${head.slice(0, 10)}: ${counted(commits, "commit")} (${counted(merges, "merge")}) by ` +
    `${counted(authors.count, "author")}, ${first === last ? `on ${first}` : `${first} to ${last}`}.`,
    `${counted(tree.files, "file")} today; ${count(added)} lines added and ${count(deleted)} deleted on the way.`,
    ...(shallow
      ? ["A shallow clone: older commits are missing, and its oldest ones seem to have written all that was there."]
      : []),
  ];
}

function rate(churn: number, lines: number): string {
  return lines === 0
    ? "no lines"
    : `${counted(churn, "line")} written or deleted for ${count(lines)} present, × ${(churn / lines).toFixed(1)}`;
}

function busFactor(factor: number): string {
  if (factor === 0) return "nobody wrote a line.";
  return factor === 1
    ? "one author wrote more than half of it."
    : `${factor} authors together wrote more than half of it.`;
}

/** Returns the commits of each month from the first to the last, including months without commits. */
function everyMonth(months: readonly Month[]): number[] {
  const number = ({ month }: Month) => Number(month.slice(0, 4)) * 12 + Number(month.slice(5)) - 1;
  const [first, last] = [months[0], months.at(-1)];
  if (!first || !last) return [];
  const values = new Array<number>(number(last) - number(first) + 1).fill(0);
  for (const month of months) values[number(month) - number(first)] = month.commits;
  return values;
}

const OWNERSHIP = ["Where", "Lines", "Owner", "Share", "Authors", "Bus factor"];

function ownership(it: Findings["owners"]["files"][number]): (string | number)[] {
  return [it.path, it.lines, it.owner, percent(it.share), it.authors, it.busFactor];
}

function table(
  head: readonly string[],
  rows: readonly (readonly (string | number)[])[],
  total: number = rows.length,
): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const left = total - rows.length;
  return [
    line(head),
    line(head.map((_, index) => index === 0 ? "---" : "---:")),
    ...rows.map((cells) => line(cells.map((cell) => typeof cell === "number" ? count(cell) : escape(cell)))),
    ...(left > 0 ? ["", `And ${count(left)} more.`] : []),
  ].join("\n");
}

/** Escapes a name or path so that Markdown shows it literally, on one line. */
function escape(text: string): string {
  return plain(text).replace(
    /[\\`*_[\]<>&|~#]/g,
    (char) => char === "<" ? "&lt;" : char === "&" ? "&amp;" : `\\${char}`,
  );
}
