import { selected } from "./selected.ts";

/** The data flow of PatchCore. */
export const patchcore = (): string =>
  selected({
    title: "PatchCore: the data flow",
    description:
      "A frozen backbone turns photographs into features. In training, the cells of all good images are gathered, and the farthest points among them, found in a random projection, become the rows of the memory bank. In scoring, each cell's distance to the nearest row is measured. Distances, enlarged and smoothed, are the map; the largest one is the score.",
    assembly: ["frozen backbone, 3 × 3 means,", "stages enlarged and joined"],
    features: ["features", "[N, H, W, C]"],
    seen: ["all good cells", "[N H W, C]"],
    learning: ["farthest points,", "in a random", "projection"],
    kept: ["memory bank M", "[K, C]"],
    measured: ["to the nearest", "row of M"],
    scoreOf: "cells",
  });
