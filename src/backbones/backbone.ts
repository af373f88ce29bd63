import type { Tensor } from "../tensor/tensor.ts";
import { EFFICIENTNETS } from "./efficientnet/architecture.ts";
import type { NetworkPadding } from "./efficientnet/efficientnet.ts";

/** Every backbone that there is. */
export const BACKBONES = ["embedded", ...EFFICIENTNETS] as const;
/** The name of one of them. */
export type BackboneName = (typeof BACKBONES)[number];

/** Pixels of a side of its images, at most: model files with more are refused. */
export const MOST_SIDE = 1 << 14;

/** What makes a backbone the same again: part of a model. */
export interface BackboneSettings {
  readonly name: BackboneName;
  /** Zeros around images in an EfficientNet's convolutions; null for the embedded one. */
  readonly padding: NetworkPadding | null;
  /** SHA-256 of the file that the weights are in, in hexadecimal digits; null for the embedded one, which has none. */
  readonly weights: string | null;
}

/** A frozen feature extractor. */
export interface Backbone {
  readonly settings: BackboneSettings;
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
  /** Gives the weights' storage back. */
  readonly release: () => void;
}
