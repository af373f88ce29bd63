import { TooLargeError } from "../../runtime/errors.ts";
import type { FeatureSource, Fit, FitInput, StagePlan } from "../method.ts";
import { ImageReader } from "../parts/image_reader.ts";
import { StagedFit } from "../parts/staged_fit.ts";
import type { PadimConfig } from "./config.ts";
import { gaussiansFor, type CellGaussians } from "./gaussians.ts";
import { PadimModel } from "./model.ts";
import type { PadimSettings } from "./options.ts";

const CELLS_A_STEP = 64; // whose Gaussians a step computes

/** The stages of a fit to so many images. */
export const planOf = (
  { height, width }: PadimConfig,
  { batch }: Pick<PadimSettings, "batch">,
  images: number,
): readonly [cells: StagePlan, gaussians: StagePlan] => [
  { stage: "cells", steps: Math.ceil(images / batch) },
  { stage: "gaussians", steps: Math.ceil((height * width) / CELLS_A_STEP) },
];

/**
 * Fits a Gaussian to each cell: first the cells of all images are read, then the Gaussians are computed in float64. The
 * model is usable at any time; cells whose Gaussian is not computed yet keep the one that they began with. A state
 * keeps no cells: a fit that is resumed reads them again.
 * @see Defard et al., "PaDiM: a patch distribution modeling framework", 2020
 */
export class PadimFit extends StagedFit implements Fit {
  readonly model: PadimModel;

  /** @throws TooLargeError where the factors of all cells are more than a dispatch can see */
  constructor(config: PadimConfig, { batch }: PadimSettings, { weights, features }: FitInput) {
    requireSeen(config, features.count, weights.device.maxBindingBytes);
    const model = new PadimModel(weights, config);
    const fitting = new GaussianFitting(model, config, features, batch);
    const [cells, gaussians] = planOf(config, { batch }, features.count);
    super(
      "padim",
      [
        {
          ...cells,
          title: "Stage 1, cells of good images",
          take: async (step) => void (await fitting.read((step + 1) * batch)),
        },
        { ...gaussians, title: "Stage 2, Gaussians", take: (step) => fitting.fit(step * CELLS_A_STEP) },
      ],
      () => fitting.release(),
    );
    this.model = model;
  }
}

/** The cells of images that are read, and the Gaussians that are made of them. */
class GaussianFitting {
  readonly #model: PadimModel;
  readonly #config: PadimConfig;
  readonly #features: FeatureSource;
  readonly #batch: number;
  #read: { readonly reader: ImageReader; readonly gaussians: CellGaussians } | null = null;

  constructor(model: PadimModel, config: PadimConfig, features: FeatureSource, batch: number) {
    [this.#model, this.#config, this.#features, this.#batch] = [model, config, features, batch];
  }

  /** Adds the first so many images, those that are not added yet. */
  async read(images: number): Promise<CellGaussians> {
    const { reader, gaussians } = (this.#read ??= this.#begun());
    await reader.upTo(images);
    return gaussians;
  }

  /** Computes the Gaussians of some cells, from one on, and writes them into the model. */
  async fit(first: number): Promise<void> {
    const { height, width, channels, rows } = this.#config;
    const gaussians = await this.read(this.#features.count);
    const count = Math.min(CELLS_A_STEP, height * width - first);
    const [means, factors] = [new Float32Array(count * channels), new Float32Array(count * channels * rows)];
    for (let i = 0; i < count; i++) {
      const { mean, factor } = gaussians.of(first + i);
      means.set(mean, i * channels);
      for (let c = 0; c < channels; c++)
        for (let row = 0; row < rows; row++) factors[(i * channels + c) * rows + row] = factor[row * channels + c]!;
    }
    const { mean, factor } = this.#model;
    mean.device.write(mean.allocation.buffer, means, 4 * first * channels);
    factor.device.write(factor.allocation.buffer, factors, 4 * first * channels * rows);
  }

  release(): void {
    this.#read = null;
  }

  #begun() {
    const { count } = this.#features;
    const gaussians = gaussiansFor(this.#config, count);
    const all = Array.from({ length: count }, (_, i) => i);
    return { gaussians, reader: new ImageReader(this.#features, all, this.#batch, (cells) => gaussians.add(cells)) };
  }
}

/** @throws TooLargeError where the factors of all cells, for so many images, are more than a dispatch can see */
function requireSeen({ height, width, channels, rows }: PadimConfig, images: number, most: number): void {
  const cells = height * width;
  const bytes = 4 * cells * channels * rows;
  if (bytes <= most) return;
  const numbers = most / (4 * cells);
  const dimensions = Math.floor(numbers >= images ** 2 ? numbers / images : Math.sqrt(numbers));
  throw new TooLargeError(
    `padim: the Gaussians of ${height} x ${width} cells of ${channels} dimensions take ${bytes} bytes, more than the ${most} bytes that a dispatch can see on this device; set dimensions to ${dimensions} at most`,
  );
}
