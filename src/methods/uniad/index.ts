// The method UniAD by itself: its model, its options and its fit.
export { uniAdConfig, type UniAdConfig } from "./config.ts";
export { droppingOf, jittered, UniAdFit } from "./fit.ts";
export { uniad } from "./method.ts";
export { UniAdModel } from "./model.ts";
export { UNIAD_OPTIONS, type UniAdOptions } from "./options.ts";
