import { symmetricEigen } from "../../linalg/symmetric_eigen.ts";
import type { FeatureSource } from "../method.ts";
import { Covariance } from "../parts/covariance.ts";
import { ImageReader } from "../parts/image_reader.ts";

const ROUNDING = 1e-12; // of a sum of shares

/** Principal components of features, in float64. */
export interface Components {
  /** `[C]` */
  readonly mean: Float64Array;
  /** `[C]`: variance along each component, largest first. */
  readonly variances: Float64Array;
  /** `[C, C]`, row-major: row k is component k. */
  readonly vectors: Float64Array;
}

/** Reads the cells of images and computes their principal components. */
export class ComponentSearch {
  readonly #cells: Covariance;
  readonly #reader: ImageReader;

  /** @param images indices of those to read @param batch images that are read at a time */
  constructor(features: FeatureSource, images: readonly number[], batch: number, channels: number) {
    const cells = new Covariance(channels);
    this.#cells = cells;
    this.#reader = new ImageReader(features, images, batch, (values) => {
      for (let first = 0; first < values.length; first += channels) cells.add(values, first);
    });
  }

  /** Reads the first so many images, those that are not read yet. */
  readTo(images: number): Promise<void> {
    return this.#reader.upTo(images);
  }

  /** The components of the cells read so far. */
  components(): Components {
    const { mean, lowerTriangle } = this.#cells;
    const { values, vectors } = symmetricEigen(lowerTriangle, mean.length);
    return { mean, variances: values.map((value) => Math.max(value, 0)), vectors };
  }
}

/**
 * The fewest components that hold a share of the variance, at least one. Where nothing varies, as in a
 * dry run, all count alike, which takes the most.
 */
export function componentsFor(share: number, variances: Float64Array): number {
  const total = variances.reduce((sum, x) => sum + x, 0);
  const shares = total > 0 ? variances.map((x) => x / total) : variances.map(() => 1 / variances.length);
  let held = 0;
  for (const [k, part] of shares.entries()) {
    held += part;
    if (held >= share - ROUNDING) return k + 1;
  }
  return variances.length;
}

/** Indices of so many images, at most all, at equal distances. */
export const spreadOver = (count: number, wanted: number): readonly number[] => {
  const taken = Math.min(count, wanted);
  return Array.from({ length: taken }, (_, i) => Math.floor((i * count) / taken));
};
