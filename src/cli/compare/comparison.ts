import { basename, resolve } from "node:path";
import type { DatasetClass } from "../../data/dataset.ts";
import { intervalOf, LEVEL, meanResampled, type Interval, type Resampled } from "../../metrics/bootstrap.ts";
import {
  eachMetric,
  meanMetrics,
  meanOfDefined,
  METRICS,
  type MetricName,
  type Metrics,
} from "../../metrics/metrics.ts";
import { VERSION } from "../../runtime/version.ts";
import { optionsOf, type Contender } from "./contenders.ts";
import { unpackResampled, type Measured, type MeasuredMemory } from "./results.ts";

/** A metric of a method over its seeds: fractions, null where undefined. */
export interface Figure {
  /** The mean. */
  readonly value: number | null;
  /** Standard deviation over seeds; null for fewer than two. */
  readonly std: number | null;
  /** Confidence interval of the mean, by resampling the test images; null without resamples. */
  readonly interval: Interval | null;
  /** The value for each seed. */
  readonly seeds: readonly (number | null)[];
  /**
   * True for the largest value of all methods, and for those that the test images do not tell from it: the interval of
   * the difference, with both measured on the same resamples, reaches 0.
   */
  readonly best: boolean;
}

export type Figures = Readonly<Record<MetricName, Figure>>;

/** A training that failed; its reason may have met other seeds too, which are not tried then. */
export interface Failure {
  readonly method: string;
  /** Null where the method could not be trained with any. */
  readonly seed: number | null;
  readonly reason: string;
}

/** Costs of a method: medians over its seeds, of the rate the highest. */
export interface Costs {
  readonly seconds: { readonly features: number; readonly training: number; readonly evaluation: number };
  readonly imagesPerSecond: number;
  readonly memory: MeasuredMemory;
  readonly modelBytes: number;
}

/** A method's results. */
export interface ComparedMethod {
  readonly method: string;
  readonly title: string;
  readonly source: string;
  readonly suits: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** The run with the model of the first seed, relative to this comparison's folder; null if it failed. */
  readonly run: string | null;
  /** Seeds that were measured. */
  readonly seeds: readonly number[];
  readonly failures: readonly Pick<Failure, "seed" | "reason">[];
  /** By the name of the class; null, as the mean and the costs, if nothing was measured. */
  readonly classes: Readonly<Record<string, Figures>> | null;
  readonly mean: Figures | null;
  readonly costs: Costs | null;
}

/** The results of a comparison: the contents of `compare.json`. */
export interface Comparison {
  readonly format: "bigrid-comparison";
  readonly version: 1;
  /** Version of the program. */
  readonly bigrid: string;
  readonly created: string;
  readonly adapter: string;
  readonly dataset: {
    readonly name: string;
    readonly format: string;
    readonly classes: readonly {
      readonly name: string;
      readonly train: number;
      readonly good: number;
      readonly defective: number;
      /** The reason why some metrics are undefined. */
      readonly gap: string | null;
    }[];
    /** Images that could not be used. */
    readonly skipped: number;
  };
  readonly seeds: readonly number[];
  /** Level of the intervals, and the number of resamples that they are of. */
  readonly level: number;
  readonly resamples: number;
  /** The largest error of a pixel metric; 0 where all pixels were ranked. */
  readonly pixelError: number;
  readonly methods: readonly ComparedMethod[];
}

/** A method with its results by seed. */
export interface Entrant {
  readonly contender: Contender;
  readonly measured: ReadonlyMap<number, Measured>;
}

/** The material of a comparison, besides its results. */
export interface ComparisonSource {
  readonly root: string;
  readonly format: string;
  readonly classes: readonly DatasetClass[];
  readonly adapter: string;
  readonly seeds: readonly number[];
  readonly resamples: number;
  readonly failures: readonly Failure[];
  readonly runOf: (method: string) => string;
}

/** Puts the results of all methods together. */
export function compareResults(
  entrants: readonly Entrant[],
  { root, format, classes, adapter, seeds, resamples, failures, runOf }: ComparisonSource,
): Comparison {
  const all = entrants.flatMap(({ measured }) => [...measured.values()]);
  const rows = entrants.map(({ measured }) => rowsOf([...measured.values()]));
  const names = all[0]?.classes.map(({ name }) => name) ?? [];
  const figures = new Map(names.map((name) => [name, figuresOf(rows.map((own) => own?.classes.get(name) ?? null))]));
  const means = figuresOf(rows.map((own) => own?.mean ?? null));
  const used = all[0]?.classes.flatMap(({ images }) => images) ?? [];
  const listed = classes.reduce((sum, { test }) => sum + test.length, 0);
  return {
    format: "bigrid-comparison",
    version: 1,
    bigrid: VERSION,
    created: new Date().toISOString(),
    adapter,
    dataset: {
      name: basename(resolve(root)), // not where on this machine: the page is handed on
      format,
      classes: classes.map(({ name, train }) => {
        const own = all[0]?.classes.find((one) => one.name === name);
        const defective = own?.images.filter((image) => image.defective).length ?? 0;
        return {
          name,
          train: train.length,
          good: (own?.images.length ?? 0) - defective,
          defective,
          gap: own?.gap ?? null,
        };
      }),
      skipped: listed - used.length,
    },
    seeds,
    level: LEVEL,
    resamples,
    pixelError: Math.max(0, ...all.flatMap(({ classes }) => classes.map(({ error }) => error))),
    methods: entrants.map(({ contender, measured }, i): ComparedMethod => {
      const { name: method, title, source, suits } = contender.method;
      const results = [...measured.values()];
      const isMeasured = results.length > 0;
      return {
        method,
        title,
        source,
        suits,
        options: optionsOf(contender),
        run: measured.has(seeds[0]!) ? runOf(method) : null,
        seeds: [...measured.keys()],
        failures: failures.filter((one) => one.method === method).map(({ seed, reason }) => ({ seed, reason })),
        classes: isMeasured ? Object.fromEntries(names.map((name) => [name, figures.get(name)![i]!])) : null,
        mean: isMeasured ? means[i]! : null,
        costs: isMeasured ? costsOf(results) : null,
      };
    }),
  };
}

/** The figures of a method for a class, or for the mean of all: by seed, and their mean in each resample. */
interface Row {
  readonly seeds: readonly Metrics[];
  readonly resampled: Resampled | null;
  /** Identifies the images: resamples of the same ones can be compared. */
  readonly images: string;
}

/** The rows of a method's results over seeds; null if there are none. */
function rowsOf(
  results: readonly Measured[],
): { readonly classes: ReadonlyMap<string, Row>; readonly mean: Row } | null {
  const [first] = results;
  if (!first) return null;
  const rows = first.classes.map(({ name }, i): readonly [string, Row] => {
    const own = results.map(({ classes }) => classes[i]!);
    const lists = own.map(({ images }) => JSON.stringify(images.map(({ path, defective }) => [path, defective])));
    const encoded = own.flatMap(({ resampled }) => resampled ?? []);
    return [
      name,
      {
        seeds: own.map(({ metrics }) => metrics),
        resampled: encoded.length === own.length ? meanResampled(encoded.map(unpackResampled)) : null,
        images: [...new Set(lists)].join("\n"),
      },
    ];
  });
  const resampled = rows.flatMap(([, row]) => row.resampled ?? []);
  const mean: Row = {
    seeds: results.map(({ classes }) => meanMetrics(classes.map(({ metrics }) => metrics))),
    resampled: resampled.length === rows.length ? meanResampled(resampled) : null,
    images: rows.map(([, { images }]) => images).join(),
  };
  return { classes: new Map(rows), mean };
}

/** The figures of each method for one class, or for the mean of all; those of one without results are undefined. */
function figuresOf(rows: readonly (Row | null)[]): Figures[] {
  const values = rows.map((row) => (row ? meanMetrics(row.seeds) : null));
  const winners = eachMetric((name) => {
    const defined = values.flatMap((metrics, i) => (metrics && metrics[name] !== null ? [i] : []));
    return defined.length < 2 ? null : defined.reduce((a, b) => (values[b]![name]! > values[a]![name]! ? b : a));
  });
  return rows.map((row, i) =>
    eachMetric((name): Figure => {
      const seeds = row?.seeds.map((metrics) => metrics[name]) ?? [];
      const winner = winners[name];
      return {
        value: values[i]?.[name] ?? null,
        std: stdOf(seeds.filter((value) => value !== null)),
        interval: row?.resampled ? intervalOf(row.resampled[name].filter((value) => value !== null)) : null,
        seeds,
        best: winner !== null && row !== null && values[i]![name] !== null && isLevel(name, rows[winner]!, row),
      };
    }),
  );
}

/** True if the test images do not tell a row from the best one. */
function isLevel(name: MetricName, best: Row, row: Row): boolean {
  if (
    row === best ||
    meanOfDefined(best.seeds.map((one) => one[name])) === meanOfDefined(row.seeds.map((one) => one[name]))
  )
    return true;
  if (!best.resampled || !row.resampled || best.images !== row.images) return false;
  const other = row.resampled[name];
  const differences = best.resampled[name].flatMap((value, i) => {
    const own = other[i] ?? null;
    return value === null || own === null ? [] : [value - own];
  });
  const interval = intervalOf(differences);
  return interval !== null && interval[0] <= 0;
}

/** Standard deviation of a sample; null for fewer than two values. */
function stdOf(values: readonly number[]): number | null {
  if (values.length < 2) return null;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
}

function costsOf(results: readonly Measured[]): Costs {
  const over = (of: (one: Measured) => number): number => medianOf(results.map(of));
  return {
    seconds: {
      features: over(({ seconds }) => seconds.features),
      training: over(({ seconds }) => seconds.training),
      evaluation: over(({ seconds }) => seconds.evaluation),
    },
    imagesPerSecond: Math.max(...results.map(({ imagesPerSecond }) => imagesPerSecond)),
    memory: { training: over(({ memory }) => memory.training), inference: over(({ memory }) => memory.inference) },
    modelBytes: over(({ modelBytes }) => modelBytes),
  };
}

/** The middle one of some values, or the mean of the two in the middle. */
function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Metrics that at least one method has a value for. */
export const definedMetrics = ({ methods }: Comparison): readonly MetricName[] =>
  METRICS.filter((name) => methods.some(({ mean }) => mean && mean[name].value !== null));
