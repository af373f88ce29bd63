import { expect, test } from "vitest";
import { momentsOf, normBackward } from "../../src/kernels/batch_norm.ts";
import { gaussianBlurBackwardInput, gaussianBlurForward } from "../../src/kernels/gaussian_blur.ts";
import { gatherBackwardInput } from "../../src/kernels/gather.ts";
import { hingeLossForward } from "../../src/kernels/hinge_loss.ts";
import { matmulForward } from "../../src/kernels/products/matmul.ts";
import { imagesToTensor } from "../../src/ops/images.ts";
import { nearestRowsForward } from "../../src/kernels/nearest_rows.ts";
import { maxPoolBackwardInput } from "../../src/kernels/pool.ts";
import { resizeBackwardInput, resizeForward } from "../../src/kernels/resize.ts";
import { layerNormBackward, layerNormForward } from "../../src/kernels/rows.ts";
import { exclusiveScan } from "../../src/kernels/scan.ts";
import { farthestPoints } from "../../src/ops/farthest_points.ts";
import { max } from "../../src/ops/reduce.ts";
import { zeros, type Shape, type Tensor } from "../../src/tensor/tensor.ts";
import { device } from "../harness/device.ts";

const norm = { eps: 1e-5, correction: 0 } as const;
const rows = { groups: 1, extent: 300, channels: 4 };
const blur = { size: 3, sigma: 1, border: "reflect" } as const;
const bilinear = { mode: "bilinear", alignCorners: false, antialias: false } as const;
const picture = { width: 9, height: 5, data: new Uint8Array(4 * 9 * 5) };

/** A launcher must leave nothing allocated except its results: no scope cleans up after it. */
test.each<readonly [string, readonly Shape[], (inputs: readonly Tensor[]) => readonly Tensor[]]>([
  ["momentsOf", [[300, 4]], ([x]) => [momentsOf(x!, rows, norm)]],
  [
    "normBackward",
    [
      [300, 4],
      [1, 2, 4],
      [2, 4],
      [300, 4],
    ],
    ([x, statistics, affine, g]) => Object.values(normBackward(x!, statistics!, affine!, g!, rows, norm)) as Tensor[],
  ],
  ["gaussianBlurForward", [[1, 6, 6, 4]], ([x]) => [gaussianBlurForward(x!, blur)]],
  [
    "gaussianBlurBackwardInput",
    [
      [1, 6, 6, 4],
      [1, 6, 6, 4],
    ],
    ([x, g]) => [gaussianBlurBackwardInput(x!, g!, blur)],
  ],
  ["resizeForward", [[1, 6, 6, 4]], ([x]) => [resizeForward(x!, [3, 8], bilinear)]],
  [
    "resizeBackwardInput",
    [
      [1, 6, 6, 4],
      [1, 3, 8, 4],
    ],
    ([x, g]) => [resizeBackwardInput(x!, g!, [3, 8], bilinear)],
  ],
  [
    "maxPoolBackwardInput",
    [
      [1, 6, 6, 4],
      [1, 3, 3, 4],
    ],
    ([x, g]) => [maxPoolBackwardInput(x!, g!, 2, { stride: 2, padding: 0 })],
  ],
  [
    "hingeLossForward",
    [[500], [500]],
    ([scores, mask]) => {
      const { summary, totals, positions } = hingeLossForward("hingeLoss", scores!, mask!, {
        threshold: 0.5,
        reduction: "none",
      });
      return [summary, totals, positions!];
    },
  ],
  [
    "layerNormBackward",
    [
      [70, 8],
      [2, 8],
      [70, 8],
    ],
    ([x, affine, g]) => Object.values(layerNormBackward(x!, affine!, g!, 1e-5, true)) as Tensor[],
  ],
  [
    "layerNormBackward of the input alone",
    [
      [70, 8],
      [2, 8],
      [70, 8],
    ],
    ([x, affine, g]) => [layerNormBackward(x!, affine!, g!, 1e-5, false).gradInput],
  ],
  [
    "layerNormBackward without parameters",
    [
      [70, 8],
      [70, 8],
    ],
    ([x, g]) => [layerNormBackward(x!, null, g!, 1e-5, false).gradInput],
  ],
  ["layerNormForward without parameters", [[70, 8]], ([x]) => [layerNormForward(x!, null, 1e-5)]],
  [
    "gatherBackwardInput",
    [
      [9, 4],
      [3, 4],
    ],
    ([x, g]) => {
      const indices = zeros(device, [3], "u32");
      const gradient = gatherBackwardInput(x!, indices, g!, 0);
      device.release(indices.allocation);
      return [gradient];
    },
  ],
  [
    "nearestRowsForward",
    [
      [9, 4],
      [300, 4],
    ],
    ([queries, rows]) => Object.values(nearestRowsForward(queries!, rows!, 3)) as Tensor[],
  ],
  ["farthestPoints", [[300, 4]], ([rows]) => [farthestPoints(rows!, 5)]],
  ["max over axes apart", [[3, 4, 5]], ([x]) => [max(x!, [0, 2])]],
  [
    "matmulForward in slices",
    [
      [1, 4, 1030],
      [1, 1030, 4],
    ],
    ([a, b]) => [matmulForward(a!, b!, {}, {})],
  ],
  [
    "exclusiveScan of several blocks",
    [],
    () => {
      const input = zeros(device, [20_000], "u32");
      const output = exclusiveScan(input);
      device.release(input.allocation);
      return [output];
    },
  ],
  [
    "imagesToTensor",
    [],
    () => [imagesToTensor(device, [picture, picture], { height: 4, width: 4, mean: [0, 0, 0], std: [1, 1, 1] })],
  ],
])("%s gives its workspace back", async (_name, shapes, run) => {
  const inputs = shapes.map((shape) => zeros(device, shape));
  const before = device.memory().allocations;
  const results = run(inputs);
  expect(device.memory().allocations - before).toBe(results.length);
  for (const { allocation } of [...results, ...inputs]) device.release(allocation);
  await device.settle();
});
