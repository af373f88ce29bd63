import type { Tensor } from "../tensor/tensor.ts";

/**
 * Kinds of zeros around images in an EfficientNet's convolutions: "same" pads as TensorFlow does for the image at hand (as the
 * published weights were trained), "same-static" as it does for images of the native size (efficientnet_pytorch), and
 * "symmetric" alike on all sides (torchvision).
 */
export const NETWORK_PADDINGS = ["same", "same-static", "symmetric"] as const;
/** One of them. */
export type NetworkPadding = (typeof NETWORK_PADDINGS)[number];

/** Most pixels to a side of a backbone's input. */
export const MOST_SIDE = 1 << 14;

/** Everything that, with the stages in use, determines a backbone's features. */
export interface BackboneIdentity {
  readonly name: string;
  /** Null for a network whose padding cannot be chosen. */
  readonly padding: NetworkPadding | null;
  /** SHA-256 of the file of pretrained weights, 64 hexadecimal digits; null for a network that has none. */
  readonly weights: string | null;
}

/** A place in a network whose output is a feature map. */
export interface Stage {
  readonly name: string;
  /** Input pixels to a cell of the map. */
  readonly stride: number;
  readonly channels: number;
}

/** Side of the input and the normalisation of its colours. */
export interface BackboneInput {
  /** Side of the square input, pixels. */
  readonly side: number;
  /** Subtracted from R, G, B in [0, 1]. */
  readonly mean: readonly [number, number, number];
  /** Divides R, G, B after that. */
  readonly std: readonly [number, number, number];
}

/** A frozen network that turns images into feature maps. It knows nothing of anomalies. */
export interface Backbone {
  readonly identity: BackboneIdentity;
  readonly input: BackboneInput;
  /** The stages that `features` returns, finest first. */
  readonly stages: readonly Stage[];
  /**
   * True if methods standardise each channel over the training set. The embedded filters need it: their channels have
   * unrelated units, and means of up to 32 standard deviations (docs/notes/embedded-filters.md). Features of pretrained
   * networks are used as they are, as in the publications, whose constants are stated for them; their channels differ in
   * scale too, and the widest ones count most.
   */
  readonly standardise: boolean;
  /**
   * Runs the network.
   * @param images `[N, side, side, 3]`, normalised as `input` says, f32
   * @returns `[N, side / stride, side / stride, channels]` for each stage, in the network's dtype
   */
  readonly features: (images: Tensor) => readonly Tensor[];
  /** Gives the weights' storage back. */
  readonly release: () => void;
}
