import type { OptionContext, OptionsOf, OptionTable, ResolvedOptions } from "../../runtime/option_table.ts";

/** The networks: as published, and one for software adapters and the embedded backbone. */
export const NETWORKS = {
  published: { layers: 4, hidden: 256, attentionHeads: 8, feedForward: 1024, steps: 4000, learningRate: 1e-4 },
  small: { layers: 2, hidden: 64, attentionHeads: 4, feedForward: 256, steps: 400, learningRate: 1e-3 },
} as const;

/** The default of an option that goes by the network, and its text. */
const byNetwork = (name: keyof (typeof NETWORKS)["small"]) => ({
  default: ({ values: { network } }: OptionContext): number =>
    NETWORKS[network === "published" ? "published" : "small"][name],
  defaultText: `${NETWORKS.published[name]}; ${NETWORKS.small[name]} for network small`,
});

const EXTENT = { kind: "whole", least: 1, most: 1 << 14 } as const;

/** The options of UniAD. */
export const UNIAD_OPTIONS = {
  network: {
    kind: "choice",
    choices: ["published", "small"],
    default: ({ pretrained }) => (pretrained ? "published" : "small"),
    defaultText: "published; small for the embedded backbone",
    frequent: true,
    help: "size of the transformer: small has 2 + 2 layers of 64 channels and suits software adapters, at a twentieth of the time of a published step, of 4 + 4 layers of 256",
  },
  layers: {
    kind: "whole",
    least: 1,
    most: 100,
    ...byNetwork("layers"),
    help: "layers of the encoder, and as many of the decoder",
  },
  hidden: {
    ...EXTENT,
    ...byNetwork("hidden"),
    help: "channels of a token: an even number, and a multiple of the heads",
  },
  attentionHeads: { ...EXTENT, ...byNetwork("attentionHeads"), help: "heads of each attention" },
  feedForward: {
    ...EXTENT,
    ...byNetwork("feedForward"),
    help: "channels inside the two linear layers behind attention",
  },
  window: {
    kind: "whole",
    least: 0,
    most: 1 << 14,
    default: 7,
    help: "side, in cells, of the square of neighbours around a cell, itself included, that attention does not see; odd, or 0 for none",
  },
  cells: {
    kind: "whole",
    least: 2,
    most: 64,
    default: 14,
    help: "cells to a side of the features: their square is the number of tokens",
  },
  dropout: { kind: "number", least: 0, most: 0.9, default: 0.1, help: "share of dropout in training" },
  jitter: {
    kind: "number",
    least: 0,
    usual: 100,
    default: ({ pretrained }) => (pretrained ? 20 : 8),
    defaultText: "20; 8 for the embedded backbone, whose fewer channels make as much of it",
    frequent: true,
    help: "noise on the features that training reconstructs: its standard deviation is jitter / channels times the length of a cell's features",
  },
  jitterShare: { kind: "share", default: 1, help: "share of the steps that have this noise" },
  steps: {
    kind: "whole",
    length: true,
    least: 1,
    ...byNetwork("steps"),
    brief: 8,
    frequent: true,
    help: "steps of training, rounded up to whole epochs; the learning rate falls to a tenth after 80 % of them",
  },
  batch: { kind: "whole", least: 1, default: 8, frequent: true, help: "images a step" },
  learningRate: { kind: "number", least: 0, usual: 0.1, ...byNetwork("learningRate"), help: "learning rate of AdamW" },
  weightDecay: { kind: "number", least: 0, usual: 1, default: 1e-4, help: "weight decay of AdamW" },
} as const satisfies OptionTable;

/** Options of UniAD. */
export type UniAdOptions = OptionsOf<typeof UNIAD_OPTIONS>;
/** The same, each with a value. */
export type UniAdSettings = ResolvedOptions<typeof UNIAD_OPTIONS>;
