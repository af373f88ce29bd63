import type { OptionContext, OptionsOf, OptionTable, ResolvedOptions } from "../../runtime/option_table.ts";

const MOST_CELL = 256; // pixels

/** The networks: as published, and one for software adapters. */
export const NETWORKS = {
  published: { baseWidth: 64, side: 256, epochs: 300, leastSteps: 1, learningRate: 1e-4 },
  small: { baseWidth: 8, side: 64, epochs: 20, leastSteps: 400, learningRate: 1e-3 },
} as const;

/** The default of an option that goes by the network, and its text. */
const byNetwork = (name: keyof (typeof NETWORKS)["small"]) => ({
  default: ({ values: { network } }: OptionContext): number =>
    NETWORKS[network === "published" ? "published" : "small"][name],
  defaultText: `${NETWORKS.small[name]}; ${NETWORKS.published[name]} for network published`,
});

/** The options of RIAD. */
export const RIAD_OPTIONS = {
  network: {
    kind: "choice",
    choices: ["small", "published"],
    default: "small",
    frequent: true,
    help: "size of the network and length of its training: small suits software adapters; published takes a thousand times as long for each image and step, on a GPU",
  },
  baseWidth: {
    kind: "whole",
    least: 1,
    most: 512,
    ...byNetwork("baseWidth"),
    frequent: true,
    help: "channels of the network's finest level, to whose square its time is proportional",
  },
  side: {
    kind: "whole",
    least: 8,
    most: 4096,
    ...byNetwork("side"),
    frequent: true,
    help: "longest side of what the network sees, pixels: larger images are reduced to means of 2 x 2 pixels, 3 x 3 and so on",
  },
  cellSizes: {
    kind: "quadruple",
    least: 1,
    most: MOST_CELL,
    default: [2, 4, 8, 16],
    help: "sides of the squares that are hidden, pixels of what the network sees, one size a step; a size may be repeated",
  },
  epochs: {
    kind: "whole",
    length: true,
    least: 0,
    ...byNetwork("epochs"),
    brief: 1,
    frequent: true,
    help: "epochs of training",
  },
  leastSteps: {
    kind: "whole",
    length: true,
    least: 1,
    ...byNetwork("leastSteps"),
    brief: 12,
    frequent: true,
    help: "minimum number of steps",
  },
  batch: { kind: "whole", least: 1, default: 4, frequent: true, help: "images a step" },
  learningRate: {
    kind: "number",
    least: 0,
    usual: 0.1,
    ...byNetwork("learningRate"),
    frequent: true,
    help: "learning rate of Adam, a tenth of it in the last sixth of the epochs",
  },
  smoothing: {
    kind: "number",
    least: 0,
    most: 256,
    default: 21,
    frequent: true,
    help: "side of the mean that smooths the map, in pixels of an input of 256; 0: none",
  },
  mseWeight: { kind: "number", least: 0, usual: 1000, default: 1, help: "weight of the squared error in the loss" },
  gmsWeight: {
    kind: "number",
    least: 0,
    usual: 1000,
    default: 1,
    help: "weight of the gradients' dissimilarity in the loss",
  },
  ssimWeight: {
    kind: "number",
    least: 0,
    usual: 1000,
    default: 1,
    help: "weight of the structural dissimilarity in the loss",
  },
} as const satisfies OptionTable;

/** Options of RIAD. */
export type RiadOptions = OptionsOf<typeof RIAD_OPTIONS>;
/** The same, each with a value. */
export type RiadSettings = ResolvedOptions<typeof RIAD_OPTIONS>;
