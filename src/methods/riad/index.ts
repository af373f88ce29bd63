// The method RIAD by itself: its model, its options, its fit and its losses.
export { convTranspose2d, type ConvTranspose2dOptions } from "../../ops/conv_transpose2d.ts";
export { randomSets } from "../../ops/random_sets.ts";
export { drawnPasses, gridShape, hiddenPixels } from "./cells.ts";
export { riadConfig, type RiadConfig } from "./config.ts";
export { RiadFit } from "./fit.ts";
export { riad } from "./method.ts";
export { RiadModel, type LossWeights } from "./model.ts";
export { RIAD_OPTIONS, type RiadOptions } from "./options.ts";
export { gradientDeviations, gradientLoss, gradientMap, structuralLoss } from "./similarity.ts";
