import type { OptionsOf, OptionTable, ResolvedOptions } from "../../runtime/option_table.ts";

const MOST_NEIGHBOURS = 16; // that `nearestRows` lists

/** The options of PatchCore. */
export const PATCHCORE_OPTIONS = {
  coreset: {
    kind: "share",
    default: 0.1,
    frequent: true,
    help: "share of the cells of all images that the memory bank keeps",
  },
  projection: {
    kind: "whole",
    least: 0,
    most: 1 << 12,
    default: 128,
    help: "dimensions of the random projection in which the coreset is chosen; 0, or as many as there are channels: none",
  },
  neighbours: {
    kind: "whole",
    least: 1,
    most: MOST_NEIGHBOURS,
    default: 1,
    frequent: true,
    help: "rows around the nearest one that re-weight an image's score; 1: no re-weighting, as in the published code; the paper has 9",
  },
  batch: { kind: "whole", least: 1, default: 8, tuning: true, help: "images that a step gathers into the memory bank" },
} as const satisfies OptionTable;

/** Options of PatchCore. */
export type PatchCoreOptions = OptionsOf<typeof PATCHCORE_OPTIONS>;
/** The same, each with a value. */
export type PatchCoreSettings = ResolvedOptions<typeof PATCHCORE_OPTIONS>;
