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
  return seconds < 6000 ? `${(seconds / 60).toFixed(1)} min` : `${(seconds / 3600).toFixed(1)} h`;
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
}

export const TRAINING: CostColumn = {
  group: "Time",
  title: "Training",
  name: "training time",
  isBetterHigh: false,
  valueOf: ({ seconds }) => seconds.features + seconds.training,
  shown: durationShown,
};
export const RATE: CostColumn = {
  group: "Time",
  title: "Images/s",
  name: "images a second",
  isBetterHigh: true,
  valueOf: ({ imagesPerSecond }) => imagesPerSecond,
  shown: rateShown,
};
const memory = (title: string, name: string, valueOf: CostColumn["valueOf"]): CostColumn => ({
  group: "Memory",
  title,
  name,
  isBetterHigh: false,
  valueOf,
  shown: bytesShown,
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

/** Sentences that the figures come to; none where nothing was measured. */
export function conclusions(comparison: Comparison): readonly string[] {
  const [image, pixel] = [verdictOn(comparison, "imageAuroc"), verdictOn(comparison, "pixelAp")];
  const costs = comparison.methods.flatMap(({ title, costs }) => (costs ? [{ title, costs }] : []));
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
  if (costs.length > 1) {
    const quickest = costs.reduce((a, b) => (TRAINING.valueOf(b.costs) < TRAINING.valueOf(a.costs) ? b : a));
    const fastest = costs.reduce((a, b) => (RATE.valueOf(b.costs) > RATE.valueOf(a.costs) ? b : a));
    const took = TRAINING.shown(TRAINING.valueOf(quickest.costs));
    const speed = RATE.shown(RATE.valueOf(fastest.costs));
    const inspects = quickest === fastest ? ", and inspects" : `; ${fastest.title} inspects`;
    sentences.push(`${quickest.title} is trained soonest, in ${took}${inspects} fastest, ${speed} images a second.`);
  }
  return sentences;
}

/** Methods with the largest value of the first metric first; those without results last. */
export function ranked({ methods }: Comparison, metric: MetricName | undefined): readonly ComparedMethod[] {
  const valueOf = ({ mean }: ComparedMethod): number => (mean && metric ? (mean[metric].value ?? -1) : -2);
  return [...methods].sort((a, b) => valueOf(b) - valueOf(a));
}
