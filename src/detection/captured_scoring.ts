import type { DecodedImage } from "../io/image.ts";
import type { Device } from "../runtime/device.ts";
import { tunePending } from "../runtime/tuner.ts";
import { CapturedWork } from "../tensor/captured.ts";
import { fromArray, release, type Tensor } from "../tensor/tensor.ts";
import type { FeatureExtractor } from "./features.ts";
import { readScores, type ImageScores, type ReadScores, type ScoringProblem } from "./scoring.ts";

const MOST_CAPTURED = 4; // batches of one size, the rest of them, and both where only a part of the images counts

const shapeOf = (images: number, regions: boolean): string => `${images} ${regions}`;

/** Scores batches of images by work that is captured for each size of a batch. */
export class CapturedScoring {
  readonly #device: Device;
  readonly #features: FeatureExtractor;
  readonly #captured: CapturedWork<ImageScores>;
  readonly #prepared = new Map<string, Promise<void>>();
  readonly #work: (inputs: readonly Tensor[]) => ImageScores;

  /**
   * @param score scores `[N, H, W, C]`; its second argument, `[N, size, size, 1]`, is 1 where a pixel counts, null where
   * all do
   * @param keepsScored true if the maps that scores are made of are read too
   */
  constructor(
    device: Device,
    features: FeatureExtractor,
    score: (features: Tensor, counted: Tensor | null) => ImageScores,
    keepsScored: boolean,
  ) {
    [this.#device, this.#features] = [device, features];
    this.#captured = new CapturedWork(device, MOST_CAPTURED);
    this.#work = ([pixels, counted]) => {
      const scores = score(features.extractFrom(pixels!), counted ?? null);
      return keepsScored ? scores : { ...scores, scored: null };
    };
  }

  /** Gives its storage back. */
  release(): void {
    this.#captured.release();
  }

  /**
   * Scores images as one batch.
   * @param counted `[N, size, size]`: 1 where a pixel counts; null if all do
   */
  async scoresOf(
    images: readonly DecodedImage[],
    counted: Float32Array | null,
  ): Promise<readonly (ReadScores | ScoringProblem)[]> {
    // from here on no scope is open, which would take back what is kept
    await this.prepare(images.length, { regions: counted !== null });
    const pixels = this.#features.maker.pixelsOf(images);
    const weights = counted && fromArray(this.#device, [...pixels.shape.slice(0, 3), 1], counted);
    const inputs = weights ? [pixels, weights] : [pixels];
    const scores = this.#captured.run(shapeOf(images.length, weights !== null), inputs, this.#work);
    const reads = readScores(scores);
    inputs.forEach(release);
    return reads;
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
    const device = this.#device;
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
}
