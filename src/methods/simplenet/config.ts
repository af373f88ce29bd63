import { resolveOptions, type OptionTable } from "../../runtime/option_table.ts";
import type { FeatureExtents, Json } from "../method.ts";
import { EXTENTS, readFields } from "../parts/fields.ts";
import { SIMPLENET_OPTIONS, type SimpleNetOptions } from "./options.ts";

/** Everything that fixes the shapes and formulas of a SimpleNet model. */
export type SimpleNetConfig = {
  /** Extents of the feature map. */
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  /** Channels of the discriminator's hidden layer. */
  readonly hidden: number;
  /** The discriminator's score from which the map counts: it is max(0, score - floor). */
  readonly floor: number;
};

const FLOOR = -1; // until it is measured: as far below a margin of 0.5 for good features as the noisy ones' is above
const FIELDS = {
  ...EXTENTS,
  hidden: SIMPLENET_OPTIONS.hidden,
  floor: { kind: "number", default: FLOOR, help: "score from which the map counts" },
} as const satisfies OptionTable;

/**
 * The configuration of a model for such features.
 * @throws OptionError for an option unknown or out of range
 */
export function simpleNetConfig(
  { height, width, channels }: FeatureExtents,
  options: SimpleNetOptions = {},
): SimpleNetConfig {
  const { hidden } = resolveOptions("simplenet", SIMPLENET_OPTIONS, options);
  return { height, width, channels, hidden, floor: FLOOR };
}

/**
 * Checks a configuration from a file.
 * @throws OptionError if it is none of SimpleNet
 */
export const readConfig = (json: Json): SimpleNetConfig => readFields("simplenet", FIELDS, json);
