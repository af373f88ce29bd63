import { selected } from "./selected.ts";

/** The data flow of PaDiM. */
export const padim = (): string =>
  selected({
    title: "PaDiM: the data flow",
    description:
      "A frozen backbone turns photographs into features of d channels. In training, the mean and the covariance over all good images are computed for each cell of the grid, and kept as a mean and a factor. In scoring, each cell's Mahalanobis distance from its own Gaussian is measured. Distances, enlarged and smoothed, are the map; its largest value is the score.",
    assembly: ["frozen backbone, stages joined,", "C channels to d, standardised"],
    features: ["features x", "[N, H, W, d]"],
    seen: ["all good images", "a cell at a time: [n, d]"],
    learning: ["mean and", "covariance", "+ ε I"],
    kept: ["a Gaussian each cell", "m [H W, d], F [H W, d, r]"],
    measured: ["Mahalanobis distance", "from the Gaussian of", "the same cell"],
    scoreOf: "map",
  });
