import type { Device } from "../runtime/device.ts";
import { OptionError } from "../runtime/errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { embeddedBackbone } from "./embedded/filters.ts";

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

/**
 * The backbone of that name.
 * @param inputSize side of the square that images are resized to, pixels
 * @throws OptionError for another name, or a size the backbone does not take
 */
export function createBackbone(device: Device, name: BackboneName, inputSize: number): Backbone {
  switch (name) {
    case "embedded":
      return embeddedBackbone(device, inputSize);
    default:
      throw new OptionError(`expected backbone to be one of ${BACKBONES.join(", ")}, got ${String(name)}`);
  }
}
