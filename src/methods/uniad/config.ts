import { OptionError } from "../../runtime/errors.ts";
import { resolveOptions } from "../../runtime/option_table.ts";
import type { FeatureExtents, Json } from "../method.ts";
import { EXTENTS, pick, readFields } from "../parts/fields.ts";
import { UNIAD_OPTIONS, type UniAdOptions } from "./options.ts";

/** Everything that fixes the shapes and formulas of a UniAD model. */
export type UniAdConfig = {
  /** Extents of the feature map. */
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  /** Layers of the encoder, and of the decoder. */
  readonly layers: number;
  /** Channels of a token. */
  readonly hidden: number;
  readonly attentionHeads: number;
  /** Channels inside the linear layers behind attention. */
  readonly feedForward: number;
  /** Side of the square of neighbours that a cell does not see; 0: it sees all. */
  readonly window: number;
};

const MODEL_OPTIONS = ["layers", "hidden", "attentionHeads", "feedForward", "window"] as const;
const FIELDS = { ...EXTENTS, ...pick(UNIAD_OPTIONS, MODEL_OPTIONS) };

/**
 * The configuration of a model for such features.
 * @throws OptionError for an option unknown or out of range, channels that the heads do not divide, or a window that
 *   leaves some cell nothing to see
 */
export function uniAdConfig({ height, width, channels }: FeatureExtents, options: UniAdOptions = {}): UniAdConfig {
  const settings = resolveOptions("uniad", UNIAD_OPTIONS, options);
  return requireValid({ height, width, channels, ...pick(settings, MODEL_OPTIONS) });
}

/**
 * Checks a configuration from a file.
 * @throws OptionError if it is none of UniAD
 */
export const readConfig = (json: Json): UniAdConfig => requireValid(readFields("uniad", FIELDS, json));

function requireValid(config: UniAdConfig): UniAdConfig {
  const { height, width, hidden, attentionHeads: heads, window } = config;
  if (hidden % 2 !== 0 || hidden % heads !== 0)
    throw new OptionError(`uniad: expected hidden to be even and a multiple of the ${heads} heads, got ${hidden}`);
  if (window % 2 === 0 && window !== 0)
    throw new OptionError(`uniad: expected window to be odd, or 0 for none, got ${window}`);
  // the cells in the middle are nearest to all others
  const reach = (window - 1) / 2;
  if (window > 0 && reach >= Math.floor(height / 2) && reach >= Math.floor(width / 2)) {
    throw new OptionError(
      `uniad: expected a window that leaves each of ${height} x ${width} cells others to see, got ${window}; take a smaller window, or more cells`,
    );
  }
  return config;
}
