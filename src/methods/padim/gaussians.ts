import { cholesky, solveLower } from "../../linalg/cholesky.ts";
import { Covariance } from "../parts/covariance.ts";
import { isWhitening, type PadimConfig } from "./config.ts";

/** The Gaussian of a cell, in float64. */
export interface Gaussian {
  /** `[C]` */
  readonly mean: Float64Array;
  /** `[rows, C]`: F of `PadimModel`. */
  readonly factor: Float64Array;
}

/** The Gaussians of all cells over images that are added, in order. */
export interface CellGaussians {
  /** Adds an image. @param cells `[H * W, C]` */
  readonly add: (cells: Float32Array) => void;
  /** The Gaussian of a cell over all images added. */
  readonly of: (cell: number) => Gaussian;
}

/** Gaussians in the form of a configuration. @param images that will be added */
export const gaussiansFor = (config: PadimConfig, images: number): CellGaussians =>
  isWhitening(config) ? new AccumulatedCells(config) : new SampledCells(config, images);

/**
 * Gaussians of no fewer images than dimensions, from sums of products: S = covariance + epsilon I = L L', and F = 1 / L,
 * so that |F x|^2 = x' / S x.
 */
class AccumulatedCells implements CellGaussians {
  readonly #config: PadimConfig;
  readonly #cells: readonly Covariance[];

  constructor(config: PadimConfig) {
    this.#config = config;
    const { height, width, channels } = config;
    this.#cells = Array.from({ length: height * width }, () => new Covariance(channels));
  }

  add(cells: Float32Array): void {
    this.#cells.forEach((cell, i) => cell.add(cells, i * this.#config.channels));
  }

  of(cell: number): Gaussian {
    const { channels, epsilon } = this.#config;
    const { mean, lowerTriangle: covariance } = this.#cells[cell]!;
    const factor = new Float64Array(channels * channels);
    for (let i = 0; i < channels; i++) {
      covariance[i * (channels + 1)]! += epsilon;
      factor[i * (channels + 1)] = 1;
    }
    solveLower(cholesky(covariance, channels), channels, factor, channels);
    return { mean, factor };
  }
}

/**
 * Gaussians of fewer images than dimensions, by Woodbury's identity. With X the centred images `[n, C]` and K =
 * epsilon (n - 1) I + X X' = L L', F = 1 / L X: x' / S x = (|x|^2 - |F x|^2) / epsilon.
 */
class SampledCells implements CellGaussians {
  readonly #config: PadimConfig;
  readonly #images: number;
  /** `[H * W, images, C]` */
  readonly #cells: Float32Array;
  #added = 0;

  constructor(config: PadimConfig, images: number) {
    [this.#config, this.#images] = [config, images];
    this.#cells = new Float32Array(config.height * config.width * images * config.channels);
  }

  add(cells: Float32Array): void {
    const { channels } = this.#config;
    for (let first = 0; first < cells.length; first += channels)
      this.#cells.set(cells.subarray(first, first + channels), first * this.#images + this.#added * channels);
    this.#added++;
  }

  of(cell: number): Gaussian {
    const { channels, epsilon } = this.#config;
    const count = this.#images;
    const centred = new Float64Array(this.#cells.subarray(cell * count * channels, (cell + 1) * count * channels));
    const rows = Array.from({ length: count }, (_, i) => centred.subarray(i * channels, (i + 1) * channels));
    const mean = new Float64Array(channels);
    for (const row of rows) for (let c = 0; c < channels; c++) mean[c]! += row[c]! / count;
    for (const row of rows) for (let c = 0; c < channels; c++) row[c]! -= mean[c]!;
    const products = new Float64Array(count * count);
    for (let i = 0; i < count; i++) {
      const row = rows[i]!;
      for (let j = 0; j <= i; j++) {
        const other = rows[j]!;
        let sum = 0;
        for (let c = 0; c < channels; c++) sum += row[c]! * other[c]!;
        products[i * count + j] = sum;
      }
      products[i * (count + 1)]! += epsilon * Math.max(count - 1, 1); // one image has no covariance
    }
    solveLower(cholesky(products, count), count, centred, channels);
    return { mean, factor: centred };
  }
}
