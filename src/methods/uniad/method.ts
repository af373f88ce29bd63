import { defineMethod } from "../define_method.ts";
import { readConfig, uniAdConfig, type UniAdConfig } from "./config.ts";
import { newModel, planOf, UniAdFit } from "./fit.ts";
import { NETWORKS, UNIAD_OPTIONS } from "./options.ts";

const WINDOW = 16; // pixels at an input of 224, of which the image's score is the largest mean

/** A sentence about a transformer that is smaller than the published one. */
function remarksOf({ layers, hidden }: UniAdConfig): readonly string[] {
  const { published } = NETWORKS;
  if (layers >= published.layers && hidden >= published.hidden) return [];
  const sizeOf = (count: number, channels: number): string => `${count} + ${count} layers of ${channels} channels`;
  return [
    `UniAD has a transformer of ${sizeOf(layers, hidden)} here, for software adapters and few channels; ` +
      `the published one, of ${sizeOf(published.layers, published.hidden)}, is network published`,
  ];
}

/**
 * UniAD: a transformer reconstructs each cell's features from cells that are not its neighbours.
 * @see You et al., "A unified model for multi-class anomaly detection", NeurIPS 2022
 */
export const uniad = defineMethod({
  name: "uniad",
  title: "UniAD",
  source: "A Unified Model for Multi-class Anomaly Detection, 2022",
  suits: "many classes in one model, with pretrained weights and a GPU; many minutes of training",
  options: UNIAD_OPTIONS,
  assembly: ({ cells }, { stages, standardise }) => ({
    stages: stages.map(({ name }) => name),
    localMean: 1,
    cells,
    enlarge: "bilinear",
    alignCorners: true,
    channels: "all",
    standardise: standardise ? { mean: 0, variance: 1 } : null,
  }),
  scoring: () => ({ alignCorners: true, smoothing: null, image: { kind: "windowMean", side: WINDOW } }),
  configure: uniAdConfig,
  plan: planOf,
  remarks: remarksOf,
  begin: (config, options, input) => new UniAdFit(config, options, input),
  restore: (config, weights) => newModel(config, { weights, seed: 0 }),
  read: readConfig,
});
