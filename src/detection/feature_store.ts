import { cast } from "../ops/cast.ts";
import type { Device } from "../runtime/device.ts";
import { ShapeError } from "../runtime/errors.ts";
import {
  bytesOf,
  countOf,
  empty,
  release,
  sameShape,
  type FloatDType,
  type Shape,
  type Tensor,
} from "../tensor/tensor.ts";

/** Storage for features beyond the device memory budget: records of equal size, such as a file. */
export interface Spill {
  /** Keeps a record. */
  readonly write: (index: number, record: Uint8Array) => Promise<void>;
  /** Gives back a record that was kept. */
  readonly read: (index: number) => Promise<Uint8Array>;
}

export interface FeatureStoreOptions {
  /** The storage dtype of features. f16 halves the memory for a rounding of 2^-11. */
  readonly dtype: FloatDType;
  /** Device memory to fill before the rest is spilled, bytes. */
  readonly budget: number;
  /** Default: none, and the budget does not count. */
  readonly spill?: Spill | null;
}

/** Storage of the training set's features. Channels that are small beside their mean would lose too much in f16. */
export const featureDType = ({ gpu }: Device, standardise: boolean): "f16" | "f32" =>
  gpu.features.has("shader-f16") && !standardise ? "f16" : "f32";

const CHUNK_BYTES = 1 << 26; // of a buffer that holds many images' features

/**
 * The features of a training set: each image goes through the backbone once, and batches are put together from what is
 * kept. Equal orders of additions and requests give equal bits, wherever a record lies.
 */
export class FeatureStore {
  readonly #device: Device;
  readonly #options: FeatureStoreOptions;
  readonly #chunks: Tensor[] = [];
  #shape: Shape = [];
  #count = 0;
  #resident = 0;

  constructor(device: Device, options: FeatureStoreOptions) {
    this.#device = device;
    this.#options = options;
  }

  /** The number of images whose features are stored. */
  get count(): number {
    return this.#count;
  }

  /** The number of those in device memory. */
  get resident(): number {
    return this.#resident;
  }

  /**
   * Keeps an image's features.
   * @param features `[1, H, W, C]`, f32; the same shape each time. They may be released afterwards
   * @returns their index
   * @throws ShapeError for another shape than the first one's
   */
  async add(features: Tensor): Promise<number> {
    if (this.#count === 0) this.#shape = features.shape.slice(1);
    if (!sameShape(features.shape, [1, ...this.#shape])) {
      throw new ShapeError(`features of [1,${this.#shape.join(",")}] are kept here, got [${features.shape.join(",")}]`);
    }
    const index = this.#count++;
    const { spill, budget } = this.#options;
    if (this.#resident === index && (!spill || (index + 1) * this.#recordBytes() <= budget)) this.#resident++;
    await this.#keep(index, features);
    return index;
  }

  /**
   * Puts what `change` makes of an image's features, `[1, H, W, C]`, in their place. Stored in f16, they are rounded
   * once more.
   */
  async replace(index: number, change: (features: Tensor) => Tensor): Promise<void> {
    const features = await this.batch([index]);
    const changed = this.#device.tidy(() => change(features));
    await this.#keep(index, changed);
    if (changed !== features) release(changed);
    release(features);
  }

  /**
   * Features of several images.
   * @returns `[B, H, W, C]`, f32, the caller's to release
   */
  async batch(indices: readonly number[]): Promise<Tensor> {
    const bytes = this.#recordBytes();
    const spilled = await Promise.all(
      indices.map(async (index) => (index < this.#resident ? null : this.#options.spill!.read(index))),
    );
    const stored = empty(this.#device, [indices.length, ...this.#shape], this.#dtype());
    indices.forEach((index, i) => {
      const record = spilled[i];
      if (record) return this.#device.write(stored.allocation.buffer, record, i * bytes);
      const { chunk, offset } = this.#place(index);
      this.#device.copy(chunk.allocation.buffer, offset, stored.allocation.buffer, i * bytes, bytes);
    });
    const batch = cast(stored, "f32");
    if (batch !== stored) release(stored);
    return batch;
  }

  /** Gives the device memory back. */
  release(): void {
    this.#chunks.splice(0).forEach(release);
  }

  async #keep(index: number, features: Tensor): Promise<void> {
    const stored = cast(features, this.#dtype());
    const bytes = this.#recordBytes();
    if (index < this.#resident) {
      const { chunk, offset } = this.#place(index);
      this.#device.copy(stored.allocation.buffer, 0, chunk.allocation.buffer, offset, bytes);
    } else {
      await this.#options.spill!.write(index, new Uint8Array(await this.#device.read(stored.allocation.buffer, bytes)));
    }
    if (stored !== features) release(stored);
  }

  /** f16 records of an odd number of elements would not begin where a copy may. */
  #dtype(): FloatDType {
    return countOf(this.#shape) % 2 === 1 ? "f32" : this.#options.dtype;
  }

  #recordBytes(): number {
    return bytesOf({ shape: this.#shape, dtype: this.#dtype() });
  }

  #place(index: number): { readonly chunk: Tensor; readonly offset: number } {
    const bytes = this.#recordBytes();
    const perChunk = Math.max(1, Math.floor(CHUNK_BYTES / bytes));
    const nth = Math.floor(index / perChunk);
    while (this.#chunks.length <= nth)
      this.#chunks.push(empty(this.#device, [perChunk, ...this.#shape], this.#dtype()));
    return { chunk: this.#chunks[nth]!, offset: (index % perChunk) * bytes };
  }
}
