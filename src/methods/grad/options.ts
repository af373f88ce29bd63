import type { OptionContext, OptionsOf, OptionTable, ResolvedOptions } from "../../runtime/option_table.ts";
import { GRID_OPTIONS, isSmall } from "../parts/grid_options.ts";
import { PASTE_OPTIONS } from "./paste_options.ts";

const USUAL = 1000; // far beyond what is of use
const BRIEF_STEPS = 8; // among the first eight of seed 0 some draw noise and some do not, in each stage

const PUBLISHED = {
  batch: 8,
  heads: "shared",
  fusion: "learned",
  freeze: "grids",
  standardise: true,
  abnormalTask: "detect",
  rows: 0,
  initialWeights: "small",
  hingeWeight: 0,
  residualWeight: 0,
  epochsAbnormal: 10,
  leastAbnormal: 50,
  epochsNormal: 50,
  leastNormal: 500,
  enoughHits: 0.99,
};
/** The normal grid alone. */
const NORMAL = { ...PUBLISHED, batch: 4, initialWeights: "byInputs", epochsNormal: 25, leastNormal: 400 };
const JOINED = {
  ...PUBLISHED,
  heads: "separate",
  fusion: "none",
  freeze: "branch",
  hingeWeight: 0.2,
  residualWeight: 4,
  leastAbnormal: 300,
  enoughHits: 1,
};
const NEAREST = {
  ...JOINED,
  batch: 4,
  standardise: false,
  abnormalTask: "restore",
  rows: 4096,
  initialWeights: "byInputs",
  hingeWeight: 0,
  residualWeight: 0,
  epochsAbnormal: 25,
  leastAbnormal: 400,
  epochsNormal: 25,
  leastNormal: 400,
};
type Form = Readonly<Record<keyof typeof PUBLISHED, string | number | boolean>>;
const FORMS: Readonly<Record<string, Form>> = { published: PUBLISHED, joined: JOINED, nearest: NEAREST };

/** The default of an option that `branches` and `form` decide. */
const byForm =
  (name: keyof Form) =>
  ({ values: { branches, form } }: OptionContext): Form[keyof Form] => {
    if (branches === "both") return FORMS[String(form)]![name];
    return (branches === "normal" ? NORMAL : PUBLISHED)[name];
  };

/**
 * Options of GRAD: the choices that the paper and its variants leave open, and the length and material of training.
 * With both branches, `form` sets the defaults of other options; with one, `branches` does.
 */
export const GRAD_OPTIONS = {
  decoder: GRID_OPTIONS.decoder,
  branches: {
    kind: "choice",
    choices: ["both", "normal", "abnormal"],
    default: "both",
    frequent: true,
    help: "grids of the model",
  },
  form: {
    kind: "choice",
    choices: ["nearest", "joined", "published"],
    default: "nearest",
    frequent: true,
    help: "nearest: both grids weigh distances to good cells; joined: hinge scores are added to the normal grid's errors; published: the reconstructions are fused",
  },
  epochsAbnormal: {
    kind: "whole",
    length: true,
    least: 0,
    default: byForm("epochsAbnormal"),
    defaultText: "25 for form nearest, else 10",
    brief: 1,
    frequent: true,
    help: "epochs of stage 1, which trains the abnormal grid on pasted blocks",
  },
  epochsNormal: {
    kind: "whole",
    length: true,
    least: 0,
    default: byForm("epochsNormal"),
    defaultText: "25 for form nearest and the normal grid alone, else 50",
    brief: 1,
    frequent: true,
    help: "epochs of stage 2, which trains the reconstruction of good features",
  },
  epochsResidual: {
    kind: "whole",
    length: true,
    least: 0,
    default: 10,
    brief: 1,
    help: "epochs of stage 3, which trains the residual hinge (only if residualWeight is above 0)",
  },
  leastAbnormal: {
    kind: "whole",
    length: true,
    least: 1,
    brief: BRIEF_STEPS,
    default: byForm("leastAbnormal"),
    defaultText: "400 for form nearest, 300 for joined, else 50",
    help: "minimum number of steps of stage 1",
  },
  leastNormal: {
    kind: "whole",
    length: true,
    least: 1,
    brief: BRIEF_STEPS,
    default: byForm("leastNormal"),
    defaultText: "400 for form nearest and the normal grid alone, else 500",
    frequent: true,
    help: "minimum number of steps of stage 2",
  },
  leastResidual: {
    kind: "whole",
    length: true,
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
    defaultText: "0.99 for form published, else 1",
    help: "share of correct cells, normal and pasted, at which stages 1 and 3 end early; 1: never",
  },
  batch: {
    kind: "whole",
    least: 1,
    frequent: true,
    default: (context) => (isSmall(context) ? byForm("batch")(context) : 16),
    defaultText: "16; with decoders tiny and compact 4 for form nearest and the normal grid alone, else 8",
    help: "images a step",
  },
  anomalyShare: {
    kind: "share",
    default: 0.5,
    needsAnomalies: true,
    help: "share of real anomalies in a batch of stages 1 and 3, if any are given; 1: no blocks are pasted",
  },
  recompute: GRID_OPTIONS.recompute,
  initialWeights: {
    kind: "choice",
    choices: ["small", "byInputs"],
    default: byForm("initialWeights"),
    defaultText: "byInputs for form nearest and the normal grid alone, else small",
    help: "spread of the initial weights of heads and decoders: 0.01, as published, or by a layer's number of inputs, from which a few hundred steps learn more",
  },
  half: {
    kind: "flag",
    default: false,
    frequent: true,
    help: "store the decoders' activations and gradients in half precision while training (f16; sums and weights stay f32)",
  },
  blocks: GRID_OPTIONS.blocks,
  localGrid: GRID_OPTIONS.localGrid,
  globalGrid: GRID_OPTIONS.globalGrid,
  gridChannels: GRID_OPTIONS.gridChannels,
  headWidth: GRID_OPTIONS.headWidth,
  heads: {
    kind: "choice",
    choices: ["shared", "separate"],
    default: byForm("heads"),
    defaultText: "shared for form published, else separate",
    help: "shared: both branches use the same coordinates (as in the paper); separate: each its own",
  },
  standardise: {
    kind: "flag",
    default: byForm("standardise"),
    defaultText: "false for form nearest, else true",
    help: "standardise the abnormal branch's queries per image and channel",
  },
  fusion: {
    kind: "choice",
    choices: ["learned", "sum", "lambda", "none"],
    default: byForm("fusion"),
    defaultText: "learned for form published, else none",
    help: "how the reconstructions are fused: r_n + w r_a with w learned (learned) or 1 (sum), l r_n + (1 - l) r_a (lambda), r_n (none)",
  },
  lambda: { kind: "number", default: 0.5, usual: USUAL, help: "l in fusion lambda" },
  abnormalWeight: { kind: "number", default: -0.2, usual: USUAL, help: "initial value of w in fusion learned" },
  hingeHead: {
    kind: "choice",
    choices: ["channel", "own"],
    default: "channel",
    help: "what the hinge sees: channel 0 of the abnormal reconstruction, or a 1x1 head on it",
  },
  abnormalTask: {
    kind: "choice",
    choices: ["restore", "detect"],
    default: byForm("abnormalTask"),
    defaultText: "restore for form nearest, else detect",
    help: "what stage 1 teaches the abnormal grid: to restore what lies under pasted blocks, or to detect them",
  },
  rows: {
    kind: "whole",
    least: 0,
    most: 1 << 16,
    default: byForm("rows"),
    defaultText: "4096 for form nearest, else 0",
    help: "good cells (3 x 3 means) kept for distances, at most half of all; 0: none",
  },
  weighing: {
    kind: "choice",
    choices: ["weak", "strong"],
    default: ({ pretrained }) => (pretrained ? "strong" : "weak"),
    defaultText: "strong; weak for the embedded backbone",
    help: "how much the grids weigh the distances to rows in the map: by u^0.5 (weak) or u^1.5 (strong)",
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
    help: "weight of the hinge in the map, both in units of their spread over good images; 0: off",
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
    help: "the same for the residual hinge",
  },
  freeze: {
    kind: "choice",
    choices: ["grids", "branch"],
    default: byForm("freeze"),
    defaultText: "grids for form published, else branch",
    help: "what stage 2 does not train: the abnormal grids, or the whole abnormal branch",
  },
  ...PASTE_OPTIONS,
} as const satisfies OptionTable;

/** Options of GRAD. */
export type GradOptions = OptionsOf<typeof GRAD_OPTIONS>;
/** The same, each with a value. */
export type GradSettings = ResolvedOptions<typeof GRAD_OPTIONS>;
