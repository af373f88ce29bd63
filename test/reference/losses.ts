// Float64 definitions of GRAD's losses.

export interface Refinement {
  readonly channels: number;
  readonly threshold: number;
}

/** Similarity-based refinement at each position: mse, distance, and s = 0.3 [mse <= threshold] + 0.7 cos. */
export function refine(
  { channels, threshold }: Refinement,
  a: ArrayLike<number>,
  r: ArrayLike<number>,
): { readonly mse: number; readonly distance: number; readonly s: number }[] {
  return Array.from({ length: a.length / channels }, (_, position) => {
    const pick = (x: ArrayLike<number>) => Array.from({ length: channels }, (_c, c) => x[position * channels + c]!);
    const [target, given] = [pick(a), pick(r)];
    const dot = (x: number[], y: number[]) => x.reduce((sum, value, c) => sum + value * y[c]!, 0);
    const difference = given.map((value, c) => value - target[c]!);
    const squared = dot(difference, difference);
    const norm = (x: number[]) => Math.max(Math.sqrt(dot(x, x)), 1e-8);
    const mse = squared / channels;
    return {
      mse,
      distance: Math.sqrt(squared),
      s: 0.3 * (mse <= threshold ? 1 : 0) + (0.7 * dot(target, given)) / norm(target) / norm(given),
    };
  });
}

/** Mean over positions of (1 - s)^2 mse. */
export function reconstruction(p: Refinement, a: ArrayLike<number>, r: ArrayLike<number>): number {
  const positions = refine(p, a, r);
  return positions.reduce((sum, { mse, s }) => sum + (1 - s) ** 2 * mse, 0) / positions.length;
}

/** Its gradient in r: the closed form of the paper's refinement, mean over positions. */
export function reconstructionGradient(p: Refinement, a: ArrayLike<number>, r: ArrayLike<number>): Float64Array {
  const positions = refine(p, a, r);
  return Float64Array.from(r, (value, i) => {
    const first = i - (i % p.channels);
    let [aa, rr, ar] = [0, 0, 0];
    for (let c = first; c < first + p.channels; c++) {
      aa += a[c]! ** 2;
      rr += r[c]! ** 2;
      ar += a[c]! * r[c]!;
    }
    const { mse, s } = positions[first / p.channels]!;
    const slope = a[i]! / Math.sqrt(aa * rr) - (ar * value) / Math.sqrt(aa) / rr ** 1.5;
    return ((2 * (1 - s) ** 2 * (value - a[i]!)) / p.channels - 2 * (1 - s) * mse * 0.7 * slope) / positions.length;
  });
}

type Numbers = ArrayLike<number>;
export type Reduction = "mean" | "sum" | "none";

/** Weight of each loss in the reduced result. */
const share = (reduction: Reduction, count: number): number => (reduction === "mean" ? 1 / count : 1);

export function reduced(losses: Numbers, reduction: Reduction): Float64Array {
  if (reduction === "none") return Float64Array.from(losses);
  return Float64Array.of(Array.from(losses).reduce((sum, x) => sum + x, 0) * share(reduction, losses.length));
}

/** The upstream gradient of each loss before the reduction. */
export const spread = (gradLoss: Numbers, reduction: Reduction, count: number): Float64Array =>
  Float64Array.from({ length: count }, (_, i) =>
    reduction === "none" ? gradLoss[i]! : gradLoss[0]! * share(reduction, count),
  );

export interface Hinge {
  readonly threshold: number;
  readonly reduction: Reduction;
}

const short = (threshold: number, score: number, marked: number): number =>
  Math.max(0, threshold + (marked ? -score : score));

/** Weight of each position in the loss: means are over marked and unmarked positions separately. */
const weights = ({ reduction }: Hinge, mask: Numbers): number[] => {
  const marked = Array.from(mask).filter((m) => m === 1).length;
  return Array.from(mask, (m) => (reduction === "mean" ? 1 / (m ? marked : mask.length - marked) : 1));
};

export function hinge(p: Hinge, scores: Numbers, mask: Numbers): Float64Array {
  const losses = Float64Array.from(scores, (score, i) => short(p.threshold, score, mask[i]!) * weights(p, mask)[i]!);
  return p.reduction === "none" ? losses : Float64Array.of(losses.reduce((sum, x) => sum + x, 0));
}

export const hingeGradient = (p: Hinge, scores: Numbers, mask: Numbers, gradLoss: Numbers): Float64Array =>
  Float64Array.from(scores, (score, i) => {
    const slope = short(p.threshold, score, mask[i]!) > 0 ? (mask[i] ? -1 : 1) : 0;
    return slope * weights(p, mask)[i]! * gradLoss[p.reduction === "none" ? i : 0]!;
  });
