import { describe, expect, test } from "vitest";
import { batchNorm, batchNormInference, standardize } from "../../src/ops/batch_norm.ts";
import { empty, fromArray, toArray } from "../../src/tensor/tensor.ts";
import { rng } from "../harness/bounds.ts";
import { expectClose } from "../harness/close.ts";
import { device } from "../harness/device.ts";
import { describeOperation } from "../harness/describe_operation.ts";
import {
  batchNormActivationOperation,
  batchNormInferenceOperation,
  batchNormOperation,
  standardizeOperation,
} from "../operations/batch_norm.ts";
import * as reference from "../reference/batch_norm.ts";
import type { Problem } from "../reference/batch_norm.ts";

const [EPS, MEAN] = [1e-5, 1000];

describeOperation(standardizeOperation);
describeOperation(batchNormOperation);
describeOperation(batchNormActivationOperation);
describeOperation(batchNormInferenceOperation);

const running = (channels: number) =>
  fromArray(
    device,
    [2, channels],
    Float32Array.from({ length: 2 * channels }, (_, i) => (i < channels ? 0 : 1)),
  );

describe("batchNorm", () => {
  test("is accurate where the mean is a thousand deviations", async () => {
    const p: Problem = { groups: 1, extent: 500, channels: 4, eps: EPS, correction: 0 };
    const random = rng(9);
    const x = Float32Array.from({ length: p.extent * p.channels }, () => MEAN + 2 * random() - 1);
    const affine = fromArray(device, [2, 4], Float32Array.of(1, 1, 1, 1, 0, 0, 0, 0));
    const got = await toArray(batchNorm(fromArray(device, [p.extent, p.channels], x), affine, running(4)));
    // Rounding the mean itself moves every value by up to half a unit of 1000, which is 2^-14 of a standard deviation
    // of about 0.58.
    expectClose(got, reference.normalised(p, x), new Float64Array(got.length).fill(1), MEAN * 16);
  });

  test("moves the running statistics towards the batch's, the variance unbiased", async () => {
    const x = Float32Array.of(1, 3, 5, 11);
    const state = running(1);
    batchNorm(fromArray(device, [4, 1], x), fromArray(device, [2, 1], Float32Array.of(1, 0)), state, {
      momentum: 0.25,
    });
    const [mean, variance] = await toArray(state);
    expect(mean).toBeCloseTo(0.25 * 5, 6);
    expect(variance).toBeCloseTo(0.75 + 0.25 * (56 / 3), 5);
  });

  test.each([
    ["several slices, two packs of channels", { groups: 1, extent: 300, channels: 8, eps: EPS, correction: 0 }],
    ["several slices, ragged channels", { groups: 1, extent: 259, channels: 3, eps: EPS, correction: 0 }],
  ] as const)("moves the running statistics of every channel by a tenth if not told otherwise: %s", async (_why, p) => {
    const random = rng(10);
    const x = Float32Array.from(
      { length: p.extent * p.channels },
      (_, i) => (1 + (i % p.channels)) * (2 * random() - 1) + (i % p.channels),
    );
    const before = Float32Array.from({ length: 2 * p.channels }, () => 1 + random());
    const state = fromArray(device, [2, p.channels], before);
    batchNorm(
      fromArray(device, [p.extent, p.channels], x),
      fromArray(device, [2, p.channels], new Float32Array(2 * p.channels)),
      state,
    );
    const { mean, variance } = reference.statistics({ ...p, correction: 1 }, x);
    const moved = Float64Array.from(
      before,
      (old, i) => 0.9 * old + 0.1 * (i < p.channels ? mean[i]! : variance[i - p.channels]!),
    );
    // A rounding of the mean, or of M2, for each row; the largest value is about 2 * channels, its square that of M2.
    expectClose(
      await toArray(state),
      moved,
      moved.map(() => (2 * p.channels) ** 2),
      p.extent,
    );
  });

  test("adds 1e-5 to the variance for inference if not told otherwise", async () => {
    const statistics = fromArray(device, [2, 1], Float32Array.of(0, 3e-5));
    const affine = fromArray(device, [2, 1], Float32Array.of(1, 0));
    const [got] = await toArray(batchNormInference(fromArray(device, [1, 1], Float32Array.of(1)), affine, statistics));
    expect(got! / Math.sqrt(1 / 4e-5)).toBeCloseTo(1, 6);
  });

  test("uses given statistics for inference", async () => {
    const statistics = fromArray(device, [2, 2], Float32Array.of(1, 2, 4, 16));
    const affine = fromArray(device, [2, 2], Float32Array.of(2, 4, 0.5, -1));
    const got = await toArray(
      batchNormInference(fromArray(device, [2, 2], Float32Array.of(1, 2, 5, 10)), affine, statistics, { eps: 0 }),
    );
    expect(got).toEqual(Float32Array.of(0.5, -1, 4.5, 7));
  });

  test("refuses a single row and parameters of other shapes", () => {
    const affine = empty(device, [2, 4]);
    expect(() => batchNorm(empty(device, [1, 4]), affine, affine)).toThrow(
      "batchNorm: expected at least two positions to take statistics of, got input [1,4]",
    );
    expect(() => batchNorm(empty(device, [3, 5]), affine, affine)).toThrow(
      "batchNorm: expected affine [2,5], got input [3,5] and affine [2,4] and running [2,4]",
    );
    expect(() => standardize(empty(device, [1, 1, 1, 4]))).toThrow(
      "standardize: expected input [N,H,W,C] with at least two positions, got input [1,1,1,4]",
    );
  });
});
