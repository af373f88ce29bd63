import { farthestPointStep } from "../kernels/farthest_point.ts";
import { floatDType } from "../kernels/launch.ts";
import { OptionError, shapeError } from "../runtime/errors.ts";
import { readOptions } from "../runtime/options.ts";
import { empty, fromArray, type Tensor } from "../tensor/tensor.ts";

/** Where a choice of farthest points begins. */
export interface FarthestPointsOptions {
  /** The row that is chosen first. Default 0. */
  readonly start?: number;
}

const STEPS_A_SUBMIT = 64; // so that the GPU begins early, and no submission takes as long as a watchdog allows

/**
 * Rows that cover all rows well, chosen greedily: from `start`, each time the row whose nearest chosen one is farthest
 * away, the first of several (k-centre, the coreset of PatchCore). No row is chosen twice: where only rows equal to
 * chosen ones are left, they are chosen in order of index. A distance that is not a number counts as 0. One step is
 * captured and run again for the others, with nothing read back. Not differentiable.
 *
 * @param rows `[M, D]`, f32 or f16; distances are f32
 * @param count from 1 to M
 * @returns `[count]`, u32, in the order of choice
 * @throws ShapeError if the rows are u32 or no matrix; OptionError for a count or a start out of range, or an unknown
 * option
 * @see Gonzalez, "Clustering to minimize the maximum intercluster distance", 1985
 */
export function farthestPoints(rows: Tensor, count: number, options: FarthestPointsOptions = {}): Tensor {
  const { start } = readOptions<Required<FarthestPointsOptions>>("farthestPoints", options, { start: 0 });
  const { device } = rows;
  floatDType("farthestPoints", { rows });
  if (rows.shape.length !== 2 || rows.shape[1] === 0) {
    shapeError("farthestPoints", "expected rows [M,D] of at least one element each", { rows });
  }
  const most = rows.shape[0]!;
  if (!(Number.isInteger(count) && count >= 1 && count <= most)) {
    throw new OptionError(`farthestPoints: expected count, a whole number from 1 to the ${most} rows, got ${count}`);
  }
  if (!(Number.isInteger(start) && start >= 0 && start < most)) {
    throw new OptionError(`farthestPoints: expected start, a row from 0 to ${most - 1}, got ${start}`);
  }
  using scope = device.scope();
  const first = new Uint32Array(count);
  first[0] = start;
  const chosen = scope.keep(fromArray(device, [count], first));
  const state = { rows, chosen, position: fromArray(device, [1], Uint32Array.of(1)), distances: empty(device, [most]) };
  const step = (): void => farthestPointStep(state);
  if (count === 1) return chosen;
  if (device.isCapturing) { // the program of the caller has all steps
    for (let i = 1; i < count; i++) step();
    return chosen;
  }
  const { program } = device.capture(step);
  for (let i = 2; i < count; i++) {
    program.run();
    if (i % STEPS_A_SUBMIT === 0) device.submit();
  }
  program.release();
  return chosen;
}
