import { cosineSimilarity, l2Norm, l2Normalize, layerNorm, softmax } from "../../src/ops/rows.ts";
import type { Draws } from "../harness/draws.ts";
import type { Operation } from "../harness/operation.ts";
import * as reference from "../reference/rows.ts";
import type { Rows } from "../reference/rows.ts";

const PROBLEMS: Operation<Rows>["problems"] = [
  ["one element", { rows: 1, channels: 1 }],
  ["two lanes to a row", { rows: 5, channels: 8 }],
  ["ragged, lanes without an element", { rows: 7, channels: 5 }],
  ["as many lanes as a workgroup has", { rows: 3, channels: 4 * 64 }],
  ["rows longer than a workgroup", { rows: 2, channels: 4 * 65 + 4 }],
  ["ragged rows longer than a workgroup", { rows: 2, channels: 131 }],
  ["more rows than a workgroup takes", { rows: 70, channels: 4 }],
];
const draw = (draws: Draws): Rows => ({
  rows: draws.whole(1, 20),
  channels: draws.chance(0.2) ? draws.whole(60, 300) : draws.channels(),
});
const shapes = ({ rows, channels }: Rows) => [[rows, channels]];
/** Away from zero: norms are at least 1. */
const far = (random: () => number): number => (1 + random()) * (random() < 0.5 ? -1 : 1);
const most = (values: ArrayLike<number>): number => Math.max(1, ...Array.from(values, Math.abs));
/** Roundings of sums over a row, in lanes and their tree, and of a division, a root and an exponential. */
const slack = ({ channels }: Rows): number => 40 + 2 * channels;
const filled = (count: number, value: number): Float64Array => new Float64Array(count).fill(value);

export const softmaxOperation: Operation<Rows> = {
  name: "softmax",
  problems: PROBLEMS,
  draw,
  shapes,
  slack,
  run: (_p, [x]) => softmax(x!),
  forward: (p, [x]) => reference.softmax(p, x!),
  backward: (p, [x], g) => [reference.softmaxBackward(p, x!, g)],
  magnitudes: (p, [x], g) => ({
    output: reference.softmax(p, x!),
    grads: [reference.softmax(p, x!).map((y) => 2 * y * most(g) + 1e-7)],
  }),
  value: (random) => 6 * random() - 3,
  exact: null,
  half: 3, // the gradient uses the stored output twice
};

export const layerNormOperation: Operation<Rows> = {
  name: "layerNorm",
  problems: PROBLEMS.filter(([, { channels }]) => channels > 1),
  draw: (draws) => ({
    rows: draws.whole(1, 20),
    channels: draws.chance(0.2) ? draws.whole(60, 300) : draws.whole(4, 12),
  }),
  shapes: ({ rows, channels }) => [
    [rows, channels],
    [2, channels],
  ],
  wide: [1],
  slack,
  run: (_p, [x, affine]) => layerNorm(x!, affine),
  forward: (p, [x, affine]) => reference.layerNorm(p, x!, affine!, 1e-5),
  backward: (p, [x, affine], g) => reference.layerNormBackward(p, x!, affine!, g, 1e-5),
  // Values have sizes between 1 and 2 with either sign, or are only a few different ones; a row's deviation is far from
  // zero unless all its values are alike.
  magnitudes: (p, [x, affine], g) => {
    const scale = Math.max(
      ...Array.from(
        { length: p.rows },
        (_, row) => 2 / std(Array.from(x!).slice(row * p.channels, (row + 1) * p.channels)),
      ),
    );
    const size = most(affine!) * (1 + scale);
    return {
      output: filled(x!.length, size),
      grads: [
        filled(x!.length, size * (1 + scale) ** 2 * most(g)),
        filled(affine!.length, p.rows * (1 + scale) * most(g)),
      ],
    };
  },
  value: (random, i) => (i === 0 ? far(random) : 2 * random() - 1),
  exact: null,
};

const plain = (channels: number): Float64Array =>
  Float64Array.from({ length: 2 * channels }, (_, i) => (i < channels ? 1 : 0));

export const layerNormPlainOperation: Operation<Rows> = {
  ...layerNormOperation,
  name: "layerNorm without parameters",
  problems: PROBLEMS.filter(([why]) => why.startsWith("ragged") || why.startsWith("as many lanes")),
  shapes,
  run: (_p, [x]) => layerNorm(x!),
  forward: (p, [x]) => reference.layerNorm(p, x!, plain(p.channels), 1e-5),
  backward: (p, [x], g) => [reference.layerNormBackward(p, x!, plain(p.channels), g, 1e-5)[0]!],
  magnitudes: (p, [x], g) => {
    const { output, grads } = layerNormOperation.magnitudes!(p, [x!, plain(p.channels)], g);
    return { output, grads: [grads[0]!] };
  },
};

const std = (x: readonly number[]): number => {
  const mean = x.reduce((sum, value) => sum + value, 0) / x.length;
  return Math.sqrt(x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / x.length + 1e-5);
};

export const l2NormOperation: Operation<Rows> = {
  name: "l2Norm",
  problems: PROBLEMS,
  draw,
  shapes,
  slack,
  run: (_p, [x]) => l2Norm(x!),
  forward: (p, [x]) => reference.l2Norm(p, x!),
  backward: (p, [x], g) => [reference.l2NormBackward(p, x!, g)],
  magnitudes: (p, [x], g) => ({
    output: reference.l2Norm(p, x!),
    grads: [reference.l2NormBackward(p, Array.from(x!, Math.abs), Array.from(g, Math.abs))],
  }),
  value: far,
  exact: null,
};

export const l2NormalizeOperation: Operation<Rows> = {
  name: "l2Normalize",
  problems: PROBLEMS,
  draw,
  shapes,
  slack,
  run: (_p, [x]) => l2Normalize(x!),
  forward: (p, [x]) => reference.l2Normalize(p, x!, 1e-12),
  backward: (p, [x], g) => [reference.l2NormalizeBackward(p, x!, g, 1e-12)],
  magnitudes: (_p, [x], g) => ({ output: filled(x!.length, 1), grads: [filled(x!.length, 3 * most(g))] }),
  value: far,
  exact: null,
};

/** An eps that about half of the rows are below: rows of four numbers in [-1, 1] have about this norm. */
const CLAMP = 1.1;
const CLAMPED = {
  problems: [
    ["packed rows on either side of eps", { rows: 24, channels: 4 }],
    ["ragged rows on either side of eps", { rows: 24, channels: 5 }],
  ],
  draw: (draws) => ({ rows: draws.whole(1, 20), channels: draws.whole(1, 6) }),
  value: (random) => 2 * random() - 1,
} satisfies Partial<Operation<Rows>>;

export const l2NormalizeClampedOperation: Operation<Rows> = {
  ...l2NormalizeOperation,
  ...CLAMPED,
  name: "l2Normalize of short rows",
  run: (_p, [x]) => l2Normalize(x!, { eps: CLAMP }),
  forward: (p, [x]) => reference.l2Normalize(p, x!, CLAMP),
  backward: (p, [x], g) => [reference.l2NormalizeBackward(p, x!, g, CLAMP)],
};

export const cosineSimilarityOperation: Operation<Rows> = {
  name: "cosineSimilarity",
  problems: PROBLEMS,
  draw,
  slack,
  shapes: ({ rows, channels }) => [
    [rows, channels],
    [rows, channels],
  ],
  run: (_p, [a, b]) => cosineSimilarity(a!, b!),
  forward: (p, [a, b]) => reference.cosine(p, a!, b!),
  backward: (p, [a, b], g) => [reference.cosineBackward(p, a!, b!, g), reference.cosineBackward(p, b!, a!, g)],
  magnitudes: (p, [a], g) => ({
    output: filled(p.rows, 1),
    grads: [filled(a!.length, 3 * most(g)), filled(a!.length, 3 * most(g))],
  }),
  value: far,
  exact: null,
};

export const cosineSimilarityClampedOperation: Operation<Rows> = {
  ...cosineSimilarityOperation,
  ...CLAMPED,
  name: "cosineSimilarity of short rows",
  run: (_p, [a, b]) => cosineSimilarity(a!, b!, { eps: CLAMP }),
  forward: (p, [a, b]) => reference.cosine(p, a!, b!, CLAMP),
  backward: (p, [a, b], g) => [
    reference.cosineBackward(p, a!, b!, g, CLAMP),
    reference.cosineBackward(p, b!, a!, g, CLAMP),
  ],
};
