// The method SimpleNet by itself: its model, its options, its fit and its losses.
export { perlinMask, type PerlinMaskOptions } from "../../ops/perlin_mask.ts";
export { simpleNetConfig, type SimpleNetConfig } from "./config.ts";
export { SimpleNetFit } from "./fit.ts";
export { focalLoss, simpleNetLoss, type Disturbance } from "./loss.ts";
export { simplenet } from "./method.ts";
export { SimpleNetModel } from "./model.ts";
export { SIMPLENET_OPTIONS, type SimpleNetOptions } from "./options.ts";
