import { PASTE_DIRECTIONS, PASTE_DRAWS, PASTE_SIGNS, PASTE_SOURCES, WALKS } from "../../ops/feature_block_paste.ts";
import type { OptionContext, OptionsOf, OptionTable, ResolvedOptions } from "../../runtime/option_table.ts";

/** The decoders, smallest first: `tiny` for software adapters, `mobile` for GPUs, `basic` as in the paper's tables. */
export const DECODERS = ["tiny", "mobile", "basic"] as const;
export type DecoderName = (typeof DECODERS)[number];

const USUAL = 1000; // far beyond what is of use
const BRIEF_STEPS = 8; // among the first eight of seed 0 some draw noise and some do not, in each stage
const BLOCKS: Readonly<Record<string, number>> = { tiny: 1, mobile: 11, basic: 9 };
const INTENSITY: Readonly<Record<string, readonly [number, number]>> = {
  equal: [8, 16],
  random: [1, 3],
  differences: [1, 1],
};

const PUBLISHED = {
  heads: "shared",
  fusion: "learned",
  freeze: "grids",
  hingeWeight: 0,
  residualWeight: 0,
  leastAbnormal: 50,
  enoughHits: 0.99,
};
const JOINED = {
  heads: "separate",
  fusion: "none",
  freeze: "branch",
  hingeWeight: 0.2,
  residualWeight: 4,
  leastAbnormal: 300,
  enoughHits: 1,
};

/** The default of an option that `form` decides. */
const byForm =
  <K extends keyof typeof JOINED>(name: K) =>
  ({ values: { branches, form } }: OptionContext): (typeof JOINED | typeof PUBLISHED)[K] =>
    (branches === "both" && form === "joined" ? JOINED : PUBLISHED)[name];

const isTiny = ({ values }: OptionContext): boolean => values["decoder"] === "tiny";

/**
 * Options of GRAD: the choices that the paper and its variants leave open, and the length and material of training.
 * With both branches, `form` sets the defaults of other options.
 */
export const GRAD_OPTIONS = {
  decoder: {
    kind: "choice",
    choices: DECODERS,
    frequent: true,
    default: ({ software }) => (software ? "tiny" : "mobile"),
    defaultText: "tiny on software adapters, else mobile",
    help: "size of the model",
  },
  branches: {
    kind: "choice",
    choices: ["both", "normal", "abnormal"],
    default: "both",
    frequent: true,
    help: "grids of the model",
  },
  form: {
    kind: "choice",
    choices: ["joined", "published"],
    default: "joined",
    frequent: true,
    help: "joined: hinge scores are added to the normal grid's map and score; published: the reconstructions are fused",
  },
  epochsAbnormal: {
    kind: "whole",
    least: 0,
    default: 10,
    brief: 1,
    frequent: true,
    help: "epochs of stage 1, which trains the abnormal grid on pasted blocks",
  },
  epochsNormal: {
    kind: "whole",
    least: 0,
    default: 50,
    brief: 1,
    frequent: true,
    help: "epochs of stage 2, which trains the reconstruction of good features",
  },
  epochsResidual: {
    kind: "whole",
    least: 0,
    default: 10,
    brief: 1,
    help: "epochs of stage 3, which trains the residual hinge (only if residualWeight is above 0)",
  },
  leastAbnormal: {
    kind: "whole",
    least: 1,
    brief: BRIEF_STEPS,
    default: byForm("leastAbnormal"),
    defaultText: "50; 300 for form joined",
    help: "minimum number of steps of stage 1",
  },
  leastNormal: {
    kind: "whole",
    least: 1,
    brief: BRIEF_STEPS,
    default: 500,
    frequent: true,
    help: "minimum number of steps of stage 2",
  },
  leastResidual: {
    kind: "whole",
    least: 1,
    default: 120,
    brief: BRIEF_STEPS,
    help: "minimum number of steps of stage 3",
  },
  enoughHits: {
    kind: "number",
    least: 0,
    most: 1,
    brief: 1,
    default: byForm("enoughHits"),
    defaultText: "0.99; 1 for form joined",
    help: "share of correct cells, normal and pasted, at which stages 1 and 3 end early; 1: never",
  },
  batch: {
    kind: "whole",
    least: 1,
    frequent: true,
    default: (context) => (isTiny(context) ? 8 : 16),
    defaultText: "8 for decoder tiny, else 16",
    help: "images a step",
  },
  anomalyShare: {
    kind: "share",
    default: 0.5,
    needsAnomalies: true,
    help: "share of real anomalies in a batch of stages 1 and 3, if any are given; 1: no blocks are pasted",
  },
  recompute: {
    kind: "flag",
    tuning: true,
    default: (context) => !isTiny(context),
    defaultText: "false for decoder tiny, else true",
    help: "recompute decoder blocks in the backward pass instead of storing them: same result, far less memory",
  },
  blocks: {
    kind: "whole",
    least: 1,
    most: 1000,
    default: ({ values }) => BLOCKS[String(values["decoder"])] ?? 1,
    defaultText: "1 for tiny, 11 for mobile, 9 for basic",
    help: "blocks of a decoder",
  },
  localGrid: {
    kind: "whole",
    least: 1,
    most: 1 << 10,
    default: 8,
    frequent: true,
    help: "cells along a side of the local grids, which each position looks up",
  },
  globalGrid: {
    kind: "whole",
    least: 1,
    most: 1 << 10,
    default: 4,
    help: "cells along a side of the global grids, which each image looks up",
  },
  heads: {
    kind: "choice",
    choices: ["shared", "separate"],
    default: byForm("heads"),
    defaultText: "separate for form joined, else shared",
    help: "shared: both branches use the same coordinates (as in the journal version); separate: each has its own heads",
  },
  standardise: {
    kind: "flag",
    default: true,
    help: "standardise the abnormal branch's queries per image and channel",
  },
  fusion: {
    kind: "choice",
    choices: ["learned", "sum", "lambda", "none"],
    default: byForm("fusion"),
    defaultText: "none for form joined, else learned",
    help: "how the reconstructions are fused: r_n + w r_a with w learned (learned) or 1 (sum), l r_n + (1 - l) r_a (lambda), r_n (none)",
  },
  lambda: { kind: "number", default: 0.5, usual: USUAL, help: "l in fusion lambda" },
  abnormalWeight: { kind: "number", default: -0.2, usual: USUAL, help: "initial value of w in fusion learned" },
  hingeHead: {
    kind: "choice",
    choices: ["channel", "own"],
    default: "channel",
    help: "what stage 1 trains: channel 0 of the abnormal reconstruction, or a 1x1 head of its own on it",
  },
  hinge: {
    kind: "number",
    usual: USUAL,
    default: 0.5,
    help: "margin of the hinge, beyond which stage 1 pushes scores or cosines",
  },
  pairs: {
    kind: "choice",
    choices: ["none", "cosine"],
    default: "none",
    help: "none: stage 1 compares scores with masks; cosine: it compares pairs of abnormal features",
  },
  pairCount: { kind: "whole", least: 1, most: 1 << 20, default: 256, help: "pairs of each kind a step" },
  hingeWeight: {
    kind: "number",
    least: 0,
    usual: USUAL,
    default: (context) => (context.values["pairs"] === "cosine" ? 0 : byForm("hingeWeight")(context)),
    defaultText: "0.2 for form joined, else 0",
    help: "weight of the hinge in the map, after both are scaled to unit spread over good images; 0: off",
  },
  hingeFloor: {
    kind: "number",
    default: 1,
    help: "standard deviations above the mean good score from which the hinge counts",
  },
  residualWeight: {
    kind: "number",
    least: 0,
    usual: USUAL,
    default: byForm("residualWeight"),
    defaultText: "4 for form joined, else 0",
    help: "weight of the residual hinge (trained in stage 3) in the image score; 0: no such hinge",
  },
  residualFloor: {
    kind: "number",
    default: 0,
    help: "standard deviations above the mean good score from which the residual hinge counts",
  },
  freeze: {
    kind: "choice",
    choices: ["grids", "branch"],
    default: byForm("freeze"),
    defaultText: "branch for form joined, else grids",
    help: "what stage 2 does not train: the abnormal grids, or the whole abnormal branch",
  },
  pasteDirection: {
    kind: "choice",
    choices: PASTE_DIRECTIONS,
    default: "random",
    help: "what pasting adds to features: the same to all channels, a random pattern, or differences to other features",
  },
  pasteIntensity: {
    kind: "pair",
    usual: USUAL,
    default: ({ values }) => INTENSITY[String(values["pasteDirection"])]!,
    defaultText: "1,3 deviations; 8,16 for equal; 1,1 for differences",
    help: "range of the pasted intensity",
  },
  pasteShared: {
    kind: "pair",
    default: [0, 0],
    help: "range of the share of a random pattern that is common to all cells of a block",
  },
  pasteSigns: {
    kind: "choice",
    choices: PASTE_SIGNS,
    default: "none",
    help: "what gets a random sign: nothing, each block, each channel of a block, or each channel of a cell",
  },
  pasteSource: {
    kind: "choice",
    choices: PASTE_SOURCES,
    default: "images",
    help: "where pasteDirection differences takes its features: other images, or other positions",
  },
  pasteWalk: {
    kind: "choice",
    choices: WALKS,
    default: "code",
    help: "how a block gets its shape: as in the published code, or in the paper",
  },
  pasteSteps: {
    kind: "whole",
    least: 0,
    default: 100,
    help: "steps of the walk; the paper's takes up to twice as many",
  },
  pasteMaxHalfSide: {
    kind: "number",
    default: null,
    defaultText: "a third of the map",
    help: "largest half side of a block, cells",
  },
  pasteRegion: {
    kind: "quadruple",
    default: [0, 0, 1, 1],
    help: "where blocks' centres may lie: left, top, right, bottom, as shares of the map",
  },
  pasteCount: { kind: "whole", least: 1, default: 1, help: "blocks pasted into each image" },
  pastePer: {
    kind: "choice",
    choices: PASTE_DRAWS,
    default: "image",
    help: "image: each image gets its own blocks; batch: all images of a batch get the same",
  },
  pasteBlurSigma: {
    kind: "number",
    default: 0.8,
    help: "standard deviation of the Gaussian that softens blocks, cells",
  },
  pasteBlurRadius: { kind: "whole", least: 0, default: 1, help: "radius of that Gaussian, cells; 0: no blur" },
} as const satisfies OptionTable;

/** Options of GRAD. */
export type GradOptions = OptionsOf<typeof GRAD_OPTIONS>;
/** The same, each with a value. */
export type GradSettings = ResolvedOptions<typeof GRAD_OPTIONS>;
