import { OptionError } from "../../runtime/errors.ts";
import { requireKind, resolveOptions } from "../../runtime/option_table.ts";
import { requireExtents } from "../parts/extents.ts";
import type { FeatureSpec, Json } from "../method.ts";
import { PATCHCORE_OPTIONS, type PatchCoreOptions } from "./options.ts";

/** Everything that fixes the shapes and formulas of a PatchCore model. */
export interface PatchCoreConfig {
  /** Extents of the feature map. */
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  /** Rows of the memory bank. */
  readonly rows: number;
  /** Rows around the nearest one that re-weight an image's score; 1 for none. */
  readonly neighbours: number;
}

const MOST_ROWS = 2 ** 32 - 1; // that indices count

/**
 * The configuration of a model for so many images with such features.
 * @throws OptionError for an option unknown or out of range, or fewer cells than neighbours
 */
export function patchCoreConfig(
  { height, width, channels, images }: FeatureSpec,
  options: PatchCoreOptions,
): PatchCoreConfig {
  const { coreset, neighbours } = resolveOptions("patchcore", PATCHCORE_OPTIONS, options, { software: false });
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
  const config = (json ?? {}) as unknown as PatchCoreConfig;
  requireExtents("patchcore", config);
  requireKind(
    "patchcore",
    "rows",
    { kind: "whole", least: 1, most: MOST_ROWS, default: 1, help: "rows of the bank" },
    config.rows,
  );
  requireKind("patchcore", "neighbours", PATCHCORE_OPTIONS.neighbours, config.neighbours);
  const { neighbours, rows } = config;
  if (neighbours > rows)
    throw new OptionError(`patchcore: expected neighbours of at most the ${rows} rows of the bank, got ${neighbours}`);
  return config;
}
