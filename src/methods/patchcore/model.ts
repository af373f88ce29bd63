import type { Weights } from "../../nn/weights.ts";
import { cast } from "../../ops/cast.ts";
import { multiply, scalar, subtract } from "../../ops/elementwise.ts";
import { gather } from "../../ops/gather.ts";
import { nearestRows } from "../../ops/nearest_rows.ts";
import { max, maxPositions } from "../../ops/reduce.ts";
import { l2Norm, softmax } from "../../ops/rows.ts";
import { reshape, slice } from "../../ops/shape.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { CellScores, Json, Model } from "../method.ts";
import { Bank } from "../parts/bank.ts";
import type { PatchCoreConfig } from "./config.ts";

/** A memory bank of cells of good images: a cell is as anomalous as its distance to the nearest row of the bank. */
export class PatchCoreModel implements Model {
  readonly weights: Weights;
  readonly bank: Bank;
  readonly #config: PatchCoreConfig;

  constructor(weights: Weights, config: PatchCoreConfig) {
    this.weights = weights;
    this.#config = config;
    this.bank = new Bank(weights, "bank", config.rows, config.channels);
  }

  get config(): Json {
    return this.#config;
  }

  get summary(): Model["summary"] {
    const { rows, channels, neighbours } = this.#config;
    return [
      ["Memory bank", `${rows} rows of ${channels} channels`],
      [
        "Image score",
        neighbours === 1 ? "the largest distance" : `the largest distance, re-weighted by ${neighbours} neighbours`,
      ],
    ];
  }

  score(features: Tensor): CellScores {
    const { distances: map, indices, cells } = this.bank.nearest(features);
    return this.#config.neighbours === 1 ? { map } : { map, image: this.#reweighted(cells, map, indices) };
  }

  /**
   * Re-weighted scores of images, `[N, 1, 1]`: the less a worst cell's nearest row is alone among the bank's, the less
   * its distance counts. With d_j the distances of the worst cell to the k rows nearest to m, its own nearest row,
   * which are m first: score = (1 - softmax_j(d)[first]) * d_first.
   * @param cells `[N, H, W, C]`, in the precision of the bank's rows
   * @param map `[N, H, W]`: distance of each cell to its nearest row
   * @param indices `[N, H, W, 1]`, u32: that row
   */
  #reweighted(cells: Tensor, map: Tensor, indices: Tensor): Tensor {
    const bank = this.bank.compared;
    const { neighbours } = this.#config;
    const [images, height, width, channels] = cells.shape as [number, number, number, number];
    const count = height * width;
    const worst = maxPositions(reshape(map, [images, count]));
    const cell = gather(reshape(cells, [images * count, channels]), worst);
    const nearest = gather(bank, gather(reshape(indices, [images * count]), worst));
    const around = gather(bank, reshape(nearestRows(nearest, bank, neighbours).indices, [images * neighbours]));
    const offsets = subtract(
      reshape(cast(cell, "f32"), [images, 1, channels]),
      reshape(cast(around, "f32"), [images, neighbours, channels]),
    );
    const share = reshape(slice(softmax(l2Norm(offsets)), 0, 1), [images, 1, 1, 1]);
    const largest = max(reshape(map, [images, height, width, 1]), [1, 2, 3]);
    return reshape(multiply(subtract(scalar(map.device, 1), share), largest), [images, 1, 1]);
  }
}
