// The method PaDiM by itself: its model, its options and its fit.
export { padimConfig, type PadimConfig } from "./config.ts";
export { PadimFit } from "./fit.ts";
export { padim } from "./method.ts";
export { PadimModel } from "./model.ts";
export { PADIM_OPTIONS, type PadimOptions } from "./options.ts";
