import { describe, expect, test } from "vitest";
import { gridSampleBackwardInput } from "../../src/kernels/grid_sample.ts";
import { valueAndGradients } from "../../src/ops/gradients.ts";
import { gridSample } from "../../src/ops/grid_sample.ts";
import { ShapeError } from "../../src/runtime/errors.ts";
import { empty, fromArray, requireGrad, toArray } from "../../src/tensor/tensor.ts";
import { rng } from "../harness/bounds.ts";
import { device } from "../harness/device.ts";
import { runEmpty } from "../harness/empty.ts";
import { describeOperation } from "../harness/describe_operation.ts";
import { poison } from "../harness/operation.ts";
import {
  gridSampleFarOperation,
  gridSampleModesOperation,
  gridSampleOneCellOperation,
  gridSampleOperation,
} from "../operations/grid_sample.ts";
import * as reference from "../reference/grid_sample.ts";
import type { Problem } from "../reference/grid_sample.ts";

for (const operation of [
  gridSampleOperation,
  gridSampleModesOperation,
  gridSampleFarOperation,
  gridSampleOneCellOperation,
])
  describeOperation(operation);

const whole = (random: () => number, range: number): number => Math.floor((2 * range + 1) * random()) - range;

describe("a coordinate that is no place in the plane", () => {
  const p: Problem = { batch: 2, height: 4, width: 5, channels: 4, outHeight: 9, outWidth: 10, alignCorners: false };
  const samples = p.batch * p.outHeight * p.outWidth;
  const strange = [Number.NaN, Infinity, -Infinity, 3.4e38, -3.4e38, 1e10, -1e10, 2 ** 31, -(2 ** 31), -0];

  // Every seventh sample has a non-finite or huge x, every eleventh such a y; some have both.
  const random = rng(7);
  const at = (i: number) => strange[i % strange.length]!;
  const grid = Float32Array.from({ length: 2 * samples }, (_, i) => {
    const s = i >> 1;
    if (i % 2 === 0 && s % 7 === 3) return at(s);
    if (i % 2 === 1 && s % 11 === 5) return at(s >> 1);
    return whole(random, 20) / 16;
  });
  const isFar = (s: number) => !(Math.abs(grid[2 * s]!) < 100 && Math.abs(grid[2 * s + 1]!) < 100);
  const input = Float32Array.from({ length: p.batch * p.height * p.width * p.channels }, () => whole(random, 4));
  const gradOutput = Float32Array.from({ length: samples * p.channels }, () => whole(random, 4));
  // The definition on a grid where those samples are merely outside.
  const tame = grid.map((x, i) => (isFar(i >> 1) ? 5 : x));

  const compute = () => {
    poison();
    using _scope = device.scope();
    const x = requireGrad(fromArray(device, [p.batch, p.height, p.width, p.channels], input));
    const g = requireGrad(fromArray(device, [p.batch, p.outHeight, p.outWidth, 2], grid));
    const upstream = fromArray(device, [p.batch, p.outHeight, p.outWidth, p.channels], gradOutput);
    const gradInput = gridSampleBackwardInput(x.shape, g, upstream, {});
    const { results, grads } = valueAndGradients(() => [gridSample(x, g)], [g]);
    return Promise.all([toArray(results[0]), toArray(gradInput), toArray(grads[0]!)]);
  };

  test("leaves the image's gradient as if the sample were outside", async () => {
    expect(Array.from({ length: samples }, (_, s) => isFar(s)).filter(Boolean).length).toBeGreaterThan(20);
    const [, gradInput] = await compute();
    expect(gradInput).toEqual(Float32Array.from(reference.backwardInput(p, tame, gradOutput)));
  });

  test("leaves all other samples and their gradients alone", async () => {
    const [output, , gradGrid] = await compute();
    const wantOutput = reference.forward(p, input, tame);
    const wantGrid = reference.backwardGrid(p, input, tame, new Float32Array(gradOutput.length).fill(1));
    for (let s = 0; s < samples; s++) {
      if (isFar(s)) continue;
      expect(Array.from(output.subarray(4 * s, 4 * s + 4)), `sample ${s}`).toEqual(
        Array.from(wantOutput.subarray(4 * s, 4 * s + 4)),
      );
      expect(Array.from(gradGrid.subarray(2 * s, 2 * s + 2), positiveZero), `gradient of sample ${s}`).toEqual(
        Array.from(wantGrid.subarray(2 * s, 2 * s + 2), positiveZero),
      );
    }
  });

  test("samples zero if its position is an f32", async () => {
    const [output] = await compute();
    for (let s = 0; s < samples; s++) {
      if (!isFar(s) || !isPosition(grid[2 * s]! * p.width) || !isPosition(grid[2 * s + 1]! * p.height)) continue;
      const got = Array.from(output.subarray(4 * s, 4 * s + 4), positiveZero);
      expect(got, `sample ${s} at ${grid[2 * s]},${grid[2 * s + 1]}`).toEqual([0, 0, 0, 0]);
    }
  });
});

const isPosition = (x: number): boolean => Number.isFinite(Math.fround(x));
const positiveZero = (x: number): number => x + 0;

test("the gradient of an image gives its workspace back", () => {
  using _scope = device.scope();
  const grid = fromArray(device, [1, 9, 9, 2], new Float32Array(162));
  const gradOutput = fromArray(device, [1, 9, 9, 4], new Float32Array(324));
  const before = device.memory();
  gridSampleBackwardInput([1, 4, 4, 4], grid, gradOutput, {});
  expect(device.memory()).toMatchObject({ allocations: before.allocations + 1, bytes: before.bytes + 256 });
});

describe("nothing in, nothing out:", () => {
  test("a batch of 0 images", async () => {
    const got = await runEmpty(
      [
        [0, 4, 4, 8],
        [0, 3, 3, 2],
      ],
      ([input, grid]) => gridSample(input!, grid!),
    );
    expect(got).toEqual({ shape: [0, 3, 3, 8], dispatches: 0, grads: [[], []] });
  });
  test("no samples, which leave the image a gradient of zero", async () => {
    const got = await runEmpty(
      [
        [1, 2, 2, 1],
        [1, 0, 3, 2],
      ],
      ([input, grid]) => gridSample(input!, grid!),
    );
    expect(got).toEqual({ shape: [1, 0, 3, 1], dispatches: 0, grads: [[0, 0, 0, 0], []] });
  });
});

describe("gridSample rejects, before any GPU work,", () => {
  test.each([
    [
      "a batch mismatch",
      [2, 4, 4, 8],
      [1, 3, 3, 2],
      "gridSample: expected input and grid to have the same batch size, got input [2,4,4,8] and grid [1,3,3,2]",
    ],
    [
      "a 3-D input",
      [4, 4, 8],
      [1, 3, 3, 2],
      "gridSample: expected input [N,H,W,C] and grid [N,P,Q,2], got input [4,4,8] and grid [1,3,3,2]",
    ],
    [
      "a 3-D grid",
      [1, 4, 4, 8],
      [3, 3, 2],
      "gridSample: expected input [N,H,W,C] and grid [N,P,Q,2], got input [1,4,4,8] and grid [3,3,2]",
    ],
    [
      "a grid of triples",
      [1, 4, 4, 8],
      [1, 3, 3, 3],
      "gridSample: expected the last dimension of grid to be 2, got input [1,4,4,8] and grid [1,3,3,3]",
    ],
    [
      "an image without rows",
      [1, 0, 4, 8],
      [1, 3, 3, 2],
      "gridSample: expected a non-empty image, got input [1,0,4,8] and grid [1,3,3,2]",
    ],
    [
      "an image without columns",
      [1, 4, 0, 8],
      [1, 3, 3, 2],
      "gridSample: expected a non-empty image, got input [1,4,0,8] and grid [1,3,3,2]",
    ],
  ])("%s", (_what, input, grid, message) => {
    const attempt = () => gridSample(empty(device, input), empty(device, grid));
    expect(attempt).toThrow(ShapeError);
    expect(attempt).toThrow(message);
  });

  test("whole numbers", () => {
    const attempt = () => gridSample(empty(device, [1, 2, 2, 1]), empty(device, [1, 1, 1, 2], "u32"));
    expect(attempt).toThrow(ShapeError);
    expect(attempt).toThrow("gridSample: expected grid of dtype f32, it is u32, got grid [1,1,1,2]");
  });

  test("a gradient of another shape", () => {
    const attempt = () =>
      gridSampleBackwardInput([1, 2, 2, 3], empty(device, [1, 1, 1, 2]), empty(device, [1, 1, 1, 4]), {});
    expect(attempt).toThrow(ShapeError);
    expect(attempt).toThrow(
      "gridSample: expected gradOutput [N,P,Q,C], got input [1,2,2,3] and grid [1,1,1,2] and gradOutput [1,1,1,4]",
    );
  });
});
