import { record } from "../autograd/tape.ts";
import { nearestRowsForward, type NearestRows } from "../kernels/nearest_rows.ts";
import { UsageError } from "../runtime/errors.ts";
import type { Tensor } from "../tensor/tensor.ts";

export type { NearestRows };

const NO_GRADIENT =
  "nearestRows: has no gradient; gather the rows by their indices and differentiate the distances to those";

/**
 * The k rows nearest to each query by Euclidean distance, nearest first, ties in order of index. Distances are squared,
 * and f32 for every input dtype: sums of squared differences, with a relative error of at most (C + 3) 2^-24, so that
 * equal rows are at distance 0 exactly. NaN distances come last, after infinity. The distances of all pairs are never
 * stored. Not differentiable.
 *
 * @param queries `[..., C]`, f32 or f16
 * @param rows `[M, C]`, the dtype of `queries`
 * @param k from 1 to 16, and at most M
 * @returns `squaredDistances` `[..., k]`, f32, and `indices` `[..., k]`, u32
 * @throws ShapeError if shapes or dtypes disagree with the above; OptionError for k out of range; UsageError if the
 *   gradient of a distance is requested
 */
export function nearestRows(queries: Tensor, rows: Tensor, k: number): NearestRows {
  const { squaredDistances, indices } = nearestRowsForward(queries, rows, k);
  const refuse = (): never => {
    throw new UsageError(NO_GRADIENT);
  };
  record(
    "nearestRowIndices",
    indices,
    [
      [queries, null],
      [rows, null],
    ],
    { k },
  );
  const recorded = record("nearestRows", squaredDistances, [
    [queries, refuse],
    [rows, refuse],
    [indices, null],
  ]);
  return { squaredDistances: recorded, indices };
}
