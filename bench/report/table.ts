/** A table in Markdown, as `deno fmt` lays it out: columns as wide as their widest cell, numbers to the right. */
export function tableOf(
  heads: readonly string[],
  rows: readonly (readonly string[])[],
  aligned: readonly ("left" | "right")[],
): string {
  const widths = heads.map((head, at) => Math.max(3, ...[head, ...rows.map((row) => row[at]!)].map(widthOf)));
  const line = (cells: readonly string[]): string => `| ${cells.map(pad).join(" | ")} |`;
  const rule = widths.map((width, at) => aligned[at] === "right" ? `${"-".repeat(width - 1)}:` : "-".repeat(width));
  return [line(heads), `| ${rule.join(" | ")} |`, ...rows.map(line)].join("\n");

  function pad(cell: string, at: number): string {
    const room = " ".repeat(widths[at]! - widthOf(cell));
    return aligned[at] === "right" ? room + cell : cell + room;
  }
}

function widthOf(cell: string): number {
  return [...cell].length;
}
