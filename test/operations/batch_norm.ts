import { batchNorm, batchNormInference, standardize } from "../../src/ops/batch_norm.ts";
import type { Activation } from "../../src/ops/activation.ts";
import { fromArray } from "../../src/tensor/tensor.ts";
import { device } from "../harness/device.ts";
import type { Operation } from "../harness/operation.ts";
import { definitionOf } from "../reference/activation.ts";
import * as reference from "../reference/batch_norm.ts";
import type { Problem } from "../reference/batch_norm.ts";

const EPS = 1e-5;
const SMOOTH = ["silu", "tanh", "gelu"] as const; // at a kink, rounding decides the slope

/** Every element's error may come from all roundings of its group's sums. */
const slack = ({ extent }: Problem) => 16 + 4 * extent;

/** |value| of the normalised input is a few units; its gradient is of the order of g / std. */
const magnitudes = (p: Problem, x: ArrayLike<number>, g: ArrayLike<number>) => {
  const { variance } = reference.statistics(p, x);
  const largest = 1 / Math.sqrt(Math.min(...variance) + p.eps);
  const total = Math.max(...Array.from(g, Math.abs));
  return {
    output: Array.from(x, (v) => 1 + Math.abs(v) * largest),
    grads: [Array.from(x, (v) => (1 + Math.abs(v)) * total * largest * largest)],
  };
};

export const standardizeOperation: Operation<Problem> = {
  name: "standardize",
  problems: [
    ["two positions, one channel", { groups: 2, extent: 2, channels: 1, eps: EPS, correction: 1 }],
    ["ragged channels", { groups: 2, extent: 12, channels: 3, eps: EPS, correction: 1 }],
    ["packed channels, two slices of rows", { groups: 2, extent: 140, channels: 4, eps: EPS, correction: 1 }],
  ],
  draw: (draws) => ({
    groups: draws.whole(1, 3),
    extent: 2 * draws.pick([1, 2, 3, 10, 70]),
    channels: draws.channels(),
    eps: EPS,
    correction: 1,
  }),
  shapes: ({ groups, extent, channels }) => [[groups, 2, extent / 2, channels]],
  run: (_p, [x]) => standardize(x!),
  forward: (p, [x]) => reference.normalised(p, x!),
  backward: (p, [x], g) => [reference.backward(p, x!, g)],
  magnitudes: (p, [x], g) => magnitudes(p, x!, g),
  slack,
  exact: null, // a square root and a division
};

const running = (channels: number) =>
  fromArray(
    device,
    [2, channels],
    Float32Array.from({ length: 2 * channels }, (_, i) => (i < channels ? 0 : 1)),
  );

export const batchNormOperation: Operation<Problem> = {
  name: "batchNorm",
  problems: [
    ["two rows, one channel", { groups: 1, extent: 2, channels: 1, eps: EPS, correction: 0 }],
    ["ragged channels", { groups: 1, extent: 30, channels: 5, eps: EPS, correction: 0 }],
    ["packed channels, several slices of rows", { groups: 1, extent: 300, channels: 8, eps: EPS, correction: 0 }],
  ],
  draw: (draws) => ({
    groups: 1,
    extent: draws.pick([2, 3, 7, 40, 130]),
    channels: draws.channels(),
    eps: EPS,
    correction: 0,
  }),
  wide: [1],
  shapes: ({ extent, channels }) => [
    [extent, channels],
    [2, channels],
  ],
  run: ({ channels }, [x, affine]) => batchNorm(x!, affine!, running(channels)),
  forward: (p, [x, affine]) =>
    reference.normalised(p, x!).map((h, i) => affine![i % p.channels]! * h + affine![p.channels + (i % p.channels)]!),
  backward: (p, [x, affine], g) => {
    const h = reference.normalised(p, x!);
    const gradAffine = new Float64Array(2 * p.channels);
    h.forEach((value, i) => {
      gradAffine[i % p.channels]! += g[i]! * value;
      gradAffine[p.channels + (i % p.channels)]! += g[i]!;
    });
    return [
      reference.backward(
        p,
        x!,
        Array.from(g, (value, i) => value * affine![i % p.channels]!),
      ),
      gradAffine,
    ];
  },
  magnitudes: (p, [x, affine], g) => {
    const { output, grads } = magnitudes(p, x!, g);
    const scale = 1 + Math.max(...Array.from(affine!, Math.abs));
    const total = Math.max(...Array.from(g, Math.abs)) * p.extent * Math.max(...Array.from(output));
    return {
      output: Array.from(output, (m) => scale * m),
      grads: [Array.from(grads[0]!, (m) => scale * m), Array.from(affine!, () => total)],
    };
  },
  slack,
  exact: null,
};

interface Activated {
  readonly norm: Problem;
  readonly activation: Activation;
}

const normed = batchNormOperation.forward;

/** Batch norm followed by an activation: the norm transforms the activation's gradient. */
export const batchNormActivationOperation: Operation<Activated> = {
  name: "batchNorm ending in an activation",
  problems: batchNormOperation.problems.map(([why, norm], i) => [why, { norm, activation: SMOOTH[i]! }]),
  draw: (draws) => ({ norm: batchNormOperation.draw(draws), activation: draws.pick(SMOOTH) }),
  wide: [1],
  shapes: ({ norm }) => batchNormOperation.shapes(norm),
  run: ({ norm: { channels }, activation }, [x, affine]) => batchNorm(x!, affine!, running(channels), { activation }),
  forward: ({ norm, activation }, inputs) => Float64Array.from(normed(norm, inputs), definitionOf(activation).value),
  backward: ({ norm, activation }, inputs, g) => {
    const { slope } = definitionOf(activation);
    return batchNormOperation.backward!(
      norm,
      inputs,
      Float64Array.from(normed(norm, inputs), (y, i) => g[i]! * slope(y)),
    );
  },
  // The slope is at most 1.2, and so is its change for each unit of error in the normalised value.
  magnitudes: ({ norm }, inputs, g) => {
    const { output, grads } = batchNormOperation.magnitudes!(norm, inputs, g);
    const most = 1 + Math.max(...Array.from(output));
    return {
      output: Array.from(output, (m) => 2 * m),
      grads: grads.map((all) => Array.from(all, (m) => 2 * most * m)),
    };
  },
  slack: ({ norm }) => slack(norm),
  exact: null,
};

/** Given statistics: mean c / 4 and variance 1 + c / 8 of channel c, exact in f32. */
const given = (channels: number) =>
  Float32Array.from({ length: 2 * channels }, (_, i) => (i < channels ? i / 4 : 1 + (i - channels) / 8));
const stdOf = (c: number) => Math.sqrt(1 + c / 8 + EPS);

export const batchNormInferenceOperation: Operation<{ readonly extent: number; readonly channels: number }> = {
  name: "batchNormInference",
  problems: [
    ["one row", { extent: 1, channels: 3 }],
    ["packed", { extent: 150, channels: 8 }],
    ["ragged", { extent: 9, channels: 5 }],
  ],
  draw: (draws) => ({ extent: draws.pick([1, 2, 9, 140]), channels: draws.channels() }),
  wide: [1],
  shapes: ({ extent, channels }) => [
    [extent, channels],
    [2, channels],
  ],
  run: ({ channels }, [x, affine]) =>
    batchNormInference(x!, affine!, fromArray(device, [2, channels], given(channels))),
  forward: ({ channels }, [x, affine]) =>
    Float64Array.from(
      x!,
      (value, i) =>
        (affine![i % channels]! * (value - (i % channels) / 4)) / stdOf(i % channels) +
        affine![channels + (i % channels)]!,
    ),
  backward: ({ channels }, [x, affine], g) => {
    const gradAffine = new Float64Array(2 * channels);
    for (let i = 0; i < g.length; i++) {
      gradAffine[i % channels]! += (g[i]! * (x![i]! - (i % channels) / 4)) / stdOf(i % channels);
      gradAffine[channels + (i % channels)]! += g[i]!;
    }
    return [Float64Array.from(g, (value, i) => (value * affine![i % channels]!) / stdOf(i % channels)), gradAffine];
  },
  magnitudes: ({ extent, channels }, [, affine]) => {
    const most = 1 + Math.max(...Array.from(affine!, Math.abs));
    const count = extent * channels;
    return {
      output: new Float64Array(count).fill(most * (1 + channels)),
      grads: [new Float64Array(count).fill(most), new Float64Array(2 * channels).fill((1 + channels) * extent)],
    };
  },
  slack: ({ extent }) => 12 + extent,
  exact: null,
};
