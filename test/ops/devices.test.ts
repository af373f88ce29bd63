import { afterAll, describe, expect, test } from "vitest";
import { openDevice } from "../../src/node/device.ts";
import { batchNorm, batchNormInference, foldBatchNorm } from "../../src/ops/batch_norm.ts";
import { conv2d, depthwiseConv2d } from "../../src/ops/conv2d.ts";
import { convTranspose2d } from "../../src/ops/conv_transpose2d.ts";
import { add, divide, maximum, minimum, multiply, subtract } from "../../src/ops/elementwise.ts";
import { gather } from "../../src/ops/gather.ts";
import { gridSample } from "../../src/ops/grid_sample.ts";
import { anomalyMap, cosinePairLoss, hingeLoss, mseLoss, reconstructionLoss } from "../../src/ops/losses.ts";
import { matmul, pointwiseConv2d } from "../../src/ops/matmul.ts";
import { nearestRows } from "../../src/ops/nearest_rows.ts";
import { cosineSimilarity, layerNorm } from "../../src/ops/rows.ts";
import { concat } from "../../src/ops/shape.ts";
import { squeezeExcitation } from "../../src/ops/squeeze_excitation.ts";
import { ShapeError } from "../../src/runtime/errors.ts";
import { empty, type DType, type Shape, type Tensor } from "../../src/tensor/tensor.ts";
import { device } from "../harness/device.ts";

const other = await openDevice();
afterAll(() => other.destroy());

type Inputs = Readonly<Record<string, Shape | readonly [Shape, DType]>>;

/** Every public function of several tensors: its name, its tensors as its errors name them, a call. */
const OPERATIONS: readonly (readonly [
  op: string,
  inputs: Inputs,
  run: (...tensors: readonly [Tensor, Tensor, Tensor, Tensor, Tensor]) => unknown,
])[] = [
  [
    "conv2d",
    { input: [1, 3, 3, 2], weight: [1, 1, 2, 4], bias: [4] },
    (x, weight, bias) => conv2d(x, weight, { bias: bias }),
  ],
  [
    "depthwiseConv2d",
    { input: [1, 3, 3, 2], weight: [1, 1, 2], bias: [2] },
    (x, weight, bias) => depthwiseConv2d(x, weight, { bias: bias }),
  ],
  [
    "convTranspose2d",
    { input: [1, 3, 3, 2], weight: [2, 2, 4, 2] },
    (x, weight) => convTranspose2d(x, weight, { stride: 2 }),
  ],
  ["matmul", { a: [1, 2, 3], b: [1, 3, 4], bias: [4] }, (a, b, bias) => matmul(a, b, { bias: bias })],
  [
    "pointwiseConv2d",
    { input: [2, 3], weight: [3, 4], bias: [4] },
    (x, weight, bias) => pointwiseConv2d(x, weight, { bias: bias }),
  ],
  [
    "batchNorm",
    { input: [4, 3], affine: [2, 3], running: [2, 3] },
    (x, affine, running) => batchNorm(x, affine, running),
  ],
  [
    "batchNormInference",
    { input: [4, 3], affine: [2, 3], running: [2, 3] },
    (x, affine, running) => batchNormInference(x, affine, running),
  ],
  [
    "foldBatchNorm",
    { weight: [1, 1, 2, 3], affine: [2, 3], running: [2, 3] },
    (weight, affine, running) => foldBatchNorm(weight, null, affine, running),
  ],
  ["gridSample", { input: [1, 3, 3, 2], grid: [1, 2, 2, 2] }, (x, grid) => gridSample(x, grid)],
  ...[add, subtract, multiply, divide, maximum, minimum].map(
    (op) => [op.name, { a: [2, 3], b: [3] }, (a: Tensor, b: Tensor) => op(a, b)] as const,
  ),
  ["mseLoss", { input: [2, 3], target: [2, 3] }, (x, target) => mseLoss(x, target)],
  [
    "reconstructionLoss",
    { target: [2, 3], reconstruction: [2, 3] },
    (target, reconstruction) => reconstructionLoss(target, reconstruction),
  ],
  [
    "anomalyMap",
    { target: [1, 2, 2, 3], reconstruction: [1, 2, 2, 3] },
    (target, reconstruction) => anomalyMap(target, reconstruction),
  ],
  ["hingeLoss", { scores: [4], mask: [4] }, (scores, mask) => hingeLoss(scores, mask)],
  [
    "cosinePairLoss",
    { features: [4, 3], pairs: [[2, 2], "u32"], similar: [2] },
    (features, pairs, similar) => cosinePairLoss(features, pairs, similar),
  ],
  ["gather", { input: [4, 3], indices: [[2], "u32"] }, (x, indices) => gather(x, indices)],
  ["layerNorm", { input: [4, 3], affine: [2, 3] }, (x, affine) => layerNorm(x, affine)],
  ["cosineSimilarity", { a: [4, 3], b: [4, 3] }, (a, b) => cosineSimilarity(a, b)],
  ["nearestRows", { queries: [4, 3], rows: [5, 3] }, (queries, rows) => nearestRows(queries, rows, 2)],
  ["concat", { a: [2, 3], b: [2, 3] }, (a, b) => concat([a, b])],
  [
    "squeezeExcitation",
    { input: [1, 2, 2, 4], w1: [4, 2], b1: [2], w2: [2, 4], b2: [4] },
    (x, w1, b1, w2, b2) => squeezeExcitation(x, { weight: w1, bias: b1 }, { weight: w2, bias: b2 }),
  ],
];

describe.each(OPERATIONS)("%s refuses, with its name,", (op, inputs, run) => {
  type Five = [Tensor, Tensor, Tensor, Tensor, Tensor]; // or as many as the operation takes
  const make = (strange: string | null) =>
    Object.entries(inputs).map(([name, input]) => {
      const [shape, dtype] = (Array.isArray(input[0]) ? input : [input, "f32"]) as readonly [Shape, DType];
      return empty(name === strange ? other : device, shape, dtype);
    }) as Five;

  test("nothing on one device", () => {
    using _scope = device.scope();
    expect(() => run(...make(null))).not.toThrow();
  });

  test.each(Object.keys(inputs))("%s on another device", (name) => {
    using _here = device.scope();
    using _there = other.scope();
    const before = [device.counters().dispatches, other.counters().dispatches];
    const attempt = () => run(...make(name));
    expect(attempt).toThrow(ShapeError);
    expect(attempt).toThrow(
      new RegExp(`^${op}: expected tensors of one device, [\\w ]+ is on another than [\\w ]+, got `),
    );
    expect([device.counters().dispatches, other.counters().dispatches]).toEqual(before);
  });
});
