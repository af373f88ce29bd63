import type { Metrics } from "../metrics/evaluate.ts";
import { messages } from "./messages.ts";

/** Says something to the user. Results go to standard output, everything else to standard error. */
export const say = (text: string): void => void messages.write(`${text}\n`);

export const print = (text: string): void => void process.stdout.write(`${text}\n`);

/** Prints a text in parts, none before the one before it is on its way. */
export async function printParts(parts: AsyncIterable<string>): Promise<void> {
  for await (const part of parts) await new Promise<void>((resolve) => process.stdout.write(part, () => resolve()));
}

/** "1.5 %". */
export const percentOf = (share: number): string => `${Number((100 * share).toPrecision(3))} %`;

const COLUMNS: readonly (readonly [key: keyof Metrics, title: string])[] = [
  ["imageAuroc", "image AUROC"],
  ["imageAp", "AP"],
  ["imageF1Max", "F1-max"],
  ["pixelAuroc", "pixel AUROC"],
  ["pixelAp", "AP"],
  ["pixelF1Max", "F1-max"],
  ["pixelAupro", "AUPRO"],
];

/** A table of metrics, a line a class and one for their mean, in percent. */
export function metricsTable(classes: Readonly<Record<string, Metrics>>, mean: Metrics): string {
  const rows = Object.entries(classes).map(([name, metrics]) => [name, metrics] as const);
  if (rows.length > 1) rows.push(["mean", mean]);
  const width = Math.max(5, ...rows.map(([name]) => name.length));
  const header = "class".padEnd(width) + COLUMNS.map(([, title]) => title.padStart(widthOf(title))).join("");
  const lines = rows.map(([name, metrics]) =>
    name.padEnd(width) + COLUMNS.map(([key, title]) => percent(metrics[key]).padStart(widthOf(title))).join(""),
  );
  return [header, ...lines].join("\n");
}

const percent = (fraction: number | null): string => (fraction === null ? "-" : (100 * fraction).toFixed(1));

const widthOf = (title: string): number => 3 + Math.max(5, title.length);
