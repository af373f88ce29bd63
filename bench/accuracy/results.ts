import { readFile } from "node:fs/promises";
import { METRIC_TITLES, METRICS, type Metrics } from "../../src/metrics/metrics.ts";
import { writeFileAtomic } from "../../src/node/files/files.ts";

/** Result of one training and its evaluation, or of the baseline. */
export interface Result {
  readonly dataset: string;
  readonly backbone: string;
  /** Name of a training's options, or of a search without a model (`choices.json`). */
  readonly choice: string;
  /** Seed of all random numbers; null if nothing is random. */
  readonly seed: number | null;
  /** Other training options, and the trainer. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly images: { readonly train: number; readonly test: number };
  readonly metrics: Metrics;
  /** Image AUROC of the map's plain maximum. */
  readonly peakAuroc: number | null;
  /** At the model's own threshold; absent for searches without one. */
  readonly atThreshold?: AtThreshold;
  readonly seconds: number;
  readonly adapter: string;
  readonly commit: string;
}

/** The verdicts on test images at a threshold. */
export interface AtThreshold {
  /** Share of the good images that it rejects. */
  readonly falseReject: number;
  /** Share of the defective ones that it finds. */
  readonly recall: number;
}

/** The key of a result: one with the same need not be measured again. */
type Key = Pick<Result, "dataset" | "backbone" | "choice" | "seed" | "options">;

const COLUMNS: readonly (readonly [title: string, figureOf: (result: Result) => number | null])[] = [
  ...METRICS.map((name) => [METRIC_TITLES[name], ({ metrics }: Result) => metrics[name]] as const),
  ["image AUROC by peak", ({ peakAuroc }) => peakAuroc],
  ["rejected at the threshold", ({ atThreshold }) => atThreshold?.falseReject ?? null],
  ["recall there", ({ atThreshold }) => atThreshold?.recall ?? null],
];
const SEEN = ["inputSize", "resize", "padding"]; // options that change what is compared: the images themselves
export const BEGIN = "<!-- accuracy: written by npm run accuracy -->";
export const END = "<!-- end of accuracy -->";

/** Options of a result that change the images themselves, as words. */
export const seenOf = ({ options }: Pick<Result, "options">): string =>
  SEEN.filter((name) => options[name] !== undefined && options[name] !== null)
    .map((name) => `${name} ${String(options[name])}`)
    .join(", ");

/** The place of a result in the tables: measured again with other defaults, it is replaced. */
const placeOf = ({ dataset, backbone, choice, seed, options }: Key): string =>
  JSON.stringify([dataset, backbone, choice, seed, ...SEEN.map((name) => options[name] ?? null)]);

const keyOf = ({ dataset, backbone, choice, seed, options }: Key): string =>
  JSON.stringify([dataset, backbone, choice, seed, options]);

export const holds = (results: readonly Result[], key: Key): boolean =>
  results.some((result) => keyOf(result) === keyOf(key));

/** The results in a file; none if there is no file. */
export async function readResults(path: string): Promise<Result[]> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "[]";
    throw error;
  });
  return JSON.parse(text) as Result[];
}

/** Adds a result to a file, which is read again first: other processes may have added theirs. */
export async function addResult(path: string, result: Result): Promise<Result[]> {
  const results = [...(await readResults(path)).filter((other) => placeOf(other) !== placeOf(result)), result];
  await writeFileAtomic(path, `[\n${results.map((each) => JSON.stringify(each)).join(",\n")}\n]\n`);
  return results;
}

/**
 * Tables in Markdown, one for each dataset, backbone and way of seeing the images: one line per choice, in percent, with
 * the spread over seeds.
 */
export function resultTables(results: readonly Result[]): string {
  const groups = new Map<string, Result[]>();
  for (const result of results) {
    const key = JSON.stringify([result.dataset, result.backbone, ...SEEN.map((name) => result.options[name] ?? null)]);
    groups.set(key, [...(groups.get(key) ?? []), result]);
  }
  return [...groups.values()].map((group) => table(group)).join("\n\n");
}

function table(results: readonly Result[]): string {
  const [first] = results as [Result];
  const { dataset, backbone, images, adapter } = first;
  const commits = [...new Set(results.map(({ commit }) => commit))].join(", ");
  const title = `**${dataset}**, ${backbone}: ${images.train} good images, ${images.test} test images; ${[seenOf(first), adapter, `commit ${commits}`].filter((words) => words !== "").join(", ")}.`;
  const header = ["", "seeds", ...COLUMNS.map(([title]) => title), "minutes"];
  const lines = [...new Set(results.map(({ choice }) => choice))].map((choice) => {
    const own = results.filter((result) => result.choice === choice);
    const seeds = own.filter(({ seed }) => seed !== null).length;
    const values = COLUMNS.map(([, figureOf]) => percentages(own.map(figureOf)));
    const minutes = own.reduce((sum, { seconds }) => sum + seconds, 0) / own.length / 60;
    return [choice, seeds > 0 ? String(seeds) : "-", ...values, minutes.toFixed(1)];
  });
  const row = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [title, "", row(header), row(header.map(() => "---")), ...lines.map(row)].join("\n");
}

/** Mean and standard deviation in percent; of a single value, the value. */
function percentages(values: readonly (number | null)[]): string {
  const known = values.filter((value) => value !== null);
  if (known.length === 0) return "-";
  const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
  const percent = (fraction: number): string => (100 * fraction).toFixed(1);
  if (known.length === 1) return percent(mean);
  const variance = known.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (known.length - 1);
  return `${percent(mean)} ± ${percent(Math.sqrt(variance))}`;
}

/** A document with the tables between its two marks replaced. */
export function withTables(document: string, tables: string): string {
  const [begin, end] = [document.indexOf(BEGIN), document.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`expected the marks ${BEGIN} and ${END} in the document`);
  return `${document.slice(0, begin + BEGIN.length)}\n\n${tables}\n\n${document.slice(end)}`;
}
