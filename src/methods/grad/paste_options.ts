import { PASTE_DIRECTIONS, PASTE_DRAWS, PASTE_SIGNS, PASTE_SOURCES, WALKS } from "../../ops/feature_block_paste.ts";
import type { OptionTable } from "../../runtime/option_table.ts";

const USUAL = 1000; // far beyond what is of use
const INTENSITY: Readonly<Record<string, readonly [number, number]>> = {
  equal: [8, 16],
  random: [1, 3],
  differences: [1, 1],
};

/** Options of Feature Block Paste: how good features are disturbed. */
export const PASTE_OPTIONS = {
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
