import { nameShown } from "../../io/printable.ts";
import { METRIC_TITLES } from "../../metrics/metrics.ts";
import { definedMetrics, type Comparison } from "./comparison.ts";
import { conclusions, COSTS, intervalShown, percentShown, ranked } from "./words.ts";

const GAP = "  ";

/** The comparison as text: figures and costs of each method, what they say, and what failed. */
export function comparisonTable(comparison: Comparison): string {
  const failed = comparison.methods.flatMap(({ title, failures }) =>
    failures.map(({ seed, reason }) => `${title}${seed === null ? "" : `, seed ${seed}`} failed: ${reason}`),
  );
  const parts = [figureLines(comparison), costLines(comparison), [...conclusions(comparison), ...failed]];
  return parts
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join("\n"))
    .join("\n\n");
}

/** Two lines a method: its figures, and below them their intervals. */
function figureLines(comparison: Comparison): string[] {
  const { dataset, seeds, resamples, pixelError } = comparison;
  const metrics = definedMetrics(comparison);
  const rows = ranked(comparison, metrics[0]).flatMap(({ title, mean }) => {
    if (!mean) return [];
    const figures = metrics.map((name) => `${percentShown(mean[name].value)}${mean[name].best ? "*" : " "}`);
    const intervals = metrics.map((name) => `${intervalShown(mean[name].interval)} `);
    return [[title, ...figures], ...(resamples > 0 ? [["", ...intervals]] : [])];
  });
  const over = [
    ...(dataset.classes.length > 1 ? [`${dataset.classes.length} classes`] : []),
    ...(seeds.length > 1 ? [`${seeds.length} seeds`] : []),
  ];
  const means = over.length > 0 ? `, means of ${over.join(" and ")}` : "";
  return [
    ...aligned([["method", ...metrics.map((name) => `${METRIC_TITLES[name]} `)], ...rows]),
    `in percent${means}; * the best, and those that are level with it on these test images`,
    ...(resamples > 0 ? ["below each figure its 95 % bootstrap interval"] : []),
    ...(pixelError > 0 ? [`pixel metrics were streamed, and are at most ${pixelError.toExponential(1)} off`] : []),
    ...dataset.classes.flatMap(({ name, gap }) => (gap ? [`${nameShown(name)}: ${gap}`] : [])),
  ];
}

function costLines(comparison: Comparison): string[] {
  const rows = ranked(comparison, definedMetrics(comparison)[0]).flatMap(({ title, costs }) =>
    costs ? [[title, ...COSTS.map(({ valueOf, shown }) => shown(valueOf(costs)))]] : [],
  );
  return aligned([["method", ...COSTS.map(({ name }) => name)], ...rows]);
}

/** Lines of a table whose first column is aligned to the left, the others to the right. */
function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  const cell = (text: string, i: number): string => (i === 0 ? text.padEnd(widths[i]!) : text.padStart(widths[i]!));
  return rows.map((row) => row.map(cell).join(GAP).trimEnd());
}
