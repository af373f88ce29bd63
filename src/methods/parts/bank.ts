import type { Weights } from "../../nn/weights.ts";
import { activation } from "../../ops/activation.ts";
import { cast } from "../../ops/cast.ts";
import { nearestRows } from "../../ops/nearest_rows.ts";
import { reshape } from "../../ops/shape.ts";
import type { Tensor } from "../../tensor/tensor.ts";

/** Cells of good images, kept with the weights; in half precision where the weights are frozen to it. */
export class Bank {
  /** `[K, C]`, f32. */
  readonly rows: Tensor;
  readonly #half: () => { readonly rows?: Tensor } | null;

  /** @param name of its tensor among the weights */
  constructor(weights: Weights, name: string, rows: number, channels: number) {
    const all = weights.state(name, [rows, channels], () => 0);
    this.rows = all;
    this.#half = weights.derived<{ readonly rows?: Tensor }>([all], (dtype) =>
      dtype === "f16" ? { rows: cast(all, dtype) } : {},
    );
  }

  /** The rows in the precision in which they are compared. */
  get compared(): Tensor {
    return this.#half()?.rows ?? this.rows;
  }

  /**
   * The row nearest to each cell.
   * @param features `[N, H, W, C]`, f32
   * @returns its distance, `[N, H, W]`, its index, `[N, H, W, 1]`, and the cells as they were compared
   */
  nearest(features: Tensor): { readonly distances: Tensor; readonly indices: Tensor; readonly cells: Tensor } {
    const rows = this.compared;
    const cells = cast(features, rows.dtype);
    const { squaredDistances, indices } = nearestRows(cells, rows, 1);
    return { distances: reshape(activation(squaredDistances, "sqrt"), features.shape.slice(0, -1)), indices, cells };
  }
}
