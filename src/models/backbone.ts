import type { Tensor } from "../tensor/tensor.ts";

export const BACKBONES = ["embedded"] as const;
export type BackboneName = (typeof BACKBONES)[number];

/** A frozen feature extractor. */
export interface Backbone {
  readonly name: BackboneName;
  /** Side of the square input, pixels. */
  readonly inputSize: number;
  /** Subtracted from and dividing R, G, B in [0, 1]. */
  readonly mean: readonly [number, number, number];
  readonly deviation: readonly [number, number, number];
  /** Extent of the feature map, cells a side, and its channels. */
  readonly cells: number;
  readonly channels: number;
  /** Whether its channels differ in scale so much that each must be standardised over the training set. */
  readonly standardise: boolean;
  /** `[N, inputSize, inputSize, 3]` normalised RGB -> `[N, cells, cells, channels]`. */
  readonly extract: (images: Tensor) => Tensor;
}
