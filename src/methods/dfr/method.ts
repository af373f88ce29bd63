import { defineMethod } from "../define_method.ts";
import { dfrConfig, readConfig } from "./config.ts";
import { DfrFit, planOf } from "./fit.ts";
import { DfrModel } from "./model.ts";
import { DFR_OPTIONS } from "./options.ts";

/**
 * DFR: reconstructs the features of good images through few channels, and measures what others lose on the way.
 * @see Yang et al., "DFR: deep feature reconstruction for unsupervised anomaly segmentation", 2020
 */
export const dfr = defineMethod({
  name: "dfr",
  title: "DFR",
  source: "DFR: Deep Feature Reconstruction for Unsupervised Anomaly Segmentation, 2020",
  suits: "pretrained weights, features of several stages at once; minutes of training, seconds in its linear form",
  options: DFR_OPTIONS,
  assembly: ({ cells }, { stages }) => ({
    stages: stages.map(({ name }) => name),
    localMean: 1,
    cells: cells || "finest",
    enlarge: "bilinear",
    alignCorners: true,
    channels: "all",
    standardise: { mean: 0, variance: 1 }, // so that no stage owns the error
  }),
  scoring: () => ({ alignCorners: true, smoothing: null, image: { kind: "max" } }),
  configure: dfrConfig,
  plan: planOf,
  continued: (before, { reconstruction, latent }) =>
    reconstruction === "linear"
      ? { kind: "refit", open: ["latent"] }
      : {
          kind: "steps",
          learned: ["latent"],
          open: latent === 0 ? ["latent"] : [],
          options: { latent: before.latent },
        },
  begin: (config, options, input) => new DfrFit(config, options, input),
  restore: (config, weights) => new DfrModel(weights, config),
  read: readConfig,
});
