import type { DecodedImage } from "../io/image.ts";
import type { Model, Scoring } from "../methods/method.ts";
import { tunePending } from "../runtime/tuner.ts";
import { CapturedWork } from "../tensor/captured.ts";
import { fromArray, release, type Tensor } from "../tensor/tensor.ts";
import type { FeatureExtractor } from "./features.ts";
import type { DetectorInput } from "./input.ts";
import { imageScores, readScores, type ImageScores, type ReadScores, type ScoringProblem } from "./scoring.ts";

const MOST_CAPTURED = 4; // batches of one size, the rest of them, and both where only a part of the images counts

const shapeOf = (images: number, regions: boolean): string => `${images} ${regions}`;

/**
 * Scores batches of images, or tiles, by a model and the backbone before it. Work on images is captured for each size of
 * a batch.
 */
export class BatchScorer {
  readonly #features: FeatureExtractor;
  readonly #model: Model;
  readonly #scoring: Scoring;
  readonly #size: number;
  readonly #isTiled: boolean;
  readonly #captured: CapturedWork<ImageScores>;
  readonly #prepared = new Map<string, Promise<void>>();

  constructor(
    features: FeatureExtractor,
    model: Model,
    { input, scoring }: { readonly input: DetectorInput; readonly scoring: Scoring },
  ) {
    [this.#features, this.#model, this.#scoring] = [features, model, scoring];
    [this.#size, this.#isTiled] = [input.size, input.tiles !== undefined];
    this.#captured = new CapturedWork(model.weights.device, MOST_CAPTURED);
  }

  /** Gives the storage of what was captured back. */
  release(): void {
    this.#captured.release();
  }

  /** Scores preprocessed images, `[N, size, size, 3]`, and leaves the results on the device. */
  score(pixels: Tensor): ImageScores {
    return this.#scoresOf(this.#features.extractFrom(pixels), null);
  }

  /**
   * Scores images as one batch.
   * @param counted `[N, size, size]`: 1 where a pixel counts; null if all do
   */
  async scoreImages(
    images: readonly DecodedImage[],
    counted: Float32Array | null,
  ): Promise<readonly (ReadScores | ScoringProblem)[]> {
    // from here on no scope is open, which would take back what is kept
    await this.prepare(images.length, { regions: counted !== null });
    const pixels = this.#features.maker.pixelsOf(images);
    const inputs = counted ? [pixels, this.#weightsOf(counted)] : [pixels];
    const scores = this.#captured.run(shapeOf(images.length, counted !== null), inputs, this.#work);
    const reads = readScores(scores);
    inputs.forEach(release);
    return reads;
  }

  /**
   * Scores features, before any standardising, as one batch.
   * @param counted as for `scoreImages`
   */
  async scoreFeatures(
    features: Tensor,
    counted: Float32Array | null,
  ): Promise<readonly (ReadScores | ScoringProblem)[]> {
    using _scope = features.device.scope();
    return readScores(this.#scoresOf(this.#features.standardise(features), counted && this.#weightsOf(counted)));
  }

  /** Compiles the kernels that a batch of this size needs, once. */
  async prepare(images: number, { regions }: { readonly regions: boolean }): Promise<void> {
    const shape = shapeOf(images, regions);
    const preparing = this.#prepared.get(shape) ?? this.#compile(images, regions);
    this.#prepared.set(shape, preparing);
    await preparing.catch((error: unknown) => {
      this.#prepared.delete(shape);
      throw error;
    });
  }

  async #compile(images: number, regions: boolean): Promise<void> {
    const { device } = this.#model.weights;
    const { maker } = this.#features;
    const { inputSize } = maker.preprocessing;
    const blank = { width: 8, height: 8, data: new Uint8Array(4 * 8 * 8) };
    const inputs = (regions ? [3, 1] : [3]).map(
      (channels) => ({ shape: [images, inputSize, inputSize, channels], dtype: "f32" }) as const,
    );
    const compile = (): Promise<void> => this.#captured.prepare(shapeOf(images, regions), inputs, this.#work);
    const resizing = device.prepare(() => device.tidy(() => maker.pixelsOf([blank], false)));
    await Promise.all([resizing, compile()]);
    if (await tunePending(device)) await compile(); // the forms that were found to be the fastest
  }

  /** The work that is captured. The maps that scores are made of are read where those of tiles become one. */
  readonly #work = ([pixels, counted]: readonly Tensor[]): ImageScores => {
    const scores = this.#scoresOf(this.#features.extractFrom(pixels!), counted ?? null);
    return this.#isTiled ? scores : { ...scores, scored: null };
  };

  #scoresOf(features: Tensor, counted: Tensor | null): ImageScores {
    return imageScores(this.#model.score(features), this.#scoring, this.#size, counted);
  }

  /** `[N, size, size]` -> `[N, size, size, 1]` */
  #weightsOf(counted: Float32Array): Tensor {
    const size = this.#size;
    return fromArray(this.#model.weights.device, [counted.length / size ** 2, size, size, 1], counted);
  }
}
