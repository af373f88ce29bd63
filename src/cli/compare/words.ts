import type { Interval } from "../../metrics/bootstrap.ts";
import { METRIC_TITLES, type MetricName } from "../../metrics/metrics.ts";
import { MEGABYTE } from "../terminal/say.ts";
import type { Comparison, ComparedMethod, Costs, Figure } from "./comparison.ts";

/** A fraction in percent, "98.1"; a hyphen where it is undefined. */
export const percentShown = (fraction: number | null): string =>
  fraction === null ? "-" : (100 * fraction).toFixed(1);

/** "95.0-99.1"; nothing where there is none. */
export const intervalShown = (interval: Interval | null): string => interval?.map(percentShown).join("-") ?? "";

/** "0.42 s", "42 s", "4.2 min". */
export function durationShown(seconds: number): string {
  if (seconds < 100) return `${Number(seconds.toPrecision(2))} s`;
  const [minutes, hours] = [60, 3600].map((unit) => Number((seconds / unit).toFixed(1))) as [number, number];
  return seconds < 6000 ? `${minutes} min` : `${hours} h`;
}

/** "2.1 MB". */
export const bytesShown = (bytes: number): string => {
  const megabytes = bytes / MEGABYTE;
  if (megabytes < 1) return `${Math.ceil(1000 * megabytes)} kB`;
  return megabytes < 1000 ? `${Number(megabytes.toPrecision(2))} MB` : `${(megabytes / 1000).toFixed(1)} GB`;
};

/** Two digits at least, such as "0.42", "31", "1240". */
export const rateShown = (rate: number): string => String(rate < 100 ? Number(rate.toPrecision(2)) : Math.round(rate));

/** A metric's full name: "image AP". */
export const metricName = (name: MetricName): string => {
  const title = METRIC_TITLES[name];
  if (title.includes(" ")) return title;
  return `${name.startsWith("image") ? "image" : "pixel"} ${title}`;
};

/** A column of costs. */
export interface CostColumn {
  /** Heading of its group, and its own below that. */
  readonly group: "Time" | "Memory";
  readonly title: string;
  readonly name: string;
  readonly isBetterHigh: boolean;
  readonly valueOf: (costs: Costs) => number;
  readonly shown: (value: number) => string;
  /** Round values for an axis, coarse choices first. */
  readonly round: readonly (readonly number[])[];
}

const DECADES = Array.from({ length: 21 }, (_, i) => 10 ** (i - 6));
const roundNumbers = [[1], [1, 3], [1, 2, 5], [1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9]].map((factors) =>
  DECADES.flatMap((decade) => factors.map((factor) => factor * decade)),
);
/** Seconds that are round in seconds, minutes or hours. */
const roundTimes = [
  [0.01, 0.1, 1, 10, 60, 600, 3600, 36_000],
  [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 60, 180, 600, 1800, 3600, 10_800, 36_000],
  [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 18_000, 36_000],
  [0.5, 0.7, 1, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 25, 30, 40, 50, 60, 90, 120, 180, 240, 300, 420, 600, 900, 1200],
];

export const TRAINING: CostColumn = {
  group: "Time",
  title: "Training",
  name: "training time",
  isBetterHigh: false,
  valueOf: ({ seconds }) => seconds.features + seconds.training,
  shown: durationShown,
  round: roundTimes,
};
export const RATE: CostColumn = {
  group: "Time",
  title: "Images/s",
  name: "images a second",
  isBetterHigh: true,
  valueOf: ({ imagesPerSecond }) => imagesPerSecond,
  shown: rateShown,
  round: roundNumbers,
};
const memory = (title: string, name: string, valueOf: CostColumn["valueOf"]): CostColumn => ({
  group: "Memory",
  title,
  name,
  isBetterHigh: false,
  valueOf,
  shown: bytesShown,
  round: roundNumbers,
});

/** The cost columns, in display order. */
export const COSTS: readonly CostColumn[] = [
  TRAINING,
  RATE,
  memory("Train", "memory to train", (costs) => costs.memory.training),
  memory("Inspect", "memory to inspect", (costs) => costs.memory.inference),
  memory("Model", "size of the model", (costs) => costs.modelBytes),
];

/** "PaDiM", "PaDiM and GRAD", "PaDiM, GRAD and DFR". */
export const listed = (words: readonly string[]): string =>
  words.length < 2 ? (words[0] ?? "") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)!}`;

/** The method that a metric calls best, and those that are level with it; null where the metric is undefined. */
function verdictOn(
  { methods }: Comparison,
  name: MetricName,
): { readonly best: string; readonly figure: Figure; readonly level: string } | null {
  const figures = methods.flatMap(({ title, mean }) =>
    mean && mean[name].value !== null ? [[title, mean[name]] as const] : [],
  );
  const [first, ...others] = figures.sort(([, a], [, b]) => b.value! - a.value!);
  if (!first) return null;
  const level = others.filter(([, { best }]) => best).map(([title]) => title);
  const words = `; ${listed(level)} ${level.length === 1 ? "is" : "are"} level with it on these images`;
  return { best: first[0], figure: first[1], level: level.length === 0 ? "" : words };
}

/** Sentences that the figures come to; none of a single method. */
export function conclusions(comparison: Comparison): readonly string[] {
  const [image, pixel] = [verdictOn(comparison, "imageAuroc"), verdictOn(comparison, "pixelAp")];
  const costs = comparison.methods.flatMap(({ title, costs }) => (costs ? [{ title, costs }] : []));
  if (costs.length < 2) return [];
  const sentences: string[] = [];
  const value = ({ figure }: { readonly figure: Figure }): string => percentShown(figure.value);
  if (image)
    sentences.push(
      `${image.best} tells defective images from good ones best, with an image AUROC of ${value(image)} %${image.level}.`,
    );
  if (pixel)
    sentences.push(
      `${pixel.best} finds best where the defects are, with a pixel AP of ${value(pixel)} %${pixel.level}.`,
    );
  const quickest = costs.reduce((a, b) => (TRAINING.valueOf(b.costs) < TRAINING.valueOf(a.costs) ? b : a));
  const fastest = costs.reduce((a, b) => (RATE.valueOf(b.costs) > RATE.valueOf(a.costs) ? b : a));
  const took = TRAINING.shown(TRAINING.valueOf(quickest.costs));
  const speed = RATE.shown(RATE.valueOf(fastest.costs));
  const inspects = quickest === fastest ? ", and inspects" : `; ${fastest.title} inspects`;
  sentences.push(`${quickest.title} is trained soonest, in ${took}${inspects} fastest, ${speed} images a second.`);
  return sentences;
}

/** Methods with the largest value of the first metric first; those without results last. */
export function ranked({ methods }: Comparison, metric: MetricName | undefined): readonly ComparedMethod[] {
  const valueOf = ({ mean }: ComparedMethod): number => (mean && metric ? (mean[metric].value ?? -1) : -2);
  return [...methods].sort((a, b) => valueOf(b) - valueOf(a));
}
