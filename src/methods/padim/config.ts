import { OptionError } from "../../runtime/errors.ts";
import { resolveOptions, type OptionTable } from "../../runtime/option_table.ts";
import type { FeatureSpec, Json } from "../method.ts";
import { EXTENTS, readFields } from "../parts/fields.ts";
import { PADIM_OPTIONS, type PadimOptions } from "./options.ts";

/** Everything that fixes the shapes and formulas of a PaDiM model. */
export type PadimConfig = {
  /** Extents of the feature map. */
  readonly height: number;
  readonly width: number;
  /** Dimensions of each Gaussian. */
  readonly channels: number;
  /** Rows of each cell's factor: as many as there are images, or dimensions where these are fewer. */
  readonly rows: number;
  /** Added to the covariances' diagonals, in squared units of the features. */
  readonly epsilon: number;
};

const FIELDS = {
  ...EXTENTS,
  rows: { ...EXTENTS.channels, help: "rows of a factor" },
  epsilon: PADIM_OPTIONS.epsilon,
} as const satisfies OptionTable;

/** True if factors whiten; else they hold what the images span, by Woodbury's identity. */
export const isWhitening = ({ rows, channels }: PadimConfig): boolean => rows === channels;

/**
 * The configuration of a model for so many images with such features.
 * @throws OptionError for an option unknown or out of range
 */
export function padimConfig({ height, width, channels, images }: FeatureSpec, options: PadimOptions): PadimConfig {
  const { epsilon } = resolveOptions("padim", PADIM_OPTIONS, options);
  return { height, width, channels, rows: Math.min(images, channels), epsilon };
}

/**
 * Checks a configuration from a file.
 * @throws OptionError if it is none of PaDiM
 */
export function readConfig(json: Json): PadimConfig {
  const config = readFields("padim", FIELDS, json);
  const { rows, channels } = config;
  if (rows > channels)
    throw new OptionError(`padim: expected rows of at most the ${channels} channels of the features, got ${rows}`);
  return config;
}
