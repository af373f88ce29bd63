import { OptionError } from "../../runtime/errors.ts";
import { resolveOptions, type OptionTable } from "../../runtime/option_table.ts";
import type { FeatureSpec, Json } from "../method.ts";
import { EXTENTS, readFields } from "../parts/fields.ts";
import { DFR_OPTIONS, type DfrOptions, type DfrSettings } from "./options.ts";

/** Everything that fixes the shapes and formulas of a DFR model. */
export type DfrConfig = {
  /** Extents of the feature map. */
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly reconstruction: DfrSettings["reconstruction"];
  /**
   * Channels of the narrowest layer, or components: before a fit as many as there can be. 0 for a model whose training
   * ended before the features decided it.
   */
  readonly latent: number;
};

const FIELDS = {
  ...EXTENTS,
  reconstruction: DFR_OPTIONS.reconstruction,
  latent: DFR_OPTIONS.latent,
} as const satisfies OptionTable;

/**
 * The configuration of a model for such features.
 * @throws OptionError for an option unknown or out of range, or more latent channels than there are
 */
export function dfrConfig({ height, width, channels }: FeatureSpec, options: DfrOptions): DfrConfig {
  const { reconstruction, latent, variance } = resolveOptions("dfr", DFR_OPTIONS, options);
  return requireValid({ height, width, channels, reconstruction, latent: latent || Math.ceil(variance * channels) });
}

/**
 * Checks a configuration from a file.
 * @throws OptionError if it is none of DFR
 */
export const readConfig = (json: Json): DfrConfig => requireValid(readFields("dfr", FIELDS, json));

function requireValid(config: DfrConfig): DfrConfig {
  const { latent, channels } = config;
  if (latent <= channels) return config;
  throw new OptionError(`dfr: expected latent of at most the ${channels} channels of the features, got ${latent}`);
}
