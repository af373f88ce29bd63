import { defineMethod } from "../define_method.ts";
import { padimConfig, readConfig } from "./config.ts";
import { PadimFit, planOf } from "./fit.ts";
import { PadimModel } from "./model.ts";
import { PADIM_OPTIONS } from "./options.ts";

const SIGMA = 4; // pixels at an input of 224

/**
 * PaDiM: fits a Gaussian to each cell of good images, and measures Mahalanobis distances from them.
 * @see Defard et al., "PaDiM: a patch distribution modeling framework for anomaly detection and localization", 2020
 */
export const padim = defineMethod({
  name: "padim",
  title: "PaDiM",
  source: "PaDiM: a Patch Distribution Modeling Framework for Anomaly Detection and Localization, 2020",
  suits: "parts that lie alike in every picture, one class in a model; seconds of training",
  options: PADIM_OPTIONS,
  assembly: ({ dimensions, reduction, reductionSeed }, { stages }) => {
    const joined = stages.reduce((sum, { channels }) => sum + channels, 0);
    return {
      stages: stages.map(({ name }) => name),
      localMean: 1,
      cells: "finest",
      enlarge: "nearest",
      alignCorners: false,
      channels: dimensions < joined ? { kind: reduction, count: dimensions, seed: reductionSeed } : "all",
      standardise: { mean: 0, variance: 1 }, // in whose units epsilon is
    };
  },
  scoring: () => ({ alignCorners: false, smoothing: { kind: "gaussian", sigma: SIGMA }, image: { kind: "max" } }),
  configure: padimConfig,
  plan: planOf,
  // A model keeps no covariances but factors of their inverses, in f32, from which they would come back rounded.
  continued: () => ({ kind: "refit" }),
  begin: (config, options, input) => new PadimFit(config, options, input),
  restore: (config, weights) => new PadimModel(weights, config),
  read: readConfig,
});
