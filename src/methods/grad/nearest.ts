import { activation } from "../../ops/activation.ts";
import { divide, maximum, multiply, scalar, subtract } from "../../ops/elementwise.ts";
import { anomalyMap } from "../../ops/losses.ts";
import { averagePool } from "../../ops/pool.ts";
import { l2Norm } from "../../ops/rows.ts";
import { reshape } from "../../ops/shape.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { CellScores } from "../method.ts";
import type { Grad } from "./model.ts";

const LEAST_ERROR = 1e-20; // of a cell that is reconstructed exactly: its similarity is 1, and its score 0

/** The mean of 3 x 3 cells around each cell of `[N, H, W, C]`, of those that there are: what rows are compared with. */
export const surroundings = (features: Tensor): Tensor =>
  averagePool(features, 3, { stride: 1, padding: 1, countIncludePad: false });

/**
 * Distances K to the nearest good cells, weighed by the grids: in the map by how little the 3 x 3 cells around a cell are
 * like their reconstructions, u^1.5 K or, by the option `weighing`, u^0.5 K, with u the mean of 1 - s there and s the
 * similarity of GRAD's refinement; in the map of which the image's score is made by the refined error (1 - s) |r - a|,
 * n^(1/4) K, with n its mean there. Of two grids the geometric mean counts.
 * @param distances `[N, H, W]`
 */
export function weighedDistances(model: Grad, features: Tensor, distances: Tensor): CellScores {
  const { similarityThreshold: threshold } = model.config;
  const least = scalar(features.device, LEAST_ERROR);
  const seen = model.reconstructions(features).map((reconstruction) => {
    const error = reshape(l2Norm(subtract(features, reconstruction)), distances.shape);
    const refined = anomalyMap(features, reconstruction, { threshold });
    return { refined, unlike: divide(refined, maximum(error, least)) };
  });
  const refined = around(geometricMean(seen.map(({ refined }) => refined)));
  const unlike = around(geometricMean(seen.map(({ unlike }) => unlike)));
  const weak = root(unlike);
  return {
    map: multiply(model.config.weighing === "strong" ? multiply(unlike, weak) : weak, distances),
    image: multiply(root(root(refined)), distances),
  };
}

/** The mean of 3 x 3 values of `[N, H, W]` around each, as the distances are those of such means. */
const around = (map: Tensor): Tensor => reshape(surroundings(reshape(map, [...map.shape, 1])), map.shape);

/** The geometric mean of one tensor or two, none below 0. */
function geometricMean([first, second]: readonly Tensor[]): Tensor {
  return second ? root(multiply(first!, second)) : first!;
}

const root = (tensor: Tensor): Tensor => activation(tensor, "sqrt");
