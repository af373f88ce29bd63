import { join } from "node:path";
import type { Dataset, Item } from "../data/dataset.ts";
import { requireUsable, type DecodedImage } from "../io/image.ts";
import { Detector, type TrainingImage, type TrainOptions, type TrainProgress } from "../models/detector.ts";
import { saveDetector } from "../node/detector_file.ts";
import { writeFileAtomic } from "../node/files.ts";
import { decodeImages } from "../node/images.ts";
import { SpillFile } from "../node/spill.ts";
import type { Device } from "../runtime/device.ts";
import { InputError } from "../runtime/errors.ts";
import { say } from "./output.ts";
import { showProgress, type Progress } from "./progress.ts";

/** Losses of one training stage, as they were read back. */
export interface LossCurve {
  readonly stage: string;
  readonly steps: number[];
  readonly values: number[];
}

export interface TrainedRun {
  readonly detector: Detector;
  readonly modelPath: string;
  readonly losses: readonly LossCurve[];
  readonly seconds: number;
}

const STAGE_TITLES = { abnormal: "Stage 1, abnormal grid", normal: "Stage 2, both grids" };

/**
 * Trains a detector on a dataset's good images and writes `model.safetensors` and `train.jsonl` into the run's folder.
 * @param strict whether an image that cannot be read ends everything, instead of being skipped, named and counted
 */
export async function trainRun(device: Device, root: string, dataset: Dataset, run: string, options: TrainOptions, strict: boolean): Promise<TrainedRun> {
  const items = dataset.classes.flatMap(({ name, train }) => train.map((item) => ({ item, className: name })));
  const started = performance.now();
  const losses: LossCurve[] = [];
  const reporter = new TrainReporter(items.length, losses);
  const spill = new SpillFile(join(run, "features.part"));
  let detector: Detector;
  try {
    detector = await Detector.train(device, goodImages(root, items, strict), { ...options, spill }, (progress) => reporter.report(progress));
  } finally {
    reporter.end();
    await spill.close();
  }
  const seconds = (performance.now() - started) / 1000;
  const lines = losses.flatMap(({ stage, steps, values }) => steps.map((step, i) => JSON.stringify({ stage, step, loss: values[i] })));
  await writeFileAtomic(join(run, "train.jsonl"), `${lines.join("\n")}\n`);
  return { detector, modelPath: await saveDetector(detector, run, options.checkpoint?.source), losses, seconds };
}

/**
 * Decodes images in order, leaving out those that cannot be read or are too small; says which and how many.
 * @throws InputError at the first such image if `strict`
 */
export async function* readableImages<T>(
  items: readonly T[],
  pathOf: (item: T) => string,
  strict: boolean,
  onSkip: (item: T, error: Error) => void = () => undefined,
): AsyncGenerator<{ readonly item: T; readonly image: DecodedImage }> {
  let skipped = 0;
  for await (const outcome of decodeImages(items, pathOf)) {
    try {
      if ("error" in outcome) throw outcome.error;
      requireUsable(outcome.image, pathOf(outcome.item));
      yield outcome;
    } catch (error) {
      if (!(error instanceof InputError) || strict) throw error;
      skipped++;
      onSkip(outcome.item, error);
      say(`skipped: ${error.message}`);
    }
  }
  if (skipped > 0) say(`skipped ${skipped} of ${items.length} images that cannot be used (--strict makes this an error)`);
}

async function* goodImages(root: string, items: readonly { readonly item: Item; readonly className: string }[], strict: boolean): AsyncGenerator<TrainingImage> {
  for await (const { item, image } of readableImages(items, ({ item }) => join(root, item.path), strict)) yield { className: item.className, image };
}

/** Turns progress into bars, one after another, and gathers the losses. */
class TrainReporter {
  readonly #images: number;
  readonly #losses: LossCurve[];
  #phase = "";
  #bar: Progress | null = null;

  constructor(images: number, losses: LossCurve[]) {
    this.#images = images;
    this.#losses = losses;
  }

  report(progress: TrainProgress): void {
    switch (progress.phase) {
      case "features":
        this.#at("Features", this.#images).update(progress.done);
        break;
      case "fit": {
        const { stage, step, steps, loss } = progress;
        const bar = this.#at(STAGE_TITLES[stage], steps);
        if (loss !== null) {
          if (this.#losses.at(-1)?.stage !== stage) this.#losses.push({ stage, steps: [], values: [] });
          this.#losses.at(-1)!.steps.push(step);
          this.#losses.at(-1)!.values.push(loss);
        }
        bar.update(step, loss === null ? undefined : `| loss ${loss.toPrecision(3)}`);
        break;
      }
      case "calibrate":
        this.#at("Calibration", progress.total).update(progress.done);
    }
  }

  end(): void {
    this.#bar?.end();
    this.#bar = null;
  }

  #at(title: string, total: number): Progress {
    if (title !== this.#phase || !this.#bar) {
      this.end();
      this.#phase = title;
      this.#bar = showProgress(title, total);
    }
    return this.#bar;
  }
}
