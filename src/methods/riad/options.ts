import type { OptionsOf, OptionTable, ResolvedOptions } from "../../runtime/option_table.ts";

const MOST_CELL = 256; // pixels

/** The options of RIAD. */
export const RIAD_OPTIONS = {
  baseWidth: {
    kind: "whole",
    least: 1,
    most: 512,
    default: 16,
    frequent: true,
    help: "channels of the network's finest level, to whose square its time is proportional: 16 suit software adapters, at an input of 128 pixels; 64 as published, for GPUs and an input of 256",
  },
  cellSizes: {
    kind: "quadruple",
    least: 1,
    most: MOST_CELL,
    default: [2, 4, 8, 16],
    help: "sides of the squares that are hidden, pixels, one size a step; a size may be repeated",
  },
  epochs: {
    kind: "whole",
    length: true,
    least: 0,
    default: 20,
    brief: 1,
    frequent: true,
    help: "epochs of training; 300 as published",
  },
  leastSteps: {
    kind: "whole",
    length: true,
    least: 1,
    default: 400,
    brief: 12,
    frequent: true,
    help: "minimum number of steps",
  },
  batch: { kind: "whole", least: 1, default: 4, frequent: true, help: "images a step" },
  learningRate: {
    kind: "number",
    least: 0,
    usual: 0.1,
    default: 1e-3,
    frequent: true,
    help: "learning rate of Adam, a tenth of it in the last sixth of the epochs; 1e-4 as published, for a hundred times as many steps",
  },
  smoothing: {
    kind: "number",
    least: 0,
    most: 256,
    default: 21,
    frequent: true,
    help: "side of the mean that smooths the map, in pixels of an input of 256; 0: none",
  },
  mseWeight: { kind: "number", least: 0, usual: 1000, default: 1, help: "weight of the squared error in the loss" },
  gmsWeight: {
    kind: "number",
    least: 0,
    usual: 1000,
    default: 1,
    help: "weight of the gradients' dissimilarity in the loss",
  },
  ssimWeight: {
    kind: "number",
    least: 0,
    usual: 1000,
    default: 1,
    help: "weight of the structural dissimilarity in the loss",
  },
} as const satisfies OptionTable;

/** Options of RIAD. */
export type RiadOptions = OptionsOf<typeof RIAD_OPTIONS>;
/** The same, each with a value. */
export type RiadSettings = ResolvedOptions<typeof RIAD_OPTIONS>;
