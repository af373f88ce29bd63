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
  /** Channels of the network's finest level. */
  readonly baseWidth: number;
  /** Sides of the squares that are hidden, pixels. */
  readonly cellSizes: readonly [number, number, number, number];
};

const MODEL_OPTIONS = ["baseWidth", "cellSizes"] as const;
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

function required(config: RiadConfig): RiadConfig {
  const { height, width, cellSizes } = config;
  if (!cellSizes.every(Number.isInteger))
    throw new OptionError(`riad: expected cellSizes to be whole numbers, got ${cellSizes.join()}`);
  if (Math.min(height, width) < LEAST_SIDE)
    throw new OptionError(`riad: expected images of at least ${LEAST_SIDE} pixels to a side, got ${height} x ${width}`);
  return config;
}
