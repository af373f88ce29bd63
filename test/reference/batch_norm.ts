// Float64 definition of normalisation over the rows of each group, in two plain passes.

export interface Problem {
  readonly groups: number;
  readonly extent: number;
  readonly channels: number;
  readonly eps: number;
  /** 0: variance over M; 1: over M - 1. */
  readonly correction: 0 | 1;
}

/** Mean and variance by group and channel. */
export function statistics(
  { groups, extent, channels, correction }: Problem,
  x: ArrayLike<number>,
): { readonly mean: Float64Array; readonly variance: Float64Array } {
  const [mean, variance] = [new Float64Array(groups * channels), new Float64Array(groups * channels)];
  for (let i = 0; i < groups * channels; i++) {
    const at = (m: number) => x[(Math.floor(i / channels) * extent + m) * channels + (i % channels)]!;
    for (let m = 0; m < extent; m++) mean[i]! += at(m) / extent;
    for (let m = 0; m < extent; m++) variance[i]! += (at(m) - mean[i]!) ** 2 / (extent - correction);
  }
  return { mean, variance };
}

/** (x - mean) / sqrt(variance + eps). */
export function normalised(p: Problem, x: ArrayLike<number>): Float64Array {
  const { mean, variance } = statistics(p, x);
  return Float64Array.from(x, (value, i) => {
    const at = Math.floor(i / (p.extent * p.channels)) * p.channels + (i % p.channels);
    return (value - mean[at]!) / Math.sqrt(variance[at]! + p.eps);
  });
}

/** Gradient of g . normalised(x), by the chain rule through mean and variance. */
export function backward(p: Problem, x: ArrayLike<number>, g: ArrayLike<number>): Float64Array {
  const { groups, extent, channels, eps, correction } = p;
  const { mean, variance } = statistics(p, x);
  const grad = new Float64Array(x.length);
  for (let i = 0; i < groups * channels; i++) {
    const index = (m: number) => (Math.floor(i / channels) * extent + m) * channels + (i % channels);
    const std = Math.sqrt(variance[i]! + eps);
    let [gradMean, gradVariance] = [0, 0];
    for (let m = 0; m < extent; m++) {
      gradMean -= g[index(m)]! / std;
      gradVariance -= (g[index(m)]! * (x[index(m)]! - mean[i]!)) / (2 * std ** 3);
    }
    for (let m = 0; m < extent; m++) {
      grad[index(m)] =
        g[index(m)]! / std + gradMean / extent + (gradVariance * 2 * (x[index(m)]! - mean[i]!)) / (extent - correction);
    }
  }
  return grad;
}
