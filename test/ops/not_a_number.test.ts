// NaN propagates on every adapter: a score or a loss that hid it would be believed.
import { describe, expect, test } from "vitest";
import { activation, type ActivationName } from "../../src/ops/activation.ts";
import { add, divide, maximum, minimum, multiply, subtract } from "../../src/ops/elementwise.ts";
import { valueAndGradients } from "../../src/ops/gradients.ts";
import { anomalyMap, hingeLoss, mseLoss, reconstructionLoss } from "../../src/ops/losses.ts";
import { matmul } from "../../src/ops/matmul.ts";
import { averagePool, maxPool } from "../../src/ops/pool.ts";
import { max, mean, min, sum } from "../../src/ops/reduce.ts";
import { fromArray, requireGrad, toArray, type Tensor } from "../../src/tensor/tensor.ts";
import { device } from "../harness/device.ts";

const NAMES: readonly ActivationName[] = [
  "relu",
  "relu6",
  "leakyRelu",
  "hsigmoid",
  "hswish",
  "sigmoid",
  "silu",
  "tanh",
  "gelu",
  "sqrt",
  "exp",
  "log",
  "abs",
  "square",
];
const floats = (shape: readonly number[], ...values: number[]): Tensor =>
  fromArray(device, shape, Float32Array.from(values));
const isNaNAt = (values: Float32Array): number[] => Array.from(values.keys()).filter((i) => Number.isNaN(values[i]));

describe.each([
  [1, [NaN]],
  [4, [1, NaN, 2, 3]],
  [3, [1, NaN, 2]],
])("of %i elements", (count, values) => {
  const at = values.findIndex(Number.isNaN);

  test.each(NAMES)("%s of NaN is NaN, and so is its gradient", async (name) => {
    using _scope = device.scope({ awaits: true });
    const x = requireGrad(floats([count], ...values));
    const {
      results: [output],
      grads: [grad],
    } = valueAndGradients(() => [activation(x, name)], [x]);
    expect(isNaNAt(await toArray(output))).toEqual([at]);
    expect(isNaNAt(await toArray(grad!))).toEqual([at]);
  });

  const binary = { add, subtract, multiply, divide, maximum, minimum };
  test.each(Object.keys(binary) as (keyof typeof binary)[])("%s with NaN on either side is NaN", async (name) => {
    using _scope = device.scope({ awaits: true });
    const [wrong, right] = [floats([count], ...values), floats([count], ...values.map((_, i) => i + 1))];
    for (const [a, b] of [
      [wrong, right],
      [right, wrong],
    ] as const)
      expect(isNaNAt(await toArray(binary[name](a, b)))).toEqual([at]);
  });

  const reductions = { sum, mean, max, min };
  test.each(Object.keys(reductions) as (keyof typeof reductions)[])("%s over NaN is NaN", async (name) => {
    using _scope = device.scope({ awaits: true });
    expect(isNaNAt(await toArray(reductions[name](floats([count], ...values))))).toEqual([0]);
    const columns = floats([2, count], ...values, ...values.map((_, i) => i));
    expect(isNaNAt(await toArray(reductions[name](columns, [0])))).toEqual([at]);
  });
});

test("an activation within a product's kernel keeps NaN", async () => {
  using _scope = device.scope({ awaits: true });
  for (const name of ["relu", "tanh"] as const) {
    const product = matmul(floats([1, 2, 2], 1, NaN, 1, 1), floats([1, 2, 4], ...new Array<number>(8).fill(1)), {
      activation: name,
    });
    expect(isNaNAt(await toArray(product))).toEqual([0, 1, 2, 3]);
  }
});

test("pools of windows with NaN are NaN, wherever in the window it lies", async () => {
  using _scope = device.scope({ awaits: true });
  for (let at = 0; at < 4; at++) {
    const image = floats([1, 2, 2, 1], ...[1, 2, 3, 4].map((value, i) => (i === at ? NaN : value)));
    for (const pool of [maxPool, averagePool]) expect(isNaNAt(await toArray(pool(image, 2)))).toEqual([0]);
  }
});

test("losses and anomaly maps of NaN are NaN", async () => {
  using _scope = device.scope({ awaits: true });
  const [wrong, right] = [floats([2, 4], 1, NaN, 2, 3, 1, 2, 3, 4), floats([2, 4], 1, 2, 3, 4, 4, 3, 2, 1)];
  const mask = floats([2, 4], 1, 1, 0, 0, 0, 1, 0, 1);
  for (const reduction of ["mean", "sum"] as const) {
    const losses = [
      mseLoss(wrong, right, { reduction }),
      reconstructionLoss(right, wrong, { reduction }),
      hingeLoss(wrong, mask, { reduction }).loss,
    ];
    for (const loss of losses) expect(isNaNAt(await toArray(loss))).toEqual([0]);
  }
  expect(isNaNAt(await toArray(anomalyMap(right, wrong)))).toEqual([0]);
});

test("infinities are what their functions say", async () => {
  using _scope = device.scope({ awaits: true });
  const of = async (name: ActivationName) =>
    Array.from(await toArray(activation(floats([2], Infinity, -Infinity), name)));
  expect(await of("relu")).toEqual([Infinity, 0]);
  expect(await of("relu6")).toEqual([6, 0]);
  expect(await of("tanh")).toEqual([1, -1].map((value) => expect.closeTo(value, 6) as number));
  expect(await of("abs")).toEqual([Infinity, Infinity]);
});
