import type { OptionsOf, OptionTable, ResolvedOptions } from "../../runtime/option_table.ts";

/** The options of PaDiM. */
export const PADIM_OPTIONS = {
  dimensions: {
    kind: "whole",
    least: 1,
    most: 1 << 14,
    default: 100,
    frequent: true,
    help: "dimensions of a cell's Gaussian, to which the backbone's channels are reduced; all channels where there are no more",
  },
  reduction: {
    kind: "choice",
    choices: ["projection", "subset"],
    default: "projection",
    frequent: true,
    help: "how channels are reduced: a semi-orthogonal random projection, or a random subset, as in the paper",
  },
  reductionSeed: {
    kind: "whole",
    least: 0,
    most: 2 ** 32 - 1,
    default: 0,
    help: "seed of the projection or the subset",
  },
  epsilon: {
    kind: "number",
    least: 1e-4,
    most: 1e4,
    default: 0.01,
    help: "added to the covariances' diagonals, in units of the channels' variance over the training set",
  },
  batch: { kind: "whole", least: 1, default: 8, tuning: true, help: "images that a step reads" },
} as const satisfies OptionTable;

/** Options of PaDiM. */
export type PadimOptions = OptionsOf<typeof PADIM_OPTIONS>;
/** The same, each with a value. */
export type PadimSettings = ResolvedOptions<typeof PADIM_OPTIONS>;
