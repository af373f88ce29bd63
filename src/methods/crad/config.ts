import { resolveOptions } from "../../runtime/option_table.ts";
import type { FeatureSpec, Json } from "../method.ts";
import { EXTENTS, fieldsOf, pick, readFields, requirePositive } from "../parts/fields.ts";
import { requireGrids, type GridMemoryConfig } from "../parts/grid_memory.ts";
import { similarityThreshold } from "../parts/reconstruction.ts";
import { CRAD_OPTIONS, type CradOptions } from "./options.ts";

/** Everything that fixes the shapes and formulas of a CRAD model. */
export type CradConfig = Pick<GridMemoryConfig, keyof GridMemoryConfig> & {
  /** Hidden channels of the heads; 0: as many as the features have. */
  readonly headWidth: number;
  /** Squared error, mean over channels, up to which a position counts as similar; in squared units of the features. */
  readonly similarityThreshold: number;
};

const MODEL_OPTIONS = ["decoder", "blocks", "localGrid", "globalGrid", "gridChannels", "headWidth"] as const;
const FIELDS = { ...EXTENTS, ...pick(CRAD_OPTIONS, MODEL_OPTIONS) };

/**
 * The configuration of a model for features of the given extents and variance.
 * @throws OptionError for an option unknown or out of range, or grids that are too large
 */
export function cradConfig(
  { height, width, channels, variance }: Omit<FeatureSpec, "images">,
  options: CradOptions = {},
): CradConfig {
  const settings = resolveOptions("crad", CRAD_OPTIONS, options);
  const config = {
    height,
    width,
    channels,
    similarityThreshold: similarityThreshold(variance),
    ...pick(settings, MODEL_OPTIONS),
  };
  requireGrids("crad", config);
  return config;
}

/**
 * Checks a configuration from a file.
 * @throws OptionError if it is none of CRAD
 */
export function readConfig(json: Json): CradConfig {
  const { height, width, channels, ...settings } = readFields("crad", FIELDS, json);
  const threshold = requirePositive("crad", "similarityThreshold", fieldsOf(json)["similarityThreshold"]);
  const config = { height, width, channels, similarityThreshold: threshold, ...settings };
  requireGrids("crad", config);
  return config;
}
