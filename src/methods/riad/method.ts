import { defineMethod } from "../define_method.ts";
import { readConfig, riadConfig } from "./config.ts";
import { planOf, RiadFit } from "./fit.ts";
import { RiadModel } from "./model.ts";
import { RIAD_OPTIONS } from "./options.ts";

const [PUBLISHED_SIDE, PUBLISHED_WIDTH] = [256, 64];
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
    smoothing: smoothing > 0 ? { kind: "box", side: (smoothing * REFERENCE_SIDE) / PUBLISHED_SIDE } : null,
    image: { kind: "max" },
  }),
  configure: riadConfig,
  plan: planOf,
  remarks: ({ height, width, baseWidth }) =>
    baseWidth < PUBLISHED_WIDTH || Math.min(height, width) < PUBLISHED_SIDE
      ? [
          `baseWidth ${baseWidth} at ${width} x ${height} pixels is less than RIAD as published, ${PUBLISHED_WIDTH} at ${PUBLISHED_SIDE} x ${PUBLISHED_SIDE} for a GPU; on a software adapter choose 16 at an input size of 128: time grows with the pixels`,
        ]
      : [],
  begin: (config, options, input) => new RiadFit(config, options, input),
  restore: (config, weights) => new RiadModel(weights, config, 0),
  read: readConfig,
});
