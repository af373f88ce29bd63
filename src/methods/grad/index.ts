// The method GRAD by itself: its model, its options and its training.
export { gradConfig, type GradConfig } from "./config.ts";
export { grad } from "./method.ts";
export { Grad } from "./model.ts";
export { GRAD_OPTIONS, type GradOptions } from "./options.ts";
export { GradTraining } from "./training.ts";
