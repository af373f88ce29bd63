import { expect, test } from "vitest";
import { momentsOf, normBackward } from "../../src/kernels/batch_norm.ts";
import { gaussianBlurBackwardInput, gaussianBlurForward } from "../../src/kernels/gaussian_blur.ts";
import { hingeLossForward } from "../../src/kernels/hinge_loss.ts";
import { imagesToTensor } from "../../src/ops/images.ts";
import { maxPoolBackwardInput } from "../../src/kernels/pool.ts";
import { resizeBackwardInput, resizeForward } from "../../src/kernels/resize.ts";
import { zeros, type Shape, type Tensor } from "../../src/tensor/tensor.ts";
import { device } from "../device.ts";

const norm = { eps: 1e-5, correction: 0 } as const;
const rows = { groups: 1, extent: 300, channels: 4 };
const blur = { size: 3, sigma: 1, border: "reflect" } as const;
const bilinear = { mode: "bilinear", alignCorners: false, antialias: false } as const;
const picture = { width: 9, height: 5, data: new Uint8Array(4 * 9 * 5) };

/** What a launcher returns must be all that it leaves allocated: no scope is there to clean up after it. */
test.each<readonly [string, readonly Shape[], (inputs: readonly Tensor[]) => readonly Tensor[]]>([
  ["momentsOf", [[300, 4]], ([x]) => [momentsOf(x!, rows, norm)]],
  [
    "normBackward",
    [[300, 4], [1, 2, 4], [2, 4], [300, 4]],
    ([x, statistics, affine, g]) => Object.values(normBackward(x!, statistics!, affine!, g!, rows, norm)) as Tensor[],
  ],
  ["gaussianBlurForward", [[1, 6, 6, 4]], ([x]) => [gaussianBlurForward(x!, blur)]],
  ["gaussianBlurBackwardInput", [[1, 6, 6, 4], [1, 6, 6, 4]], ([x, g]) => [gaussianBlurBackwardInput(x!, g!, blur)]],
  ["resizeForward", [[1, 6, 6, 4]], ([x]) => [resizeForward(x!, [3, 8], bilinear)]],
  ["resizeBackwardInput", [[1, 6, 6, 4], [1, 3, 8, 4]], ([x, g]) => [resizeBackwardInput(x!, g!, [3, 8], bilinear)]],
  ["maxPoolBackwardInput", [[1, 6, 6, 4], [1, 3, 3, 4]], ([x, g]) => [maxPoolBackwardInput(x!, g!, 2, { stride: 2, padding: 0 })]],
  ["hingeLossForward", [[500], [500]], ([scores, mask]) => Object.values(hingeLossForward(scores!, mask!, 0.5)) as Tensor[]],
  ["imagesToTensor", [], () => [imagesToTensor(device, [picture, picture], { height: 4, width: 4, mean: [0, 0, 0], deviation: [1, 1, 1] })]],
])("%s gives its workspace back", async (_name, shapes, run) => {
  const inputs = shapes.map((shape) => zeros(device, shape));
  const before = device.memory().allocations;
  const results = run(inputs);
  expect(device.memory().allocations - before).toBe(results.length);
  for (const { allocation } of [...results, ...inputs]) device.release(allocation);
  await device.settle();
});
