import { cosinePairLoss, hingeLoss, mseLoss, reconstructionLoss } from "../../src/ops/losses.ts";
import { fromArray } from "../../src/tensor/tensor.ts";
import { rng } from "../harness/bounds.ts";
import { device } from "../harness/device.ts";
import type { AnyOperation, Operation } from "../harness/operation.ts";
import * as reference from "../reference/losses.ts";
import { cosine, cosineBackward } from "../reference/rows.ts";

type Numbers = ArrayLike<number>;
const REDUCTIONS = ["mean", "sum", "none"] as const;
const filled = (count: number, value: number): Float64Array => new Float64Array(count).fill(value);
const most = (values: Numbers): number => Math.max(1, ...Array.from(values, Math.abs));

interface Refined {
  readonly positions: number;
  readonly channels: number;
  readonly threshold: number;
  readonly reduction: reference.Reduction;
}

/** The target of the reconstruction: multiples of 1/64, which f16 can hold. */
function targetOf({ positions, channels }: Refined): Float32Array {
  const random = rng(11);
  return Float32Array.from({ length: positions * channels }, () => Math.round(128 * random() - 64) / 64);
}

const reconstructionLossOperation: Operation<Refined> = {
  name: "reconstructionLoss",
  problems: [
    ["one position, ragged channels", { positions: 1, channels: 3, threshold: 10, reduction: "mean" }],
    ["everything similar", { positions: 70, channels: 8, threshold: 10, reduction: "mean" }],
    ["nothing similar", { positions: 70, channels: 8, threshold: 0, reduction: "mean" }],
    ["some similar, channels of GRAD on B6", { positions: 9, channels: 272, threshold: 0.66, reduction: "mean" }],
    ["a sum", { positions: 20, channels: 5, threshold: 10, reduction: "sum" }],
    ["each position", { positions: 20, channels: 4, threshold: 10, reduction: "none" }],
  ],
  draw: (draws) => ({
    positions: draws.whole(1, 20),
    channels: draws.whole(2, 12),
    threshold: draws.pick([0, 10]),
    reduction: draws.pick(REDUCTIONS),
  }),
  shapes: ({ positions, channels }) => [[positions, channels]],
  run: (p, [r]) => {
    const target = fromArray(device, [p.positions, p.channels], targetOf(p), r!.dtype);
    return reconstructionLoss(target, r!, { threshold: p.threshold, reduction: p.reduction });
  },
  forward: (p, [r]) =>
    reference.reduced(
      reference.refine(p, targetOf(p), r!).map(({ mse, s }) => (1 - s) ** 2 * mse),
      p.reduction,
    ),
  backward: (p, [r], gradLoss) => {
    const upstream = reference.spread(gradLoss, p.reduction, p.positions);
    return [
      reference
        .reconstructionGradient(p, targetOf(p), r!)
        .map((value, i) => value * p.positions * upstream[Math.floor(i / p.channels)]!),
    ];
  },
  // All terms are of order one at each position; the cosine divides twice, by norms that may be small.
  magnitudes: (p, [r], gradLoss) => {
    const upstream = reference.spread(Array.from(gradLoss, Math.abs), p.reduction, p.positions);
    const size = (row: number) => Math.hypot(...Array.from(r!).slice(row * p.channels, (row + 1) * p.channels));
    return {
      output: filled(p.reduction === "none" ? p.positions : 1, p.reduction === "sum" ? 8 * p.positions : 8),
      grads: [
        Float64Array.from(
          r!,
          (_, i) => (16 + 16 / size(Math.floor(i / p.channels))) * upstream[Math.floor(i / p.channels)]!,
        ),
      ],
    };
  },
  slack: ({ positions, channels }) => 32 + positions + channels,
  exact: null,
};

interface Squared {
  readonly count: number;
  readonly reduction: reference.Reduction;
}

const mseLossOf = (reductions: readonly reference.Reduction[]): Operation<Squared> => ({
  name: "mseLoss",
  problems: reductions.flatMap((reduction) => [
    [`${reduction}, packed`, { count: 72, reduction }] as const,
    [`${reduction}, ragged`, { count: 131, reduction }] as const,
  ]),
  draw: (draws) => ({ count: draws.pick([1, 2, 4, 7, 130, 300]), reduction: draws.pick(reductions) }),
  shapes: ({ count }) => [[count], [count]],
  run: ({ reduction }, [a, b]) => mseLoss(a!, b!, { reduction }),
  forward: (p, [a, b]) =>
    reference.reduced(
      Array.from(a!, (x, i) => (x - b![i]!) ** 2),
      p.reduction,
    ),
  backward: (p, [a, b], gradLoss) => {
    const grad = reference.spread(gradLoss, p.reduction, p.count).map((g, i) => 2 * g * (a![i]! - b![i]!));
    return [grad, grad.map((g) => -g)];
  },
  magnitudes: (p, _inputs, gradLoss) => {
    const upstream = reference.spread(Array.from(gradLoss, Math.abs), p.reduction, p.count).map((g) => 4 * g);
    return {
      output: p.reduction === "none" ? filled(p.count, 4) : [p.reduction === "sum" ? 4 * p.count : 4],
      grads: [upstream, upstream],
    };
  },
  slack: ({ count }) => 8 + count,
});

interface Scored extends reference.Hinge {
  readonly count: number;
}
const maskOf = (count: number): Float32Array => Float32Array.from({ length: count }, (_, i) => (i % 3 === 0 ? 1 : 0));

const hingeLossOf = (reductions: readonly reference.Reduction[]): Operation<Scored> => ({
  name: "hingeLoss",
  problems: reductions.flatMap((reduction) => [
    [`${reduction}, ragged, one slice`, { count: 41, threshold: 0.5, reduction }] as const,
    [`${reduction}, packed, three slices`, { count: 4 * 300, threshold: 0.5, reduction }] as const,
  ]),
  draw: (draws) => ({
    count: draws.pick([2, 3, 8, 50, 200]),
    threshold: draws.pick([0, 0.25, 0.5, -0.25]),
    reduction: draws.pick(reductions),
  }),
  shapes: ({ count }) => [[count]],
  run: ({ count, threshold, reduction }, [scores]) =>
    hingeLoss(scores!, fromArray(device, [count], maskOf(count)), { threshold, reduction }).loss,
  forward: (p, [scores]) => reference.hinge(p, scores!, maskOf(p.count)),
  backward: (p, [scores], gradLoss) => [reference.hingeGradient(p, scores!, maskOf(p.count), gradLoss)],
  magnitudes: (p, _scores, gradLoss) => ({
    output: p.reduction === "none" ? filled(p.count, 2) : [p.reduction === "sum" ? 2 * p.count : 4],
    grads: [filled(p.count, most(gradLoss))],
  }),
  slack: ({ count }) => 8 + count,
});

interface Pairs extends reference.Hinge {
  readonly rows: number;
  readonly channels: number;
  readonly count: number;
}

const pairsOf = ({ rows, count }: Pairs): Uint32Array =>
  Uint32Array.from({ length: 2 * count }, (_, i) => (7 * i + (i >> 1)) % rows);

const cosinePairLossOperation: Operation<Pairs> = {
  name: "cosinePairLoss",
  problems: [
    ["mean", { rows: 9, channels: 8, count: 20, threshold: 0.5, reduction: "mean" }],
    ["sum, ragged", { rows: 5, channels: 3, count: 7, threshold: 0.25, reduction: "sum" }],
    ["each pair", { rows: 6, channels: 5, count: 11, threshold: 0.5, reduction: "none" }],
  ],
  draw: (draws) => ({
    rows: draws.whole(2, 9),
    channels: draws.whole(2, 12),
    count: draws.whole(2, 30),
    threshold: draws.pick([0.25, 0.5]),
    reduction: draws.pick(REDUCTIONS),
  }),
  shapes: ({ rows, channels }) => [[rows, channels]],
  run: (p, [features]) => {
    const pairs = fromArray(device, [p.count, 2], pairsOf(p));
    return cosinePairLoss(features!, pairs, fromArray(device, [p.count], maskOf(p.count)), {
      threshold: p.threshold,
      reduction: p.reduction,
    }).loss;
  },
  forward: (p, [features]) =>
    reference.hinge(
      p,
      cosine({ rows: p.count, channels: p.channels }, side(p, features!, 0), side(p, features!, 1)),
      maskOf(p.count),
    ),
  backward: (p, [features], gradLoss) => {
    const rows = { rows: p.count, channels: p.channels };
    const [a, b] = [side(p, features!, 0), side(p, features!, 1)];
    const upstream = reference.hingeGradient(p, cosine(rows, a, b), maskOf(p.count), gradLoss);
    const grad = new Float64Array(features!.length);
    [cosineBackward(rows, a, b, upstream), cosineBackward(rows, b, a, upstream)].forEach((part, index) =>
      part.forEach(
        (g, i) => (grad[pairsOf(p)[2 * Math.floor(i / p.channels) + index]! * p.channels + (i % p.channels)]! += g),
      ),
    );
    return [grad];
  },
  magnitudes: (p, _features, gradLoss) => ({
    output: p.reduction === "none" ? filled(p.count, 2) : [p.reduction === "sum" ? 2 * p.count : 4],
    grads: [filled(p.rows * p.channels, 4 * p.count * most(gradLoss))],
  }),
  value: (random) => (1 + random()) * (random() < 0.5 ? -1 : 1),
  smooth: true,
  slack: ({ channels, count }) => 60 + 2 * channels + count,
  exact: null,
  half: 6, // rows, cosines, and back, with sums over rows that are in several pairs
};

const side = (p: Pairs, features: Numbers, index: number): Float64Array =>
  Float64Array.from(
    { length: p.count * p.channels },
    (_, i) => features[pairsOf(p)[2 * Math.floor(i / p.channels) + index]! * p.channels + (i % p.channels)]!,
  );

/** Exact if nothing is divided. */
export const lossOperations: readonly AnyOperation[] = [
  reconstructionLossOperation,
  mseLossOf(["sum", "none"]),
  { ...mseLossOf(["mean"]), name: "mseLoss by its mean", exact: null },
  { ...hingeLossOf(["sum", "none"]), exact: (random: () => number) => (Math.floor(17 * random()) - 8) / 4 },
  { ...hingeLossOf(["mean"]), name: "hingeLoss by its mean", exact: null },
  cosinePairLossOperation,
];
