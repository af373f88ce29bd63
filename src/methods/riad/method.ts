import { defineMethod } from "../define_method.ts";
import { readConfig, riadConfig, seenExtents } from "./config.ts";
import { planOf, RiadFit } from "./fit.ts";
import { RiadModel } from "./model.ts";
import { NETWORKS, RIAD_OPTIONS } from "./options.ts";

const { published } = NETWORKS;
const REFERENCE_SIDE = 224; // pixels: extents of a scoring are stated for it

/**
 * RIAD: paints the squares of an image that are hidden, and compares.
 * @see Zavrtanik et al., "Reconstruction by inpainting for visual anomaly detection", Pattern Recognition 2021
 */
export const riad = defineMethod({
  name: "riad",
  title: "RIAD",
  source: "Reconstruction by Inpainting for Visual Anomaly Detection, 2021",
  suits: "fine regular textures, without any pretrained weights and with a GPU; minutes to hours of training",
  options: RIAD_OPTIONS,
  assembly: () => ({ pixels: true }),
  scoring: ({ smoothing }) => ({
    alignCorners: false,
    smoothing: smoothing > 0 ? { kind: "box", side: (smoothing * REFERENCE_SIDE) / published.side } : null,
    image: { kind: "max" },
  }),
  configure: riadConfig,
  plan: planOf,
  remarks: (config) => {
    const { height, width } = seenExtents(config);
    return config.baseWidth < published.baseWidth || Math.max(height, width) < published.side
      ? [
          `RIAD has ${config.baseWidth} channels at ${width} x ${height} pixels here, for software adapters; as published (network published, inputSize ${published.side}, for a GPU) it has ${published.baseWidth} at ${published.side} x ${published.side}`,
        ]
      : [];
  },
  begin: (config, options, input) => new RiadFit(config, options, input),
  restore: (config, weights) => new RiadModel(weights, config, 0),
  read: readConfig,
});
