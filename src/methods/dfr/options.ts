import type { OptionsOf, OptionTable, ResolvedOptions } from "../../runtime/option_table.ts";

const BRIEF_STEPS = 8;

/** The options of DFR. */
export const DFR_OPTIONS = {
  reconstruction: {
    kind: "choice",
    choices: ["autoencoder", "linear"],
    default: "autoencoder",
    frequent: true,
    help: "what reconstructs features: an autoencoder that is trained, or their principal components, in closed form",
  },
  latent: {
    kind: "whole",
    least: 0,
    most: 1 << 14,
    default: 0,
    frequent: true,
    help: "channels of the narrowest layer, or principal components; 0: as many components as hold `variance`",
  },
  variance: {
    kind: "share",
    default: 0.9,
    frequent: true,
    help: "share of the features' variance that decides the number of components",
  },
  componentImages: {
    kind: "whole",
    least: 1,
    default: 10,
    help: "images of which components are computed, spread over the training set; with reconstruction linear all of them are taken",
  },
  epochs: {
    kind: "whole",
    length: true,
    least: 0,
    default: 50,
    brief: 1,
    frequent: true,
    help: "epochs of the autoencoder",
  },
  leastSteps: {
    kind: "whole",
    length: true,
    least: 1,
    default: 1000,
    brief: BRIEF_STEPS,
    frequent: true,
    help: "minimum number of steps of the autoencoder",
  },
  batch: { kind: "whole", least: 1, default: 4, frequent: true, help: "images a step" },
  learningRate: { kind: "number", least: 0, usual: 0.1, default: 0.004, help: "learning rate of Adam" },
  cells: {
    kind: "whole",
    least: 0,
    most: 1 << 14,
    default: 0,
    help: "cells to a side of the features; 0: as many as the finest stage has; the published code has a quarter of the input's side",
  },
} as const satisfies OptionTable;

/** Options of DFR. */
export type DfrOptions = OptionsOf<typeof DFR_OPTIONS>;
/** The same, each with a value. */
export type DfrSettings = ResolvedOptions<typeof DFR_OPTIONS>;
