import type { Entrant } from "../../src/cli/compare/comparison.ts";
import type { Contender } from "../../src/cli/compare/contenders.ts";
import { packResampled, type Measured, type MeasuredImage } from "../../src/cli/compare/results.ts";
import { TRAINING_OPTIONS } from "../../src/detection/training_options.ts";
import { eachMetric, type MetricName, type Metrics } from "../../src/metrics/metrics.ts";

/** A contender as far as a comparison shows it. */
export const contender = (name: string, title = name): Contender =>
  ({
    method: { name, title, source: `The paper of ${title}, 2024`, suits: `parts that ${title} likes` },
    options: {},
    settings: {
      ...Object.fromEntries(Object.entries(TRAINING_OPTIONS).map(([option, spec]) => [option, spec.default])),
      weights: null,
      options: { batch: 8 },
    },
  }) as unknown as Contender;

/** Every metric with the same value; pixel metrics null if `pixels` is false. */
export const metricsOf = (value: number, pixels = true): Metrics =>
  eachMetric((name) => (pixels || name.startsWith("image") ? value : null));

/** Resamples in which every metric has the same values. */
const resampled = (metrics: Metrics, deviations: readonly number[]) =>
  packResampled(
    eachMetric((name: MetricName) =>
      deviations.map((deviation) => (metrics[name] === null ? null : metrics[name] + deviation)),
    ),
  );

/** A model's made-up results. */
export interface MadeUp {
  /** Value of all metrics by class. */
  readonly values: Readonly<Record<string, number>>;
  /** Deviations of the resamples from these. */
  readonly deviations?: readonly number[];
  readonly pixels?: boolean;
  readonly images?: readonly MeasuredImage[];
  readonly seconds?: number;
}

export const measured = ({
  values,
  deviations = [-0.02, 0, 0.02],
  pixels = true,
  images = [],
  seconds = 1,
}: MadeUp): Measured => ({
  classes: Object.entries(values).map(([name, value]) => ({
    name,
    metrics: metricsOf(value, pixels),
    resampled: deviations.length > 0 ? resampled(metricsOf(value, pixels), deviations) : null,
    gap: pixels ? null : "no masks of its defects, so pixel metrics are undefined",
    error: 0,
    images,
  })),
  seconds: { features: 0.5, training: seconds, evaluation: 2 },
  imagesPerSecond: 10 / seconds,
  memory: { training: 2e6, inference: 1e6 },
  modelBytes: 5e5,
  model: "0".repeat(64),
});

/** A method with results by seed, from 0 on. */
export const entrant = (name: string, results: readonly MadeUp[], title?: string): Entrant => ({
  contender: contender(name, title),
  measured: new Map(results.map((one, seed) => [seed, measured(one)])),
});
