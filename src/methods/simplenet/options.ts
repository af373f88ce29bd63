import type { OptionsOf, OptionTable, ResolvedOptions } from "../../runtime/option_table.ts";

/** The options of SimpleNet. */
export const SIMPLENET_OPTIONS = {
  noiseRegion: {
    kind: "choice",
    choices: ["all", "patches"],
    default: "all",
    frequent: true,
    help: "all: noise on every cell of a copy, as in SimpleNet; patches: on irregular patches of half of the copies, with a focal loss beside, as in SuperSimpleNet, for long trainings and many classes",
  },
  noise: {
    kind: "number",
    least: 0.001,
    usual: 10,
    default: ({ values: { noiseRegion } }) => (noiseRegion === "patches" ? 0.25 : 0.07),
    defaultText: "0.07; 0.25 on patches",
    frequent: true,
    help: "standard deviation of the noise that makes anomalies of good features, in units of a channel's; useful are 0.05 to 0.1, on patches more",
  },
  hidden: {
    kind: "whole",
    least: 1,
    most: 1 << 14,
    default: ({ pretrained }) => (pretrained ? 1024 : 128),
    defaultText: "1024; 128 for the embedded backbone",
    frequent: true,
    help: "hidden channels of the discriminator, to which the time of a step is proportional: 128 suit software adapters",
  },
  epochs: {
    kind: "whole",
    length: true,
    least: 0,
    default: 40,
    brief: 1,
    frequent: true,
    help: "epochs of training; the paper has 160, of which it takes the best on the test set",
  },
  leastSteps: {
    kind: "whole",
    length: true,
    least: 1,
    default: 400,
    brief: 1,
    frequent: true,
    help: "minimum number of steps",
  },
  batch: { kind: "whole", least: 1, default: 8, frequent: true, help: "images a step" },
  margin: {
    kind: "number",
    least: 0,
    usual: 1000,
    default: 0.5,
    help: "score beyond which neither good nor noisy features are pushed further",
  },
  learningRate: {
    kind: "number",
    least: 0,
    usual: 0.1,
    default: 2e-3,
    help: "learning rate of the discriminator (Adam, weight decay 1e-5); 2e-4 as published, for ten times as many steps",
  },
  adaptorLearningRate: {
    kind: "number",
    least: 0,
    usual: 0.1,
    default: 1e-3,
    help: "learning rate of the adaptor (AdamW, weight decay 0.01); 1e-4 as published",
  },
} as const satisfies OptionTable;

/** Options of SimpleNet. */
export type SimpleNetOptions = OptionsOf<typeof SIMPLENET_OPTIONS>;
/** The same, each with a value. */
export type SimpleNetSettings = ResolvedOptions<typeof SIMPLENET_OPTIONS>;
