import type { Weights } from "../../nn/weights.ts";
import { activation } from "../../ops/activation.ts";
import { cast } from "../../ops/cast.ts";
import { add, maximum, multiply, scalar, subtract } from "../../ops/elementwise.ts";
import { matmul } from "../../ops/matmul.ts";
import { l2Norm } from "../../ops/rows.ts";
import { reshape, transpose } from "../../ops/shape.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { CellScores, Json, Model } from "../method.ts";
import { isWhitening, type PadimConfig } from "./config.ts";

/**
 * A Gaussian N(mean, S) for each cell: a cell is as anomalous as its Mahalanobis distance, sqrt(x' / S x) with x its
 * offset from the mean. Each is kept as a matrix F `[rows, C]`: with as many rows as dimensions it whitens, and the
 * distance is |F x|; with fewer it is sqrt((|x|^2 - |F x|^2) / epsilon). Before a cell is fitted, its mean is 0 and
 * S = epsilon I.
 */
export class PadimModel implements Model {
  readonly weights: Weights;
  /** `[H * W, C]` */
  readonly mean: Tensor;
  /** `[H * W, C, rows]`: F transposed. */
  readonly factor: Tensor;
  readonly #config: PadimConfig;
  readonly #half: () => { readonly factor?: Tensor } | null;

  constructor(weights: Weights, config: PadimConfig) {
    const { height, width, channels, rows, epsilon } = config;
    [this.weights, this.#config] = [weights, config];
    const cells = height * width;
    const whitens = isWhitening(config);
    const unfitted = (i: number): number =>
      whitens && Math.floor(i / rows) % channels === i % rows ? 1 / Math.sqrt(epsilon) : 0;
    this.mean = weights.state("mean", [cells, channels], () => 0);
    const factor = weights.state("factor", [cells, channels, rows], unfitted);
    this.factor = factor;
    // A difference of squares divided by epsilon would magnify the rounding of f16.
    this.#half = weights.derived<{ readonly factor?: Tensor }>(whitens ? [factor] : [], (dtype) =>
      whitens && dtype === "f16" ? { factor: cast(factor, dtype) } : {},
    );
  }

  get config(): Json {
    return this.#config;
  }

  get summary(): Model["summary"] {
    const { height, width, channels, rows, epsilon } = this.#config;
    const from = isWhitening(this.#config) ? "" : `, from ${rows} images`;
    return [
      ["Gaussians", `${height * width} of ${channels} dimensions${from}`],
      ["Added to variances", String(epsilon)],
    ];
  }

  score(features: Tensor): CellScores {
    const { height, width, channels } = this.#config;
    const images = features.shape[0]!;
    const offsets = subtract(reshape(features, [images, height * width, channels]), this.mean);
    const byCell = transpose(offsets, [1, 0, 2]);
    const factor = this.#half()?.factor ?? this.factor;
    const lengths = l2Norm(cast(matmul(cast(byCell, factor.dtype), factor), "f32"));
    const distances = isWhitening(this.#config) ? lengths : this.#beyond(l2Norm(byCell), lengths);
    return { map: reshape(transpose(distances, [1, 0]), [images, height, width]) };
  }

  /** sqrt((a^2 - b^2) / epsilon), of lengths a and b; 0 where rounding makes b the larger. */
  #beyond(a: Tensor, b: Tensor): Tensor {
    const { device } = a;
    const squares = multiply(maximum(subtract(a, b), scalar(device, 0)), add(a, b));
    return activation(multiply(squares, scalar(device, 1 / this.#config.epsilon)), "sqrt");
  }
}
