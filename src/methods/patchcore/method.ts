import { OptionError } from "../../runtime/errors.ts";
import { defineMethod } from "../define_method.ts";
import { patchCoreConfig, readConfig } from "./config.ts";
import { PatchCoreFit, planOf } from "./fit.ts";
import { PatchCoreModel } from "./model.ts";
import { PATCHCORE_OPTIONS } from "./options.ts";

const SIGMA = 4; // pixels at an input of 224

/**
 * PatchCore: keeps cells of good images that cover all of them, and measures how far others are from the nearest.
 * @see Roth et al., "Towards total recall in industrial anomaly detection", CVPR 2022
 */
export const patchcore = defineMethod({
  name: "patchcore",
  title: "PatchCore",
  source: "Towards Total Recall in Industrial Anomaly Detection, 2022",
  suits: "few good images, of parts or surfaces; training is a selection, and the model grows with their number",
  options: PATCHCORE_OPTIONS,
  suitsFew: () => true,
  assembly: (_options, { stages, standardise }) => ({
    stages: stages.map(({ name }) => name),
    localMean: 3,
    cells: "finest",
    enlarge: "bilinear",
    alignCorners: false,
    channels: "all",
    standardise: standardise ? { mean: 0, variance: 1 } : null,
  }),
  scoring: () => ({ alignCorners: false, smoothing: { kind: "gaussian", sigma: SIGMA }, image: { kind: "cells" } }),
  configure: patchCoreConfig,
  plan: planOf,
  continued: (before, { coreset }, { rows }) => {
    if (rows > before.rows) return { kind: "addition" };
    throw new OptionError(
      `patchcore: expected a coreset that adds rows to the ${before.rows} of the model that training goes on from, got ${coreset}, of which it has ${rows} in all`,
    );
  },
  begin: (config, options, input) => new PatchCoreFit(config, options, input),
  restore: (config, weights) => new PatchCoreModel(weights, config),
  read: readConfig,
});
