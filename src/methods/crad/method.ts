import { defineMethod } from "../define_method.ts";
import { RECONSTRUCTION_SCORING, reconstructionAssembly } from "../parts/reconstruction.ts";
import { cradConfig, readConfig } from "./config.ts";
import { CradFit, newModel, planOf } from "./fit.ts";
import { CRAD_OPTIONS } from "./options.ts";

/**
 * CRAD: reconstructs features from grids that it looks up at coordinates derived from them.
 * @see Lee et al., "Continuous memory representation for anomaly detection", ECCV 2024
 */
export const crad = defineMethod({
  name: "crad",
  title: "CRAD",
  source: "Continuous Memory Representation for Anomaly Detection, 2024",
  suits: "several classes in one model, with pretrained weights; minutes of training",
  options: CRAD_OPTIONS,
  assembly: (_options, backbone) => reconstructionAssembly(backbone),
  scoring: () => RECONSTRUCTION_SCORING,
  configure: cradConfig,
  plan: planOf,
  continued: () => ({ kind: "steps", learned: ["similarityThreshold"] }),
  begin: (config, options, input) => new CradFit(config, options, input),
  restore: (config, weights) => newModel(config, { weights, seed: 0 }),
  read: readConfig,
});
