/** The standard metrics, in display order. */
export const METRICS = [
  "imageAuroc",
  "imageAp",
  "imageF1Max",
  "pixelAuroc",
  "pixelAp",
  "pixelF1Max",
  "pixelAupro",
] as const;
/** Name of a metric. */
export type MetricName = (typeof METRICS)[number];

/** Column titles of the metrics, in that order. */
export const METRIC_TITLES: Readonly<Record<MetricName, string>> = {
  imageAuroc: "image AUROC",
  imageAp: "AP",
  imageF1Max: "F1-max",
  pixelAuroc: "pixel AUROC",
  pixelAp: "AP",
  pixelF1Max: "F1-max",
  pixelAupro: "AUPRO",
};

/** Fractions in [0, 1]; null if undefined: no defects, nothing good, no masks. */
export type Metrics = Readonly<Record<MetricName, number | null>>;

/** A record with one value for each metric. */
export const eachMetric = <T>(of: (name: MetricName) => T): Record<MetricName, T> =>
  Object.fromEntries(METRICS.map((name) => [name, of(name)])) as Record<MetricName, T>;

/** The mean of the values that are not null; null if there are none. */
export function meanOfDefined(values: readonly (number | null)[]): number | null {
  const defined = values.filter((value) => value !== null);
  return defined.length > 0 ? defined.reduce((sum, value) => sum + value, 0) / defined.length : null;
}

/** The mean of each metric over the classes in which it is defined. */
export const meanMetrics = (classes: readonly Metrics[]): Metrics =>
  eachMetric((name) => meanOfDefined(classes.map((metrics) => metrics[name])));
