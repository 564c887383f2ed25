import type { OutcomeChart } from "../overview_shape.ts";
import { type Html, markup } from "./html.ts";
import { grouped } from "./labels.ts";
import { clock, duration } from "./times.ts";

const HEIGHT = 110;

/** The least height of a bar, so that a few runs beside very many remain visible. */
const LEAST_HEIGHT = 2;

// Failures are at the base line, so that bars can be compared by them.
const STATES = ["failed", "cancelled", "completed"] as const;

/** Draws the number of runs that ended, as stacked bars. Positions are percentages, so that it fills the page's width. */
export function outcomeChart(id: string, title: string, chart: OutcomeChart): Html {
  const { since, bucketMs, completed, isEstimated } = chart;
  const totals = completed.map((_, at) => STATES.reduce((sum, state) => sum + chart[state][at]!, 0));
  const most = Math.max(1, ...totals);
  const width = Math.round(10_000 / totals.length) / 100;
  const ends = [since, since + bucketMs * totals.length / 2, since + bucketMs * totals.length];
  const words = sumWords(chart);
  return markup`
<figure class="outcomes" id="${id}" aria-labelledby="${id}-title">
<figcaption><h3 id="${id}-title">${title}</h3><p>${words}${
    isEstimated && markup` <span class="note">(estimated)</span>`
  }</p></figcaption>
<p class="most small" aria-hidden="true">${grouped(most)} in ${duration(bucketMs)}</p>
<svg width="100%" height="${HEIGHT}" role="img" aria-label="${title}: ${words}">
<line class="ground" x1="0" x2="100%" y1="${HEIGHT - 0.5}" y2="${HEIGHT - 0.5}"/>
${totals.map((total, at) => total > 0 && bar(chart, at, { left: round(100 * at / totals.length), width, most }))}
</svg>
<p class="ends small">${ends.map((at) => clock(at))}</p>
</figure>`;
}

interface Place {
  readonly left: number;
  readonly width: number;
  /** The number of runs of the highest bar. */
  readonly most: number;
}

function bar(chart: OutcomeChart, at: number, { left, width, most }: Place): Html {
  const from = chart.since + at * chart.bucketMs;
  let top = HEIGHT;
  const parts = STATES.map((state) => {
    const count = chart[state][at]!;
    if (count === 0) return undefined;
    const height = Math.min(top, Math.max(LEAST_HEIGHT, round((HEIGHT - 1) * count / most)));
    top -= height;
    return markup`<rect class="s-${state}" x="${left}%" width="${width}%" y="${round(top)}" height="${height}"/>`;
  });
  const counts = STATES.filter((state) => chart[state][at]! > 0).map((state) =>
    `${grouped(chart[state][at]!)} ${state}`
  );
  return markup`<g><title>${timeOf(from)}–${timeOf(from + chart.bucketMs)} UTC: ${
    counts.join(", ")
  }</title>${parts}</g>`;
}

function sumWords(chart: OutcomeChart): string {
  const sums = (["completed", "failed", "cancelled"] as const).map((state) => {
    const sum = chart[state].reduce((sum, count) => sum + count, 0);
    return state === "cancelled" && sum === 0 ? undefined : `${grouped(sum)} ${state}`;
  });
  return sums.filter((words) => words !== undefined).join(", ");
}

function timeOf(at: number): string {
  return new Date(at).toISOString().slice(11, 16);
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
