import type { Json, Method } from "../method.ts";
import { patchCoreConfig, readConfig } from "./config.ts";
import { PatchCoreFit, planOf } from "./fit.ts";
import { PatchCoreModel } from "./model.ts";
import { PATCHCORE_OPTIONS, type PatchCoreSettings } from "./options.ts";

const SIGMA = 4; // pixels at an input of 224

/**
 * PatchCore: keeps cells of good images that cover all of them, and measures how far others are from the nearest.
 * @see Roth et al., "Towards total recall in industrial anomaly detection", CVPR 2022
 */
export const patchcore: Method = {
  name: "patchcore",
  title: "PatchCore",
  source: "Towards Total Recall in Industrial Anomaly Detection, 2022",
  options: PATCHCORE_OPTIONS,
  anomalyOptions: [],
  learnsAnomalies: () => false,
  brief: {}, // a fit takes few steps as it is
  assembly: (_options, { stages, standardise }) => ({
    stages: stages.map(({ name }) => name),
    alignCorners: false,
    localMean: 3,
    standardise: standardise ? { mean: 0, variance: 1 } : null,
  }),
  scoring: { alignCorners: false, smoothing: { kind: "gaussian", sigma: SIGMA }, image: { kind: "cells" } },
  configure: (spec, options) => ({ ...patchCoreConfig(spec, options) }),
  plan: (config, options, images) => planOf(readConfig(config), options as PatchCoreSettings, images),
  begin: (config: Json, options, input) => new PatchCoreFit(readConfig(config), options as PatchCoreSettings, input),
  restore: (config, weights) => new PatchCoreModel(weights, readConfig(config)),
  validate: (config) => {
    const { height, width, channels } = readConfig(config);
    return { height, width, channels };
  },
};
