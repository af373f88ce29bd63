// The method DFR by itself: its model, its options and its fit.
export { dfrConfig, type DfrConfig } from "./config.ts";
export { DfrFit } from "./fit.ts";
export { dfr } from "./method.ts";
export { DfrModel } from "./model.ts";
export { DFR_OPTIONS, type DfrOptions } from "./options.ts";
