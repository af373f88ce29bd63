import { describe, expect, test } from "vitest";
import { gaussianBlurBackwardInput, type GaussianBlurOptions } from "../../src/kernels/gaussian_blur.ts";
import { gaussianBlur } from "../../src/ops/gaussian_blur.ts";
import { OptionError, ShapeError } from "../../src/runtime/errors.ts";
import { empty, fromArray, toArray } from "../../src/tensor/tensor.ts";
import { describeOperation } from "../harness/describe_operation.ts";
import { device } from "../harness/device.ts";
import { runEmpty } from "../harness/empty.ts";
import { gaussianBlurOperation } from "../operations/gaussian_blur.ts";

describeOperation(gaussianBlurOperation);

test("3x3 of sigma 0.8 weighs .2390 .5220 .2390", async () => {
  const dot = fromArray(
    device,
    [1, 5, 5, 1],
    Float32Array.from({ length: 25 }, (_, i) => (i === 12 ? 1 : 0)),
  );
  const got = await toArray(gaussianBlur(dot, { size: 3, sigma: 0.8 }));
  expect(got[12]).toBeCloseTo(0.522 ** 2, 4);
  expect(got[11]).toBeCloseTo(0.522 * 0.239, 4);
  expect(got[6]).toBeCloseTo(0.239 ** 2, 4);
});

test("gaussianBlur reflects if not told otherwise", async () => {
  const line = fromArray(device, [1, 1, 3, 1], Float32Array.of(1, 0, 4));
  const read = (options: Partial<GaussianBlurOptions>) =>
    toArray(gaussianBlur(line, { size: 3, sigma: 1, ...options }));
  expect(await read({})).toEqual(await read({ border: "reflect" }));
  expect(await read({})).not.toEqual(await read({ border: "replicate" }));
});

test("a batch of 0 images, or images without pixels, stay so", async () => {
  for (const shape of [
    [0, 3, 4, 2],
    [1, 0, 4, 2],
    [1, 3, 0, 2],
    [1, 3, 4, 0],
  ]) {
    const got = await runEmpty([shape], ([input]) => gaussianBlur(input!, { size: 3, sigma: 1 }));
    expect(got).toEqual({ shape, dispatches: 0, grads: [[]] });
  }
});

describe("gaussianBlur rejects, before any GPU work,", () => {
  test.each<[string, Readonly<Record<string, unknown>>, string]>([
    ["an even size", { size: 2, sigma: 1 }, "gaussianBlur: expected an odd size and a sigma > 0, got 2 and 1"],
    ["no size", { sigma: 1 }, "gaussianBlur: expected an odd size and a sigma > 0, got NaN and 1"],
    ["a negative size", { size: -1, sigma: 1 }, "gaussianBlur: expected an odd size and a sigma > 0, got -1 and 1"],
    ["a sigma of 0", { size: 3, sigma: 0 }, "gaussianBlur: expected an odd size and a sigma > 0, got 3 and 0"],
    [
      "a sigma that is no number",
      { size: 3, sigma: NaN },
      "gaussianBlur: expected an odd size and a sigma > 0, got 3 and NaN",
    ],
    [
      "an infinite sigma",
      { size: 3, sigma: Infinity },
      "gaussianBlur: expected an odd size and a sigma > 0, got 3 and Infinity",
    ],
    [
      "another border",
      { size: 3, sigma: 1, border: "wrap" },
      "gaussianBlur: expected border to be reflect, replicate or zeros, got wrap",
    ],
    [
      "an option that it does not know",
      { size: 3, sigma: 1, radius: 1 },
      "gaussianBlur: unknown option radius; it takes size, sigma, border",
    ],
  ])("%s", (_what, options, message) => {
    const attempt = () => gaussianBlur(empty(device, [1, 4, 8, 1]), options as unknown as GaussianBlurOptions);
    expect(attempt).toThrow(OptionError);
    expect(attempt).toThrow(message);
  });

  test("a 3-D input", () => {
    const attempt = () => gaussianBlur(empty(device, [4, 8, 1]), { size: 3, sigma: 1 });
    expect(attempt).toThrow(ShapeError);
    expect(attempt).toThrow("gaussianBlur: expected input [N,H,W,C], got input [4,8,1]");
  });

  test("whole numbers", () => {
    const attempt = () => gaussianBlur(empty(device, [1, 2, 2, 1], "u32"), { size: 3, sigma: 1 });
    expect(attempt).toThrow(ShapeError);
    expect(attempt).toThrow("gaussianBlur: expected input of dtype f32 or f16, it is u32, got input [1,2,2,1]");
  });

  test("a gradient of another shape", () => {
    const options = { size: 3, sigma: 1, border: "zeros" } as const;
    const attempt = () => gaussianBlurBackwardInput(empty(device, [1, 2, 2, 1]), empty(device, [1, 2, 3, 1]), options);
    expect(attempt).toThrow(ShapeError);
    expect(attempt).toThrow(
      "gaussianBlur: expected gradOutput [1,2,2,1], got input [1,2,2,1] and gradOutput [1,2,3,1]",
    );
  });
});
