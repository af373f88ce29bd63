import { defineMethod } from "../define_method.ts";
import { readConfig, simpleNetConfig } from "./config.ts";
import { newModel, planOf, SimpleNetFit } from "./fit.ts";
import { SIMPLENET_OPTIONS } from "./options.ts";

const SIGMA = 4; // pixels at an input of 224

/**
 * SimpleNet: a discriminator learns to tell features of good images from the same with noise.
 * @see Liu et al., "SimpleNet: A simple network for image anomaly detection and localization", CVPR 2023
 */
export const simplenet = defineMethod({
  name: "simplenet",
  title: "SimpleNet",
  source: "SimpleNet: A Simple Network for Image Anomaly Detection and Localization, 2023",
  suits: "many good images and pretrained weights: the model stays small; minutes of training",
  options: SIMPLENET_OPTIONS,
  assembly: (_options, { stages }) => ({
    stages: stages.map(({ name }) => name),
    localMean: 3,
    cells: "finest",
    enlarge: "bilinear",
    alignCorners: false,
    channels: "all",
    standardise: { mean: 0, variance: 1 }, // of any backbone: the noise is stated in units of a channel's deviation
  }),
  scoring: () => ({ alignCorners: false, smoothing: { kind: "gaussian", sigma: SIGMA }, image: { kind: "cells" } }),
  configure: simpleNetConfig,
  plan: planOf,
  continued: () => ({ kind: "steps", learned: ["floor"] }),
  begin: (config, options, input) => new SimpleNetFit(config, options, input),
  restore: (config, weights) => newModel(config, { weights, seed: 0 }),
  read: readConfig,
});
