// The method CRAD by itself: its model, its options and its fit.
export { anomalyMap, reconstructionLoss, type RefinementOptions } from "../../ops/losses.ts";
export { cradConfig, type CradConfig } from "./config.ts";
export { CradFit } from "./fit.ts";
export { crad } from "./method.ts";
export { CradModel } from "./model.ts";
export { CRAD_OPTIONS, type CradOptions } from "./options.ts";
