import { OptionError } from "../../runtime/errors.ts";

export const DECODERS = ["tiny", "mobile", "basic"] as const;

/** `tiny` for software adapters, `mobile` for GPUs, `basic` as in the paper's tables. */
export type DecoderName = (typeof DECODERS)[number];

/** Everything that fixes a GRAD model's shapes and formulas. */
export interface GradConfig {
  /** Extent of the feature map, cells. */
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly decoder: DecoderName;
  /** Cells along a side of the local grids. */
  readonly localGrid: number;
  /** Cells along a side of the global grids. */
  readonly globalGrid: number;
  /** Squared error, mean over channels, up to which a position counts as similar; in squared units of the features. */
  readonly similarityThreshold: number;
  /** Initial weight of the abnormal branch in the sum of both. */
  readonly abnormalWeight: number;
  /** Threshold of the hinge on the abnormal branch. */
  readonly hinge: number;
}

// Variance of EfficientNet's features, in whose units GRAD's constants are stated.
export const REFERENCE_VARIANCE = 24;
const SIMILARITY_THRESHOLD = 10;
const BLOCK_INTENSITY = [8, 16] as const;

/** The published constants, for features of the given variance. */
export function gradConfig(
  features: { readonly height: number; readonly width: number; readonly channels: number; readonly variance: number },
  decoder: DecoderName,
): GradConfig {
  if (!DECODERS.includes(decoder)) throw new OptionError(`expected decoder to be one of ${DECODERS.join(", ")}, got ${String(decoder)}`);
  const { height, width, channels, variance } = features;
  return {
    height,
    width,
    channels,
    decoder,
    localGrid: 8,
    globalGrid: 4,
    similarityThreshold: SIMILARITY_THRESHOLD * (variance / REFERENCE_VARIANCE),
    abnormalWeight: -0.2,
    hinge: 0.5,
  };
}

/** How features are disturbed in the first stage: the published constants for features of the given variance and extent. */
export function blockOptions({ height, width }: Pick<GradConfig, "height" | "width">, variance: number) {
  const unit = Math.sqrt(variance / REFERENCE_VARIANCE);
  const extent = Math.min(height, width);
  return {
    maxHalfSide: Math.min(0.34 * extent + 0.5, (extent - 1) / 2),
    intensity: [BLOCK_INTENSITY[0] * unit, BLOCK_INTENSITY[1] * unit],
    steps: 100,
  } as const;
}
