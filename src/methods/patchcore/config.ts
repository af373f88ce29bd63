import { OptionError } from "../../runtime/errors.ts";
import { resolveOptions, type OptionTable } from "../../runtime/option_table.ts";
import { EXTENTS, readFields } from "../parts/fields.ts";
import type { FeatureSpec, Json } from "../method.ts";
import { PATCHCORE_OPTIONS, type PatchCoreOptions } from "./options.ts";

/** Everything that fixes the shapes and formulas of a PatchCore model. */
export type PatchCoreConfig = {
  /** Extents of the feature map. */
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  /** Rows of the memory bank. */
  readonly rows: number;
  /** Rows around the nearest one that re-weight an image's score; 1 for none. */
  readonly neighbours: number;
};

const MOST_ROWS = 2 ** 32 - 1; // that indices count
const FIELDS = {
  ...EXTENTS,
  rows: { kind: "whole", least: 1, most: MOST_ROWS, default: 1, help: "rows of the bank" },
  neighbours: PATCHCORE_OPTIONS.neighbours,
} as const satisfies OptionTable;

/**
 * The configuration of a model for so many images with such features.
 * @throws OptionError for an option unknown or out of range, or fewer cells than neighbours
 */
export function patchCoreConfig(
  { height, width, channels, images }: FeatureSpec,
  options: PatchCoreOptions,
): PatchCoreConfig {
  const { coreset, neighbours } = resolveOptions("patchcore", PATCHCORE_OPTIONS, options);
  const cells = images * height * width;
  if (neighbours > cells) {
    throw new OptionError(
      `patchcore: expected neighbours of at most the ${cells} cells of all images, got ${neighbours}`,
    );
  }
  const rows = Math.min(cells, Math.max(neighbours, Math.round(coreset * cells)));
  return { height, width, channels, rows, neighbours };
}

/**
 * Checks a configuration from a file.
 * @throws OptionError if it is none of PatchCore
 */
export function readConfig(json: Json): PatchCoreConfig {
  const config = readFields("patchcore", FIELDS, json);
  const { neighbours, rows } = config;
  if (neighbours > rows)
    throw new OptionError(`patchcore: expected neighbours of at most the ${rows} rows of the bank, got ${neighbours}`);
  return config;
}
