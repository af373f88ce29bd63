import type { OptionsOf, OptionTable, ResolvedOptions } from "../../runtime/option_table.ts";
import { GRID_OPTIONS, isSmall } from "../parts/grid_options.ts";

const { decoder, recompute, blocks, localGrid, globalGrid, gridChannels, headWidth } = GRID_OPTIONS;

/** The options of CRAD. */
export const CRAD_OPTIONS = {
  decoder,
  epochs: { kind: "whole", length: true, least: 0, default: 50, brief: 1, frequent: true, help: "epochs of training" },
  leastSteps: {
    kind: "whole",
    length: true,
    least: 1,
    default: 500,
    brief: 8,
    frequent: true,
    help: "minimum number of steps",
  },
  batch: {
    kind: "whole",
    least: 1,
    frequent: true,
    default: (context) => (isSmall(context) ? 8 : 16),
    defaultText: "16; 8 with decoders tiny and compact",
    help: "images a step",
  },
  recompute,
  blocks,
  localGrid,
  globalGrid,
  gridChannels,
  headWidth,
} as const satisfies OptionTable;

/** Options of CRAD. */
export type CradOptions = OptionsOf<typeof CRAD_OPTIONS>;
/** The same, each with a value. */
export type CradSettings = ResolvedOptions<typeof CRAD_OPTIONS>;
