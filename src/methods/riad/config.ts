import { OptionError } from "../../runtime/errors.ts";
import { resolveOptions } from "../../runtime/option_table.ts";
import type { FeatureExtents, Json } from "../method.ts";
import { EXTENTS, pick, readFields } from "../parts/fields.ts";
import { RIAD_OPTIONS, type RiadOptions } from "./options.ts";

/** Everything that fixes the shapes and formulas of a RIAD model. */
export type RiadConfig = {
  /** Extents of the images. */
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  /** Longest side of what the network sees, pixels. */
  readonly side: number;
  /** Channels of the network's finest level. */
  readonly baseWidth: number;
  /** Sides of the squares that are hidden, pixels. */
  readonly cellSizes: readonly [number, number, number, number];
};

const MODEL_OPTIONS = ["side", "baseWidth", "cellSizes"] as const;
const FIELDS = { ...EXTENTS, ...pick(RIAD_OPTIONS, MODEL_OPTIONS) };
const LEAST_SIDE = 8; // of which the coarsest of the four scales leaves a pixel

/**
 * The configuration of a model for such images.
 * @throws OptionError for an option unknown or out of range, or images too small
 */
export function riadConfig({ height, width, channels }: FeatureExtents, options: RiadOptions = {}): RiadConfig {
  const settings = resolveOptions("riad", RIAD_OPTIONS, options);
  return required({ height, width, channels, ...pick(settings, MODEL_OPTIONS) });
}

/**
 * Checks a configuration from a file.
 * @throws OptionError if it is none of RIAD
 */
export const readConfig = (json: Json): RiadConfig => required(readFields("riad", FIELDS, json));

/** Extents of what the network sees of such images: means of squares of `factor` pixels to a side. */
export function seenExtents({ height, width, side }: Pick<RiadConfig, "height" | "width" | "side">): {
  readonly height: number;
  readonly width: number;
  readonly factor: number;
} {
  const factor = Math.ceil(Math.max(height, width) / side);
  return { height: Math.ceil(height / factor), width: Math.ceil(width / factor), factor };
}

function required(config: RiadConfig): RiadConfig {
  const { cellSizes, side } = config;
  if (!cellSizes.every(Number.isInteger))
    throw new OptionError(`riad: expected cellSizes to be whole numbers, got ${cellSizes.join()}`);
  const { height, width, factor } = seenExtents(config);
  if (Math.min(height, width) < LEAST_SIDE) {
    const reduced =
      factor > 1 ? `, ${config.height} x ${config.width} reduced to a side of ${side}; take a larger side` : "";
    throw new OptionError(
      `riad: expected images of at least ${LEAST_SIDE} pixels to a side, got ${height} x ${width}${reduced}`,
    );
  }
  return config;
}
