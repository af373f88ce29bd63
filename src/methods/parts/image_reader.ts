import { release, toArray } from "../../tensor/tensor.ts";
import type { FeatureSource } from "../method.ts";

/** Reads features of images onto the host, in order, each image once. */
export class ImageReader {
  readonly #features: FeatureSource;
  readonly #images: readonly number[];
  readonly #batch: number;
  readonly #add: (values: Float32Array) => void;
  #read = 0;

  /**
   * @param images indices of those to read
   * @param batch images that are read at a time
   * @param add takes the features of an image, `[H, W, C]`
   */
  constructor(features: FeatureSource, images: readonly number[], batch: number, add: (values: Float32Array) => void) {
    [this.#features, this.#images, this.#batch, this.#add] = [features, images, batch, add];
  }

  /** Reads the first so many images, those that are not read yet. */
  async upTo(images: number): Promise<void> {
    const last = Math.min(images, this.#images.length);
    while (this.#read < last) {
      const chosen = this.#images.slice(this.#read, Math.min(this.#read + this.#batch, last));
      const batch = await this.#features.batch(chosen);
      const values = await toArray(batch);
      release(batch);
      const each = values.length / chosen.length;
      for (let i = 0; i < chosen.length; i++) this.#add(values.subarray(i * each, (i + 1) * each));
      this.#read += chosen.length;
    }
  }
}
