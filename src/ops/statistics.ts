import { record } from "../autograd/tape.ts";
import { histogramForward, type HistogramOptions } from "../kernels/histogram.ts";
import { readOptions } from "../runtime/options.ts";
import { exclusiveScan as scanForward } from "../kernels/scan.ts";
import { topKMeanBackwardInput, topKMeanForward } from "../kernels/top_k_mean.ts";
import type { Tensor } from "../tensor/tensor.ts";

/**
 * The mean of the k largest elements along the last axis, without sorting. Differentiable: elements tied with the k-th
 * largest share its remaining weight.
 *
 * @param input `[..., N]`, f32 or f16
 * @param k from 1 to N
 * @returns `[...]`, the input's dtype
 * @throws ShapeError if the input is u32 or a scalar; OptionError for k out of range
 */
export function topKMean(input: Tensor, k: number): Tensor {
  const { output, selection } = topKMeanForward(input, k);
  return record("topKMean", output, [[input, (gradOutput) => topKMeanBackwardInput(input, selection, gradOutput, k)]], {
    k,
  });
}

/**
 * Counts the elements in each of `bins` equal intervals between `low` and `high`; elements outside, and NaN, are not
 * counted. Not differentiable.
 *
 * @param input any shape, f32 or f16
 * @returns `[bins]`, u32
 * @throws ShapeError if the input is u32; OptionError unless bins >= 1 and low < high, or for an unknown option
 * @see https://pytorch.org/docs/stable/generated/torch.histc.html
 */
export function histogram(input: Tensor, options: Partial<HistogramOptions> = {}): Tensor {
  return histogramForward(input, readOptions<HistogramOptions>("histogram", options, { bins: 100, low: 0, high: 1 }));
}

/**
 * Exclusive prefix sums over all elements, row-major; the last is the total. Not differentiable.
 *
 * @param input any shape, u32
 * @returns `[count + 1]`, u32, modulo 2^32
 * @throws ShapeError if the input is not u32
 */
export const exclusiveScan = (input: Tensor): Tensor => scanForward(input);
