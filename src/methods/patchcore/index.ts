// The method PatchCore by itself: its model, its options and its fit.
export { patchCoreConfig, type PatchCoreConfig } from "./config.ts";
export { PatchCoreFit } from "./fit.ts";
export { patchcore } from "./method.ts";
export { PatchCoreModel } from "./model.ts";
export { PATCHCORE_OPTIONS, type PatchCoreOptions } from "./options.ts";
