import { basename, join } from "node:path";
import type { Dataset, DatasetClass, Item } from "../data/dataset.ts";
import type { DecodedImage } from "../io/image.ts";
import { evaluate, meanMetrics, rankings, type Metrics, type Rankings, type Sample } from "../metrics/evaluate.ts";
import type { Detector } from "../models/detector.ts";
import { decodeMasks } from "../node/images.ts";
import { InputError } from "../runtime/errors.ts";
import { showProgress } from "./progress.ts";
import { readableImages } from "./train_run.ts";

/** One judged test image. */
export interface Judged extends Sample {
  readonly item: Item;
}

export interface EvaluatedClass {
  readonly data: DatasetClass;
  readonly judged: readonly Judged[];
  readonly rankings: Rankings;
  readonly metrics: Metrics;
}

export interface EvaluatedRun {
  readonly classes: readonly EvaluatedClass[];
  readonly mean: Metrics;
  readonly seconds: number;
}

/** What `eval --json` prints. */
export interface MetricsReport {
  readonly classes: Readonly<Record<string, Metrics>>;
  readonly mean: Metrics;
}

export const metricsReport = ({ classes, mean }: EvaluatedRun): MetricsReport => ({
  classes: Object.fromEntries(classes.map(({ data, metrics }) => [data.name, metrics])),
  mean,
});

const BATCH = 4;

/**
 * Judges a dataset's test images and measures how well.
 * @throws InputError if there are none
 */
export async function evaluateRun(detector: Detector, root: string, dataset: Dataset, strict: boolean): Promise<EvaluatedRun> {
  const total = dataset.classes.reduce((sum, { test }) => sum + test.length, 0);
  if (total === 0) throw new InputError(`${root} has no test images, read as ${dataset.layout.format}: ${dataset.layout.rule}`);
  const started = performance.now();
  const bar = showProgress("Evaluation", total);
  const classes: EvaluatedClass[] = [];
  let done = 0;
  try {
    for (const data of dataset.classes) {
      const judged: Judged[] = [];
      let batch: { readonly item: Item; readonly image: DecodedImage }[] = [];
      const flush = async () => {
        judged.push(...(await judge(detector, root, batch)));
        bar.update((done += batch.length));
        batch = [];
      };
      for await (const read of readableImages(data.test, ({ path }) => join(root, path), strict, () => bar.update(++done))) {
        batch.push(read);
        if (batch.length === BATCH) await flush();
      }
      if (batch.length > 0) await flush();
      const ranked = rankings(judged);
      classes.push({ data, judged, rankings: ranked, metrics: evaluate(judged, ranked) });
    }
  } finally {
    bar.end();
  }
  return { classes, mean: meanMetrics(classes.map(({ metrics }) => metrics)), seconds: (performance.now() - started) / 1000 };
}

async function judge(detector: Detector, root: string, batch: readonly { readonly item: Item; readonly image: DecodedImage }[]): Promise<Judged[]> {
  const inspections = await detector.inspect(batch.map(({ image }) => image));
  return Promise.all(
    inspections.map(async ({ score, map, size }, i) => {
      const { item } = batch[i]!;
      const masks = item.masks.map((path) => join(root, path));
      const mask = await decodeMasks(masks, size, size, (picture) => detector.placementOf(picture));
      return { item, defective: item.defective, score, map, mask, width: size, height: size };
    }),
  );
}

/** The name that a test image is shown under. */
export const shownName = ({ path }: Item): string => basename(path);
