import { requireKind, type OptionSpec } from "../../runtime/option_table.ts";
import type { FeatureExtents } from "../method.ts";

const EXTENT: OptionSpec = { kind: "whole", least: 1, most: 1 << 14, default: 1, help: "extent of the features" };

/**
 * The extents of the features that a configuration from a file is for.
 * @param owner the method, for errors
 * @throws OptionError unless they are whole numbers from 1 to 16384
 */
export function requireExtents(owner: string, { height, width, channels }: FeatureExtents): FeatureExtents {
  for (const [name, value] of Object.entries({ height, width, channels })) requireKind(owner, name, EXTENT, value);
  return { height, width, channels };
}
