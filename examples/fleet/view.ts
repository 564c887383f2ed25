import process from "node:process";
import type { Member } from "./crew.ts";

const WIDTH = 30;
const REDRAW_MS = 100;
const PRINT_MS = 1_000;

/** Shows how the work is shared, until it is stopped: in place on a terminal, otherwise as a few lines per second. */
export function showCrew(crew: readonly Member[], runs: number): { end(): void } {
  const { stdout } = process;
  let drawn = 0;
  const timer = setInterval(draw, stdout.isTTY ? REDRAW_MS : PRINT_MS);
  return {
    end() {
      clearInterval(timer);
      draw();
      if (stdout.isTTY) stdout.write("\n");
    },
  };

  function draw(): void {
    const up = stdout.isTTY && drawn > 0 ? `\x1b[${drawn}A` : "";
    const clear = stdout.isTTY ? "\x1b[K" : "";
    const lines = crew.map((member) => `  ${lineOf(member, runs)}`);
    if (!stdout.isTTY) lines.push("");
    stdout.write(up + lines.map((line) => `${line}${clear}\n`).join(""));
    drawn = lines.length;
  }
}

function lineOf({ name, report, isKilled }: Member, runs: number): string {
  const share = report.runs / runs;
  const bar = "#".repeat(Math.round(share * WIDTH)).padEnd(WIDTH, ".");
  const counts = `${column(report.runs)} runs  ${column(report.tasks)} tasks  ${column(Math.round(share * 100), 3)} %`;
  const recovered = report.recovered > 0 ? `  (${report.recovered} taken over)` : "";
  return `${name}  ${bar}  ${counts}${recovered}${isKilled ? "  killed" : ""}`;
}

/** Formats a number, right-aligned. */
export function column(value: number, width = 5): string {
  return String(value).padStart(width);
}
